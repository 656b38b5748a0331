"""What the weights become after a cut: `rewind`, `reinit` or `finetune`."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from mirtrim.utils.errors import ConfigError

RESETS = ("rewind", "reinit", "finetune")


def reset_weights(
    network: nn.Module,
    how: str,
    rewind_state: Mapping[str, Tensor],
    generator: torch.Generator,
    initialise: Callable[[nn.Module, torch.Generator], None],
) -> None:
    """Set the weights of a freshly cut `network` in place.

    Args:
        how: "rewind" loads `rewind_state`, batch-norm statistics included; "reinit" draws new
            weights for the same shape; "finetune" keeps the trained weights.
        rewind_state: state at the rewind step, already cut to the network's shape.
        generator: source of randomness for "reinit".
        initialise: draws new weights for a network from a generator.
    """
    if how == "rewind":
        network.load_state_dict(dict(rewind_state))
    elif how == "reinit":
        initialise(network, generator)
    elif how != "finetune":
        raise ConfigError(f"unknown reset {how!r}; known: {', '.join(RESETS)}")
