"""Optimal brain damage and surgeon: literal numbers, blocks, and what a cut leaves behind."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.criteria import Scoring, score_weights
from mirtrim.pruning.criteria import second_order as second_order_module
from mirtrim.pruning.criteria.second_order import hessian_blocks
from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.optimal_surgeon import compensated
from mirtrim.training import state_of
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError, TrainingError

INPUTS = torch.tensor([[1.0, 0.0], [1.0, 2.0]])


def line(*weights: float) -> nn.Sequential:
    network = nn.Sequential(nn.Linear(len(weights), 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([weights]))
    return network


def half_square(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.square().sum(dim=1).mean() / 2


def scoring(network: nn.Module, inputs: Tensor = INPUTS, batch: int = 1) -> Scoring:
    return Scoring(
        network,
        discover(network, inputs[:1]),
        torch.Generator(),
        lambda: ((part, part) for part in inputs.split(batch)),
        half_square,
    )


@pytest.mark.parametrize("batch", [1, 2])
def test_damage_is_half_the_curvature_times_the_square(batch: int) -> None:
    """w = (1.5, 1). x = (1, 0): y = 1.5, g = (1.5, 0); x = (1, 2): y = 3.5, g = (3.5, 7).

    h = ½ (2.25 + 12.25, 49) = (7.25, 24.5), scores ½ · 7.25 · 2.25 and ½ · 24.5 · 1.
    """
    context = scoring(line(1.5, 1.0), batch=batch)
    scores = score_weights("optimal_damage", context, "0.weight")
    torch.testing.assert_close(scores, torch.tensor([[8.15625, 12.25]]).double())


@pytest.mark.parametrize("batch", [1, 2])
def test_the_surgeon_asks_how_much_is_lost_once_the_others_have_moved(batch: int) -> None:
    """H = ((7.25, 12.25), (12.25, 24.5)), |H| = 27.5625, H⁻¹_ii = (24.5, 7.25) / 27.5625."""
    context = scoring(line(1.5, 1.0), batch=batch)
    blocks = hessian_blocks(context, "0.weight", 2)
    torch.testing.assert_close(blocks[0], torch.tensor([[7.25, 12.25], [12.25, 24.5]]).double())
    scores = score_weights("optimal_surgeon", context, "0.weight")
    expected = [[2.25 * 27.5625 / (2 * 24.5), 27.5625 / (2 * 7.25)]]
    torch.testing.assert_close(scores, torch.tensor(expected).double(), rtol=1e-5, atol=0)


def test_the_order_of_the_two_can_differ() -> None:
    """Two inputs that are nearly the same can make up for each other, whatever their curvature.

    x₁ ≈ x₂ and x₃ apart, weights (1, 1, 0.8): damage takes the third first, the surgeon another.
    """
    generator = torch.Generator().manual_seed(0)
    common, own = torch.randn(200, 2, generator=generator).unbind(1)
    noise = 0.05 * torch.randn(200, generator=generator)
    inputs = torch.stack([common, common + noise, own], dim=1)
    context = scoring(line(1.0, 1.0, 0.8), inputs, 50)
    damage = score_weights("optimal_damage", context, "0.weight")[0]
    surgeon = score_weights("optimal_surgeon", context, "0.weight")[0]
    assert damage.argmin() == 2
    assert surgeon.argmax() == 2


def test_blocks_are_the_diagonal_of_the_whole() -> None:
    """Three weights in blocks of two: the last block has one weight and a place without."""
    inputs = torch.tensor([[1.0, 2.0, 3.0]])
    context = scoring(line(1.0, 1.0, 1.0), inputs)  # y = 6, g = (6, 12, 18)
    found = hessian_blocks(context, "0.weight", 2)
    expected = torch.tensor([[[36.0, 72], [72, 144]], [[324, 0], [0, 0]]])
    torch.testing.assert_close(found, expected.double() + 1e-7 * torch.eye(2).double())


def test_the_others_move_to_where_the_loss_is_lowest() -> None:
    """Without w₀ = 1.5, w₁ moves by H₁₀ / H₁₁ · w₀ = 12.25 / 24.5 · 1.5 = 0.75."""
    blocks = torch.tensor([[[7.25, 12.25], [12.25, 24.5]]]).double()
    weights, first = torch.tensor([[1.5, 1.0]]), torch.tensor([[False, True]])
    assert compensated(weights, first, blocks).tolist() == [[0.0, 1.75]]
    # Without w₁ = 1, w₀ moves by 12.25 / 7.25.
    torch.testing.assert_close(
        compensated(weights, ~first, blocks), torch.tensor([[1.5 + 12.25 / 7.25, 0.0]])
    )
    assert torch.equal(compensated(weights, first | ~first, blocks), weights)
    assert torch.equal(compensated(weights, first & ~first, blocks), torch.zeros(1, 2))


def test_moving_is_the_published_update() -> None:
    """δw = −H⁻¹ E_Q (E_Qᵀ H⁻¹ E_Q)⁻¹ w_Q on a random block, and other blocks do not matter."""
    generator = torch.Generator().manual_seed(1)
    half = torch.randn(2, 5, 5, generator=generator, dtype=torch.float64)
    blocks = half @ half.mT + 0.1 * torch.eye(5, dtype=torch.float64)
    weights = torch.randn(2, 4, generator=generator, dtype=torch.float64)  # 8 of 10 places
    mask = torch.tensor([[True, False, True, False], [True, True, True, False]])
    found = compensated(weights, mask, blocks).flatten()
    inverse = torch.linalg.inv(blocks[0])
    gone = [1, 3]
    pull = torch.linalg.solve(inverse[gone][:, gone], weights.flatten()[gone])
    expected = weights.flatten()[:5] - inverse[:, gone] @ pull
    torch.testing.assert_close(found[:5], expected)
    assert not found[~mask.flatten()].any()


def current(network: nn.Module, inputs: Tensor, ratio: float) -> Round:
    scoring: dict[str, Any] = {
        "generator": torch.Generator(),
        "batches": lambda: iter([(inputs, inputs)]),
        "loss": half_square,
    }
    dense = {"parameters": sum(p.numel() for p in network.parameters()), "macs": 1}
    return Round(ratio, dense, inputs[:1], scoring)


def test_the_method_cuts_the_weight_that_the_criterion_takes_and_moves_the_other() -> None:
    """Scores 1.27 and 1.90 (above): w₀ goes and w₁ becomes 1.75."""
    network = line(1.5, 1.0)
    settings = settings_of({"method": "optimal_surgeon"})
    made = get_method("optimal_surgeon").prepare(
        Ticket(network, {}), settings, current(network, INPUTS, 2)
    )
    assert made.masks["0.weight"].tolist() == [[False, True]]
    assert network[0].weight[0, 0].item() == 0
    assert network[0].weight[0, 1].item() == pytest.approx(1.75, rel=1e-6)
    get_method("optimal_surgeon").check(made)
    assert get_method("optimal_surgeon").start == "dense"
    assert settings.name == "optimal_surgeon_local"


@pytest.mark.parametrize("name", ["optimal_damage", "optimal_surgeon"])
def test_looking_leaves_the_network_alone_and_stops_after_enough(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5), nn.Linear(2, 1)).train()
    network[2].weight.requires_grad_(False)
    before, asked = state_of(network), []
    inputs = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))

    def batches() -> Any:
        for part in inputs.split(10):
            asked.append(len(part))
            yield part, part

    monkeypatch.setattr(second_order_module, "EXAMPLES", 15)
    graph = discover(network.eval(), inputs[:1])
    context = Scoring(network.train(), graph, torch.Generator(), batches, half_square)
    scores = score_weights(name, context, "2.weight")
    assert (scores >= 0).all()
    assert asked == [10, 10]
    assert all(torch.equal(value, before[n]) for n, value in network.state_dict().items())
    assert network.training
    assert not network[2].weight.requires_grad
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("name", ["optimal_damage", "optimal_surgeon"])
def test_what_is_missing_or_not_finite_is_named(name: str) -> None:
    network = line(1.0, float("nan"))
    with pytest.raises(TrainingError, match=r"the gradient of 0\.weight is not finite; lower"):
        score_weights(name, scoring(network), "0.weight")
    with pytest.raises(ConfigError, match="got none to look at"):
        score_weights(name, replace(scoring(line(1.0, 1.0)), batches=list), "0.weight")
