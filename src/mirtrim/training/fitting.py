"""Fitting one network: optimiser, learning-rate schedule, early stopping, resuming."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mirtrim.training.devices import device_of
from mirtrim.training.divergence import assert_kept_company, validation_loss_of
from mirtrim.training.forwarding import Forward, forward_of
from mirtrim.training.guard import ways_in_bfloat16
from mirtrim.training.hooks import Hook
from mirtrim.training.optimizers import optimizer_of
from mirtrim.training.records import (
    EpochReport,
    FitResult,
    FitSettings,
    Training,
    TrainingData,
    state_of,
)
from mirtrim.training.resume import read_resume, write_resume
from mirtrim.utils.errors import TrainingError
from mirtrim.utils.seeds import derive


def fit(
    network: nn.Module,
    data: TrainingData,
    settings: FitSettings,
    seed: int,
    *,
    hook: Hook | None = None,
    snapshot_epoch: int | None = None,
    resume_path: Path | None = None,
    report: Callable[[EpochReport], None] = lambda _: None,
) -> FitResult:
    """Train `network` in place, where it is, and leave it in its best-validation state.

    Layers that this processor computes wrongly in bfloat16 are computed differently, and a
    `PrecisionWarning` names them (`training.guard`).

    Args:
        data: its batches are moved to the device of the network.
        seed: decides dropout; batches are decided by `data`.
        snapshot_epoch: keep the state after this many epochs (0: before the first step).
        resume_path: state is written there after every epoch, and training goes on from
            there if the file exists. The result is the same, bit for bit, as without a stop.
        report: called after every epoch.

    Raises:
        TrainingError: the loss is not finite, or the validation loss has left the training loss.
    """
    hook = hook or Hook()
    optimizer = optimizer_of(network, settings)
    scheduler = _scheduler(optimizer, settings, data.steps_per_epoch)
    result = FitResult(best=state_of(network))
    training = Training(network, optimizer, scheduler, hook, result)
    if resume_path is not None and resume_path.exists():
        read_resume(resume_path, training)
    if snapshot_epoch == 0 and not result.snapshot:
        result.snapshot = state_of(network)
    forward = _training_forward(network, data, settings)

    while result.epochs < settings.epochs and not _stalled(result, settings):
        started = time.perf_counter()
        epoch = result.epochs + 1
        # Dropout draws from torch's global generator; fork it so that nothing else is moved,
        # and seed it by epoch so that a resumed training draws the same numbers.
        with torch.random.fork_rng(devices=_generators(network)):
            torch.manual_seed(derive(seed, "dropout", epoch))
            train_loss = _train_epoch(training, forward, data, settings)
        eligible = epoch == settings.epochs or hook.eligible(epoch * data.steps_per_epoch)
        with hook.evaluating():
            validation_loss = validation_loss_of(network, data)
            if not math.isfinite(validation_loss):
                raise TrainingError(
                    "the validation loss is not finite; lower training.learning_rate"
                )
            if eligible and validation_loss < result.best_loss:
                result.best, result.best_epoch = state_of(network), epoch
                result.best_loss = validation_loss
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(validation_loss)
        result.epochs = epoch
        if snapshot_epoch == epoch:
            result.snapshot = state_of(network)
        seconds = time.perf_counter() - started
        result.seconds += seconds
        rate = optimizer.param_groups[0]["lr"]
        result.history.append(
            EpochReport(epoch, settings.epochs, train_loss, validation_loss, rate, seconds)
        )
        if resume_path is not None:
            write_resume(resume_path, training)
        report(result.history[-1])

    assert_kept_company(network, data, result.history)
    if snapshot_epoch is not None and not result.snapshot:
        # Early stopping before the rewind epoch: the last state is the latest there is.
        result.snapshot = state_of(network)
    network.load_state_dict(result.best)
    network.eval()
    return result


def _generators(network: nn.Module) -> list[int]:
    """GPUs whose generator dropout draws from."""
    device = device_of(network)
    return [device.index or 0] if device.type == "cuda" else []


def _scheduler(optimizer: torch.optim.Optimizer, settings: FitSettings, steps: int) -> Any:
    if settings.schedule == "plateau":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, factor=0.5, threshold=1e-6, patience=settings.plateau_patience
        )
    if settings.schedule == "one_cycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.learning_rate, total_steps=settings.epochs * steps
        )
    raise ValueError(f"unknown schedule {settings.schedule!r}")


def _stalled(result: FitResult, settings: FitSettings) -> bool:
    """Whether validation has stopped improving; never before a first eligible epoch."""
    waited = result.epochs - result.best_epoch
    chosen = result.best_epoch > 0
    return chosen and settings.schedule == "plateau" and waited > settings.stop_patience


def _training_forward(network: nn.Module, data: TrainingData, settings: FitSettings) -> Forward:
    """How training calls the network: in its precision, every layer right."""
    if settings.precision == "float32" or settings.epochs < 1:
        return forward_of(network, settings.precision, dropout_kernel=settings.dropout_kernel)
    inputs, _ = next(iter(data.batches(1)))
    ways = ways_in_bfloat16(network, inputs.to(device_of(network)))
    return forward_of(network, settings.precision, ways)


def _train_epoch(
    training: Training, forward: Forward, data: TrainingData, settings: FitSettings
) -> float:
    network, optimizer, result = training.network, training.optimizer, training.result
    network.train()
    device = device_of(network)
    total, steps = torch.zeros((), device=device), 0
    done = result.epochs * data.steps_per_epoch
    for batch in data.batches(result.epochs + 1):
        inputs, targets = (part.to(device, non_blocking=True) for part in batch)

        def closure(inputs: Tensor = inputs, targets: Tensor = targets) -> Tensor:
            optimizer.zero_grad(set_to_none=True)
            loss = data.loss(forward(inputs), targets)
            loss.backward()
            result.examples += len(inputs)
            return loss.detach()

        total += training.hook.gradients(done + steps, closure)
        optimizer.step()
        if settings.schedule == "one_cycle":
            training.scheduler.step()
        training.hook.after_step(done + steps)
        steps += 1
    mean = float(total) / max(steps, 1)
    if not math.isfinite(mean):
        raise TrainingError(
            f"the training loss became {mean} in epoch {result.epochs + 1}; "
            "lower training.learning_rate"
        )
    return mean
