"""Learning from a larger network: outputs are drawn towards those of a teacher.

A teacher's outputs say more than labels do (Ba & Caruana 2014; Hinton, Vinyals, Dean 2015). The
default distance is the mean square, which suits logits and regressions alike.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mirtrim.units.copying import copied
from mirtrim.units.nesting import tensors_in
from mirtrim.utils.errors import ConfigError

Distance = Callable[[Tensor, Tensor], Tensor]


def frozen(teacher: nn.Module) -> nn.Module:
    """A copy of a network that says what it knows and learns nothing more."""
    return copied(teacher).eval().requires_grad_(False)


def distillation(
    teacher: nn.Module | None,
    distance: Distance,
    outputs: Any,
    *inputs: Any,
    **named: Any,
) -> Tensor:
    """How far `outputs` are from the teacher's outputs for the same inputs, a scalar.

    Args:
        teacher: see `frozen`; None gives 0, so that a loop may always add the term.
        distance: of one tensor of outputs from the teacher's.
        outputs: what the student gave for `inputs` and `named`: a tensor or a container of them.

    Raises:
        ConfigError: teacher and student give outputs of different shapes.
    """
    found = [t for t in tensors_in(outputs) if t.is_floating_point()]
    if teacher is None or not found:
        return torch.zeros((), device=found[0].device if found else None)
    with torch.no_grad():
        wanted = [t for t in tensors_in(teacher(*inputs, **named)) if t.is_floating_point()]
    shapes = [tuple(t.shape) for t in found], [tuple(t.shape) for t in wanted]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            f"teacher: its outputs have shapes {shapes[1]}, those of the network {shapes[0]}"
        )
    terms = [distance(one, other) for one, other in zip(found, wanted, strict=True)]
    return torch.stack(terms).sum()
