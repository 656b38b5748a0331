"""Which inputs a replacement was computed for."""

from typing import Any

import pytest
import torch
from torch import Tensor


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
