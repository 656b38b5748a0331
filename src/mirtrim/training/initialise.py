"""Initial weights, drawn from one explicit generator.

Three schemes: `sound` is ours; `xavier` and `classic` are those of the replicated code, which
draw biases from N(0, 1) and leave one-dimensional convolutions as PyTorch makes them.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mirtrim.utils.errors import ConfigError

CONVOLUTIONS_1D = (nn.Conv1d, nn.ConvTranspose1d)
CONVOLUTIONS_ND = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
RECURRENT = (nn.RNNBase, nn.RNNCellBase)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
OTHER_NORMS = (nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm1d, nn.InstanceNorm2d)

Draw = Callable[[Tensor, torch.Generator], object]


def initialise(model: nn.Module, generator: torch.Generator, scheme: str = "sound") -> None:
    """Draw every parameter of `model` in place, and clear its batch-norm statistics.

    Args:
        generator: CPU generator; the same one gives the same weights on any device.
        scheme:
            "sound": Glorot-normal matrices, recurrent ones orthogonal gate by gate, zero
                biases, norms of gain 1;
            "xavier": Glorot-normal linear and 2-D convolution weights and all recurrent
                matrices, biases of linear and 2-D convolution layers from N(0, 1), batch-norm
                gains from N(1, 0.02), the rest as PyTorch makes it;
            "classic": the same without the batch-norm gains, recurrent matrices orthogonal.

    Raises:
        ConfigError: the scheme is unknown, or a layer with parameters is of an unknown type.
    """
    if scheme not in SCHEMES:
        raise ConfigError(f"unknown initialisation {scheme!r}; known: {', '.join(SCHEMES)}")
    with torch.no_grad():
        for name, module in model.named_modules():
            for key, parameter in module.named_parameters(recurse=False):
                draw = SCHEMES[scheme](module, key)
                if draw is None:
                    raise ConfigError(
                        f"layer {name or '(root)'} ({type(module).__name__}) cannot be"
                        " initialised; add its type to mirtrim.training.initialise"
                    )
                value = torch.empty(parameter.shape, dtype=parameter.dtype)
                draw(value, generator)
                parameter.copy_(value)
            if isinstance(module, BATCH_NORMS):
                module.reset_running_stats()


def _sound(module: nn.Module, key: str) -> Draw | None:
    if isinstance(module, RECURRENT):
        if key.startswith("bias"):
            return _constant(0)
        if key.startswith("weight_hr"):  # the projection of an LSTM has no gates
            return _glorot
        draw = _orthogonal if key.startswith("weight_hh") else _glorot
        return _per_gate(module.hidden_size, draw)
    if isinstance(module, (nn.Linear, *CONVOLUTIONS_1D, *CONVOLUTIONS_ND)):
        return _constant(0) if key == "bias" else _glorot
    return _norm(module, key)


def _xavier(module: nn.Module, key: str) -> Draw | None:
    if isinstance(module, BATCH_NORMS) and key == "weight":
        return lambda value, generator: value.normal_(1, 0.02, generator=generator)
    return _published(module, key, _glorot)


def _classic(module: nn.Module, key: str) -> Draw | None:
    return _published(module, key, _orthogonal)


def _published(module: nn.Module, key: str, recurrent: Draw) -> Draw | None:
    """What both published schemes share."""
    if isinstance(module, RECURRENT):
        return _default(module.hidden_size) if key.startswith("bias") else recurrent
    if isinstance(module, CONVOLUTIONS_1D):
        # PyTorch counts the fan-in along the second axis of the weight, transposed or not.
        return _default(module.get_parameter("weight")[0].numel())
    if isinstance(module, (nn.Linear, *CONVOLUTIONS_ND)):
        return _standard_normal if key == "bias" else _glorot
    return _norm(module, key)


def _norm(module: nn.Module, key: str) -> Draw | None:
    if isinstance(module, (*BATCH_NORMS, *OTHER_NORMS)):
        return _constant(1 if key == "weight" else 0)
    return None


def _glorot(value: Tensor, generator: torch.Generator) -> object:
    return nn.init.xavier_normal_(value, generator=generator)


def _orthogonal(value: Tensor, generator: torch.Generator) -> object:
    return nn.init.orthogonal_(value, generator=generator)


def _standard_normal(value: Tensor, generator: torch.Generator) -> object:
    return value.normal_(generator=generator)


def _constant(constant: float) -> Draw:
    return lambda value, generator: value.fill_(constant)


def _default(fan_in: int) -> Draw:
    """U(−1/√fan_in, 1/√fan_in), PyTorch's own choice for weights and biases."""
    bound = 1 / math.sqrt(fan_in)
    return lambda value, generator: value.uniform_(-bound, bound, generator=generator)


def _per_gate(hidden_size: int, draw: Draw) -> Draw:
    """Apply `draw` to each gate's block of rows, so that stacking does not inflate the fan."""

    def draw_blocks(value: Tensor, generator: torch.Generator) -> None:
        for block in value.split(hidden_size):
            draw(block, generator)

    return draw_blocks


SCHEMES: dict[str, Callable[[nn.Module, str], Draw | None]] = {
    "sound": _sound,
    "xavier": _xavier,
    "classic": _classic,
}
