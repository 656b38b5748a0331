"""What the weights become after a cut: `rewind`, `reinit` or `finetune`."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from mirtrim.pruning.settings import assert_known
from mirtrim.utils.errors import ConfigError


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
    assert_known("reset", how)
    if how == "rewind":
        network.load_state_dict(dict(rewind_state))
    elif how == "reinit":
        initialise(network, generator)


def drawn_anew(network: nn.Module, generator: torch.Generator) -> None:
    """Let every module of anybody's network draw new weights, as it did when it was made.

    Raises:
        ConfigError: a module has weights but no `reset_parameters`, or draws others than those.
    """
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    seed = int(torch.randint(2**62, (), generator=generator))
    devices = {p.device.index or 0 for p in network.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(devices)):
        torch.manual_seed(seed)
        # Inner modules first: an outer one may draw for those that it is made of.
        for module in reversed(list(network.modules())):
            for name in ("reset_parameters", "_reset_parameters"):
                if callable(draw := getattr(module, name, None)):
                    draw()
                    break
    for name, p in network.named_parameters():
        if p.requires_grad and p.dim() >= 2 and torch.equal(p.detach(), before[name]):
            raise ConfigError(
                f"reset reinit: {name} is not drawn by its module; give initialise=, a function of "
                "(network, generator) that draws all weights in place"
            )
