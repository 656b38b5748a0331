"""What the settings of one task, or of one variant of it, say of each other."""

from collections.abc import Mapping
from typing import Any

from mirtrim.training.records import FitSettings
from mirtrim.utils.errors import ConfigError

MOMENTUM = FitSettings.momentum  # its default


def check_task(block: dict[str, Any], ratios: list[float], where: str) -> None:
    """Check a task whose defaults are filled in; adds `ratios` if it has none of its own.

    Args:
        where: the key of the block with what stands between it and a key of its own.

    Raises:
        ConfigError: names the key and says what to do.
    """
    if block["ratios"] is None:
        block["ratios"] = ratios
    check_rising(block["ratios"], f"{where}ratios")
    _check_steps(block["training"], f"{where}training.batch_size")
    _check_momentum(block["training"], f"{where}training.momentum")
    epoch, epochs = block["rewind_epoch"], block["training"]["epochs"]
    if epoch > epochs:  # "rewound" weights would be the final ones
        raise ConfigError(
            f"config key {where}rewind_epoch: {epoch} is beyond its {epochs} epochs; lower it"
        )


def _check_steps(training: Mapping[str, Any], key: str) -> None:
    """An epoch has a step at least: no batch is filled up, so a network would stay untrained."""
    batch = training["batch_size"]
    examples = training.get("examples_per_epoch", batch)
    if batch > examples:
        raise ConfigError(
            f"config key {key}: {batch} is above examples_per_epoch, {examples}; lower it, or an "
            "epoch has no step"
        )


def _check_momentum(training: Mapping[str, Any], key: str) -> None:
    """torch's one-cycle schedule changes the momentum with the rate and ignores its setting."""
    is_cycled = training.get("schedule") == "one_cycle"
    if is_cycled and training.get("momentum", MOMENTUM) != MOMENTUM:
        raise ConfigError(
            f"config key {key}: one_cycle moves the momentum between 0.95 and 0.85; leave it out, "
            "or use schedule plateau"
        )


def check_rising(ratios: list[float], key: str) -> None:
    """Ratios rise without repeats."""
    if ratios != sorted(set(ratios)):
        raise ConfigError(
            f"config key {key}: must rise without repeats; each round starts from the last"
        )
