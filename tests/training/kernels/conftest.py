"""The context that replaces, and which inputs a replacement was computed for."""

from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.training.kernels import faster_kernels


def inputs_of(
    function: type[torch.autograd.Function], monkeypatch: pytest.MonkeyPatch
) -> list[Tensor]:
    """A list that gets the first argument of every call of `function.apply`."""
    seen: list[Tensor] = []
    apply = function.apply

    def spy(*arguments: Any) -> Any:
        seen.append(arguments[0])
        return apply(*arguments)

    monkeypatch.setattr(function, "apply", spy)
    return seen


def replacing() -> AbstractContextManager[Any]:
    """The context, opened for a network with a convolution for which it pays."""
    return faster_kernels(nn.Conv1d(1, 1, 20), packed_dropout=True)
