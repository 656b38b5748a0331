"""Gradient-flow criteria: literal numbers, and a check by finite differences."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring, score_units, score_weights
from mirtrim.pruning.criteria.flow import gradient_changes
from mirtrim.units.finding import discover


def half_square(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.square().sum() / 2


def scoring(network: nn.Module, batches: Sequence[Tensor]) -> Scoring:
    return Scoring(
        network,
        discover(network, batches[0][:1]),
        torch.Generator(),
        batches=lambda: [(inputs, inputs) for inputs in batches],
        loss=half_square,
    )


def line() -> nn.Sequential:
    """y = 3·x0 + 1·x1."""
    network = nn.Sequential(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[3.0, 1.0]]))
    return network


def two_units() -> nn.Sequential:
    """Weights a = (1, 2) into two units and b = (1, 1) out of them, all linear."""
    network = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0], [2.0]]))
        network[1].weight.fill_(1.0)
    return network


def test_loss_preservation_of_weights_is_weighted_by_magnitude() -> None:
    """y = 5, g = (5, 10): |w|·|w·g| = (3·15, 1·10)."""
    context = scoring(line(), [torch.tensor([[1.0, 2.0]])])
    assert score_weights("loss_preservation", context, "0.weight").tolist() == [[45.0, 10.0]]
    assert score_weights("gradient", context, "0.weight").tolist() == [[15.0, 10.0]]


def test_gradient_norm_of_weights() -> None:
    """H = x xᵀ, H g = x·(x·g) = (25, 50): |w · H g| = (75, 50)."""
    context = scoring(line(), [torch.tensor([[1.0, 2.0]])])
    assert score_weights("gradient_norm", context, "0.weight").tolist() == [[75.0, 50.0]]


def test_gradient_and_hessian_are_those_of_the_mean_over_batches() -> None:
    """x = (1, 0), (0, 2): g = ((3, 0) + (0, 4)) / 2, H = diag(1, 4) / 2, H g = (0.75, 4)."""
    context = scoring(line(), [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])])
    assert gradient_changes(context)["0.weight"].tolist() == [[0.75, 4.0]]
    assert score_weights("gradient_norm", context, "0.weight").tolist() == [[2.25, 4.0]]


def test_units() -> None:
    """y = 3, g_a = (3, 3), g_b = (3, 6); along g, y rises by 6 + 15 = 21.

    (H g)_a = 21·b + 3·g_b = (30, 39): |a · H g| = (30, 78); |a|·|a·g_a| = (3, 12).
    """
    context = scoring(two_units(), [torch.tensor([[1.0]])])
    assert score_units("gradient_norm", context)["0"].tolist() == [30.0, 78.0]
    assert score_units("loss_preservation", context)["0"].tolist() == [3.0, 12.0]


def test_a_loss_without_curvature_scores_zero() -> None:
    network = line()
    inputs = torch.tensor([[1.0, 2.0]])
    context = Scoring(
        network,
        discover(network, inputs),
        torch.Generator(),
        batches=lambda: [(inputs, inputs)],
        loss=lambda outputs, targets: outputs.sum(),
    )
    assert score_weights("gradient_norm", context, "0.weight").tolist() == [[0.0, 0.0]]


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase]) -> None:
        super().__init__()
        self.rnn = kind(3, 4, batch_first=True, bidirectional=True)
        self.out = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.rnn(x)[0])


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, "conv"])
def test_hessian_product_agrees_with_a_finite_difference(kind: type[nn.RNNBase] | str) -> None:
    torch.manual_seed(0)
    if isinstance(kind, str):
        network: nn.Module = nn.Sequential(
            nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.Tanh(), nn.MaxPool1d(2), nn.Flatten(),
            nn.Linear(8, 2),
        ).double().eval()  # fmt: skip
        batches = [torch.randn(5, 3, 6, dtype=torch.float64) for _ in range(2)]
    else:
        network = Recurrent(kind).double().eval()
        batches = [torch.randn(5, 6, 3, dtype=torch.float64) for _ in range(2)]
    context = scoring(network, batches)
    changes = gradient_changes(context)
    slopes = {n: g / 2 for n, g in context.gradients.sums.items()}

    def moved_gradient(distance: float) -> dict[str, Tensor]:
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.add_(slopes[name], alpha=distance)
        found = {n: g / 2 for n, g in scoring(network, batches).gradients.sums.items()}
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.sub_(slopes[name], alpha=distance)
        return found

    ahead, behind = moved_gradient(1e-5), moved_gradient(-1e-5)
    for name, change in changes.items():
        expected = (ahead[name] - behind[name]) / 2e-5
        assert torch.allclose(change, expected, rtol=1e-5, atol=1e-6), name
