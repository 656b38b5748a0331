"""The resume file of a training: everything that the next epoch depends on.

One safetensors file: tensors as tensors, numbers as JSON in its header. A damaged one is
deleted and the training starts again; one of another training is an error.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mirtrim.training.devices import device_of
from mirtrim.training.hooks import Hook
from mirtrim.training.records import EpochReport, FitResult, State
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.tensors import read_tensors, write_tensors

_NUMBERS = ("best_epoch", "best_loss", "epochs", "seconds", "examples")


def write_resume(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    hook: Hook,
    result: FitResult,
) -> None:
    """Write the state after an epoch, atomically."""
    tensors: State = {}
    for prefix, state in (
        ("network", network.state_dict()),
        ("best", result.best),
        ("snapshot", result.snapshot),
        ("hook", hook.state()),
    ):
        tensors |= {f"{prefix}/{n}": v for n, v in state.items()}
    optimizer_state = optimizer.state_dict()
    for index, slots in optimizer_state["state"].items():
        for slot, value in slots.items():
            if value is not None:
                tensors[f"optimizer/{index}/{slot}"] = torch.as_tensor(value)
    numbers = {
        "param_groups": optimizer_state["param_groups"],
        "scheduler": {
            k: v
            for k, v in scheduler.state_dict().items()
            if isinstance(v, int | float | list | bool | str)
        },
        **{name: getattr(result, name) for name in _NUMBERS},
        "history": [asdict(epoch) for epoch in result.history],
    }
    write_tensors(path, tensors, {"numbers": json.dumps(numbers)})


def read_resume(
    path: Path,
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    hook: Hook,
    result: FitResult,
) -> None:
    """Continue from `path`; a damaged file is deleted and training starts again.

    Raises:
        ArtefactError: the file is whole, but of another network or of other settings.
    """
    try:
        tensors, about = read_tensors(path)
    except ArtefactError:
        path.unlink(missing_ok=True)
        return
    try:
        numbers = json.loads(about["numbers"])
        _restore(tensors, numbers, network, optimizer, scheduler, hook, result)
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise ArtefactError(
            f"{path} is of another training ({reason}); delete it and run again"
        ) from error


def _restore(
    tensors: State,
    numbers: dict[str, Any],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    hook: Hook,
    result: FitResult,
) -> None:
    parts: dict[str, State] = {"network": {}, "best": {}, "snapshot": {}, "hook": {}}
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        prefix, rest = name.split("/", 1)
        if prefix == "optimizer":
            index, slot = rest.split("/")
            slots.setdefault(int(index), {})[slot] = value
        else:
            parts[prefix][rest] = value
    network.load_state_dict(parts["network"])
    optimizer.load_state_dict({"state": slots, "param_groups": numbers["param_groups"]})
    scheduler.load_state_dict(numbers["scheduler"])
    device = device_of(network)
    hook.load_state({name: value.to(device) for name, value in parts["hook"].items()})
    result.best, result.snapshot = parts["best"], parts["snapshot"]
    result.history = [EpochReport(**epoch) for epoch in numbers["history"]]
    for name in _NUMBERS:
        setattr(result, name, numbers[name])
