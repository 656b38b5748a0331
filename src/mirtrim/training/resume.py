"""The resume file of a training: everything that the next epoch depends on.

One safetensors file: tensors as tensors, numbers as JSON in its header. A damaged one is
deleted and the training starts again; one of another training is an error.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from mirtrim.training.devices import device_of
from mirtrim.training.records import EpochReport, State, Training, joined, parted
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.tensors import read_tensors, write_tensors

_NUMBERS = ("best_epoch", "best_loss", "epochs", "seconds", "examples")


def write_resume(path: Path, training: Training) -> None:
    """Write the state after an epoch, atomically."""
    result = training.result
    parts = {
        "network": training.network.state_dict(),
        "best": result.best,
        "snapshot": result.snapshot,
        "hook": training.hook.state(),
    }
    tensors = joined(parts)
    optimizer_state = training.optimizer.state_dict()
    for index, slots in optimizer_state["state"].items():
        for slot, value in slots.items():
            if value is not None:
                tensors[f"optimizer/{index}/{slot}"] = torch.as_tensor(value)
    numbers = {
        "param_groups": optimizer_state["param_groups"],
        "scheduler": {
            k: v
            for k, v in training.scheduler.state_dict().items()
            if isinstance(v, int | float | list | bool | str)
        },
        **{name: getattr(result, name) for name in _NUMBERS},
        "history": [asdict(epoch) for epoch in result.history],
    }
    write_tensors(path, tensors, {"numbers": json.dumps(numbers)})


def read_resume(path: Path, training: Training) -> None:
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
        _restore(tensors, json.loads(about["numbers"]), training)
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise ArtefactError(
            f"{path} is of another training ({reason}); delete it and run again"
        ) from error


def _restore(tensors: State, numbers: dict[str, Any], training: Training) -> None:
    parts: dict[str, State] = {"network": {}, "best": {}, "snapshot": {}, "hook": {}} | parted(
        tensors
    )
    slots: dict[int, State] = {}
    for name, value in parts.pop("optimizer", {}).items():
        index, slot = name.split("/")
        slots.setdefault(int(index), {})[slot] = value
    training.network.load_state_dict(parts["network"])
    training.optimizer.load_state_dict({"state": slots, "param_groups": numbers["param_groups"]})
    training.scheduler.load_state_dict(numbers["scheduler"])
    device, result = device_of(training.network), training.result
    training.hook.load_state({name: value.to(device) for name, value in parts["hook"].items()})
    result.best, result.snapshot = parts["best"], parts["snapshot"]
    result.history = [EpochReport(**epoch) for epoch in numbers["history"]]
    for name in _NUMBERS:
        setattr(result, name, numbers[name])
