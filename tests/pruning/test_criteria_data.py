"""Criteria that run the network: hand-worked scores, planted units, nothing left behind."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mirtrim.pruning.criteria import (
    UNIT_CRITERIA,
    WEIGHT_CRITERIA,
    Scoring,
    score_units,
    score_weights,
)
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError, TrainingError

UNIT_NAMES, WEIGHT_NAMES = sorted(UNIT_CRITERIA), sorted(WEIGHT_CRITERIA)


def convnet() -> nn.Sequential:
    """Two convolutions with norms, operations in place, dropout, a linear stage."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv1d(1, 6, 5, padding=2),
        nn.BatchNorm1d(6),
        nn.ReLU(inplace=True),
        nn.Dropout(0.5),
        nn.Conv1d(6, 5, 3, padding=1),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        nn.MaxPool1d(4),
        nn.Flatten(),
        nn.Linear(20, 8),
        nn.ReLU(),
        nn.Linear(8, 3),
    )
    for norm in (network[1], network[5]):
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.bias, 0.1, 1)
        nn.init.uniform_(norm.running_mean, -0.1, 0.1)
        nn.init.uniform_(norm.running_var, 0.5, 2)
    nn.init.uniform_(network[9].bias, 0.5, 1.5)  # so that no unit is silent by chance
    return network.eval()


def data(count: int = 48) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randn(count, 1, 16, generator=generator),
        torch.randint(3, (count,), generator=generator),
    )


def scoring(network: nn.Module, inputs: Tensor, targets: Tensor, size: int = 16) -> Scoring:
    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        yield from zip(inputs.split(size), targets.split(size), strict=True)

    loss = functional.cross_entropy if targets.dim() == 1 else functional.mse_loss
    graph = discover(network, inputs[:1])
    return Scoring(network, graph, torch.Generator().manual_seed(0), batches, loss)


# Activation


def two_units(weights: list[float], outgoing: list[float]) -> nn.Sequential:
    """x → (w₀ x, w₁ x) → Σ v_u relu(w_u x), no biases."""
    network = nn.Sequential(
        nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False)
    ).eval()
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor(weights)[:, None])
        network[2].weight.copy_(torch.tensor(outgoing)[None])
    return network


def test_activation_by_hand() -> None:
    # |−1|, |2|, |3| times 2 and 0.5, on average 4 and 1; batches of two and one.
    inputs = torch.tensor([[-1.0], [2.0], [3.0]])
    context = scoring(two_units([2, -0.5], [1, 1]), inputs, torch.zeros(3, 1), size=2)
    assert score_units("activation", context)["0"].tolist() == [4, 1]


def test_a_dead_unit_is_least_active() -> None:
    network = convnet()
    with torch.no_grad():
        network[4].weight[3], network[4].bias[3] = 0, 0
    scores = score_units("activation", scoring(network, *data()))
    assert scores["4"].argmin() == 3
    assert scores["4"][3] == 0


def rescaled(network: nn.Sequential) -> nn.Sequential:
    """The same function: unit 2 of the first convolution ten times as large before its norm."""
    network = copy.deepcopy(network)
    with torch.no_grad():
        network[0].weight[2] *= 10
        network[0].bias[2] *= 10
        network[1].running_mean[2] *= 10
        # The norm adds ε = 10⁻⁵ to the variance.
        network[1].running_var[2] = (network[1].running_var[2] + 1e-5) * 100 - 1e-5
    return network


@pytest.mark.parametrize(
    "name", ["activation_after", "information", "target_information", "gradient"]
)
def test_scale_before_a_norm_changes_nothing(name: str) -> None:
    plain = score_units(name, scoring(convnet(), *data()))["0"]
    other = score_units(name, scoring(rescaled(convnet()), *data()))["0"]
    torch.testing.assert_close(plain, other, rtol=1e-3, atol=1e-5)


def test_the_replicated_activation_follows_scale_before_a_norm() -> None:
    plain = score_units("activation", scoring(convnet(), *data()))["0"]
    other = score_units("activation", scoring(rescaled(convnet()), *data()))["0"]
    torch.testing.assert_close(other / plain, torch.tensor([1.0, 1, 10, 1, 1, 1]).double())


# Gradients


def test_gradient_by_hand() -> None:
    # y = 3 relu(x) + 0.5 relu(2x), target 0, loss y². x = 1: y = 4, dL/dy = 8,
    # a dL/da = 8 · 3 and 8 · 1. x = −1: nothing. Means: 12 and 4, whatever the batches.
    network = two_units([1, 2], [3, 0.5])
    inputs = torch.tensor([[1.0], [-1.0]])
    for size in (1, 2):
        context = scoring(network, inputs, torch.zeros(2, 1), size)
        assert score_units("gradient", context)["0"].tolist() == [12, 4]


def test_weight_gradients_by_hand() -> None:
    # As above: dL/dw = Σ_x dL/dy · v · x over the active examples, mean over the batch of two:
    # 8 · 3 / 2 = 12 and 8 · 0.5 / 2 = 2.
    network = two_units([1, 2], [3, 0.5])
    context = scoring(network, torch.tensor([[1.0], [-1.0]]), torch.zeros(2, 1), 2)
    assert score_weights("gradient_max", context, "0.weight").tolist() == [[12], [2]]
    assert score_weights("gradient", context, "0.weight").tolist() == [[12], [4]]
    assert score_weights("gradient_min", context, "0.weight").flatten().tolist() == pytest.approx(
        [1 / 12, 1 / 2]
    )
    assert score_units("gradient_max", context)["0"].tolist() == [12, 2]
    assert score_units("gradient_min", context)["0"].tolist() == pytest.approx([1 / 12, 1 / 2])


def test_signed_gradients_accumulate_before_sizes_are_taken() -> None:
    # Targets 8 and 0: dL/dy = −8 and 8 for the same input cancel over two batches.
    network = two_units([1, 2], [3, 0.5])
    context = scoring(network, torch.tensor([[1.0], [1.0]]), torch.tensor([[8.0], [0.0]]), 1)
    assert score_units("gradient_max", context)["0"].tolist() == [0, 0]
    assert score_units("gradient_min", context)["0"].tolist() == pytest.approx([1e7, 1e7])
    smallest = score_weights("gradient_min", context, "0.weight")
    assert smallest.tolist() == [[pytest.approx(1e7)], [pytest.approx(1e7)]]
    # … but the change of every example counts, whatever its sign.
    for size in (1, 2):
        context = scoring(network, torch.tensor([[1.0], [1.0]]), torch.tensor([[8.0], [0.0]]), size)
        assert score_units("gradient", context)["0"].tolist() == [24, 8]


@pytest.mark.parametrize(("layer", "unit"), [("0", 4), ("4", 1), ("9", 6)])
def test_a_unit_that_nobody_listens_to_has_no_gradient(layer: str, unit: int) -> None:
    network = convnet()
    with torch.no_grad():
        network[4].weight[:, 4] = 0
        network[9].weight.view(8, 5, 4)[:, 1] = 0
        network[11].weight[:, 6] = 0
    context = scoring(network, *data())
    for name in ("gradient", "gradient_max"):
        scores = score_units(name, context)[layer]
        assert scores[unit] == 0
        assert (scores > 0).sum() == len(scores) - 1
    assert score_units("gradient_min", context)[layer].argmax() == unit


def test_gradient_is_the_slope_of_the_loss_along_a_gate() -> None:
    network = convnet()
    inputs, targets = (part[:1] for part in data())
    scores = score_units("gradient", scoring(network, inputs, targets))["4"]

    def gated_loss(unit: int, gate: float) -> float:
        def hook(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
            gates = torch.ones(5, dtype=torch.float64)
            gates[unit] = gate
            return output * gates[:, None]

        handle = exact[6].register_forward_hook(hook)
        loss = functional.cross_entropy(exact(inputs.double()), targets).item()
        handle.remove()
        return loss

    exact = copy.deepcopy(network).double()
    for unit in range(5):
        slope = (gated_loss(unit, 1 + 1e-6) - gated_loss(unit, 1 - 1e-6)) / 2e-6
        assert scores[unit].item() == pytest.approx(abs(slope), rel=1e-3, abs=1e-6)


def test_frozen_networks_have_gradients_too() -> None:
    network = convnet()
    free = score_units("gradient", scoring(network, *data()))
    network.requires_grad_(False)
    frozen = score_units("gradient", scoring(network, *data()))
    torch.testing.assert_close(frozen, free)
    assert not any(p.requires_grad for p in network.parameters())


# All criteria


@pytest.mark.parametrize("name", UNIT_NAMES)
def test_scores_are_finite_complete_and_repeatable(name: str) -> None:
    network = convnet()
    first, again = (score_units(name, scoring(network, *data())) for _ in range(2))
    widths = {"0": 6, "4": 5, "9": 8, "11": 3}
    assert {layer: len(values) for layer, values in first.items()} == widths
    for layer, values in first.items():
        assert torch.isfinite(values).all()
        assert torch.equal(values, again[layer])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", UNIT_NAMES + [f"weights/{n}" for n in WEIGHT_NAMES])
def test_scoring_leaves_the_network_as_it_was(name: str, training: bool) -> None:
    network = convnet()
    network[0].bias.requires_grad_(False)
    network[9].weight.grad = torch.full_like(network[9].weight, 7)
    context = scoring(network, *data())
    network.train(training)
    network[1].eval()
    state = copy.deepcopy(network.state_dict())
    modes = [module.training for module in network.modules()]
    random_state = torch.get_rng_state()
    if name.startswith("weights/"):
        score_weights(name.removeprefix("weights/"), context, "4.weight")
    else:
        score_units(name, context)
    for key, value in network.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert modes == [module.training for module in network.modules()]
    assert not network[0].bias.requires_grad
    assert network[0].weight.grad is None
    assert (network[9].weight.grad == 7).all()
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("name", ["activation", "information", "target_information", "gradient"])
def test_data_scores_ignore_the_mode_of_the_network(name: str) -> None:
    network = convnet()
    inputs, targets = data()
    in_eval = score_units(name, scoring(network, inputs, targets))
    context = scoring(network, inputs, targets)
    network.train()
    assert torch.equal(score_units(name, context)["9"], in_eval["9"])


@pytest.mark.parametrize("name", ["activation", "gradient", "gradient_max", "information"])
def test_no_batches_is_an_error(name: str) -> None:
    network = convnet()
    context = scoring(network, *data())
    empty = Scoring(network, context.graph, context.generator, lambda: [], context.loss)
    with pytest.raises(ConfigError, match="got none to look at"):
        score_units(name, empty)


@pytest.mark.parametrize("name", ["activation", "gradient", "gradient_min", "information"])
def test_values_that_are_not_finite_are_an_error(name: str) -> None:
    network = convnet()
    context = scoring(network, *data())
    with torch.no_grad():
        network[4].weight[1, 0, 0] = torch.nan
    with pytest.raises(TrainingError, match="not finite"):
        score_units(name, context)
