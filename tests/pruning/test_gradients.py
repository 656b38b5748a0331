"""Gradients over batches and Hessian products: tied, unused and frozen weights, by hand."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring
from mirtrim.pruning.criteria.flow import gradient_changes
from mirtrim.pruning.criteria.gradients import accumulated_gradients
from mirtrim.utils.errors import ConfigError, TrainingError


class Twice(nn.Module):
    """y = w · (w · x), with one layer under two names; three weights that the loss never sees."""

    def __init__(self, weight: float = 3.0) -> None:
        super().__init__()
        self.first = nn.Linear(1, 1, bias=False)
        self.second = self.first
        self.spare = nn.Linear(2, 1)
        self.counts = nn.Parameter(torch.ones(2, dtype=torch.int64), requires_grad=False)
        nn.init.constant_(self.first.weight, weight)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return y


def half_square(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.square().mean() / 2


def batches() -> list[tuple[Tensor, Tensor]]:
    return [(torch.ones(1, 1), torch.zeros(1)), (torch.ones(2, 1), torch.zeros(2))]


def changes(network: nn.Module, loss: Any = half_square) -> Mapping[str, Tensor]:
    graph: Any = None  # which these do not look at
    return gradient_changes(Scoring(network, graph, torch.Generator(), batches, loss))


NAMES = {"first.weight", "second.weight", "spare.weight", "spare.bias"}


def test_gradients_are_summed_over_batches_under_every_name() -> None:
    """L = w⁴ / 2, ∂L/∂w = 2 w³ = 54 in both batches."""
    found = accumulated_gradients(Twice(), batches, half_square)
    assert found.batches == 2
    assert set(found.sums) == NAMES
    assert found.sums["first.weight"].item() == found.sums["second.weight"].item() == 108
    assert not found.sums["spare.weight"].any()
    assert not found.sums["spare.bias"].any()


def test_changes_of_the_gradient_under_every_name() -> None:
    """H = 6 w² = 54, H g = 54 · 54."""
    found = changes(Twice())
    assert set(found) == NAMES
    assert found["first.weight"].item() == found["second.weight"].item() == 54 * 54
    assert not found["spare.weight"].any()
    assert not found["spare.bias"].any()


@pytest.mark.parametrize("of", ["gradient", "change"])
def test_frozen_weights_count_and_stay_frozen_even_after_an_error(of: str) -> None:
    def failing(outputs: Tensor, targets: Tensor) -> Tensor:
        raise ZeroDivisionError

    def look(loss: Any) -> None:
        if of == "gradient":
            found = accumulated_gradients(network, batches, loss).sums
            assert found["first.weight"].item() == 108
        else:
            assert changes(network, loss)["first.weight"].item() == 54 * 54

    network = Twice().train()
    network.first.weight.requires_grad_(False)
    look(half_square)
    with pytest.raises(ZeroDivisionError):
        look(failing)
    assert not network.first.weight.requires_grad
    assert network.spare.weight.requires_grad
    assert not network.counts.requires_grad
    assert network.training
    assert all(p.grad is None for p in network.parameters())


def test_what_is_not_finite_is_named() -> None:
    with pytest.raises(TrainingError, match=r"the gradient of first\.weight is not finite"):
        accumulated_gradients(Twice(float("inf")), batches, half_square)

    # At 0 the slope of |x|^1.5 is 0, and the slope of the slope is infinite.
    def edge(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - 9).abs().pow(1.5).sum()

    assert accumulated_gradients(Twice(), batches, edge).sums["first.weight"].item() == 0
    with pytest.raises(TrainingError, match=r"the Hessian of first\.weight is not finite"):
        changes(Twice(), edge)


def test_no_batch_is_named() -> None:
    with pytest.raises(ConfigError, match="got none to look at"):
        accumulated_gradients(Twice(), list, half_square)
