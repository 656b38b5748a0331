"""Feedback on units: the straight-through gate, a unit that comes back, the ablation."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.feedback_units import UnitFeedbackHook
from mirtrim.pruning.pipeline import rank_units, select_units
from mirtrim.pruning.schedule import Ramp
from mirtrim.pruning.settings import PruningSettings
from mirtrim.units.finding import discover
from mirtrim.units.gating import gated, gates

X = torch.tensor([[1.0]])


def two_units() -> nn.Sequential:
    """y = 0·(1·x) + 1·(0.9·x): the weaker unit is the one that counts."""
    network = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0], [0.9]]))
        network[1].weight.copy_(torch.tensor([[0.0, 1.0]]))
    return network


def current() -> Round:
    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        yield X, X

    scoring: dict[str, Any] = {
        "batches": batches, "loss": None, "generator": torch.Generator().manual_seed(0),
    }  # fmt: skip
    return Round(2, {"parameters": 4, "macs": 4}, X, scoring, steps=16)


def hook_for(network: nn.Module, straight_through: bool) -> UnitFeedbackHook:
    """One of the two units is closed from step 0; the choice is made again every second step."""
    graph = discover(network, X)
    settings = PruningSettings("feedback_units", minimum_units=1)

    def keep_for(sparsity: float) -> np.ndarray:
        context = current().context(network, graph)
        return select_units(context, rank_units(context, settings), settings, 2)

    return UnitFeedbackHook(
        network,
        graph,
        Ramp(0.5, 0, 10, period=2),
        keep_for,
        straight_through,
        torch.Generator(),
    )


def step_towards_five(network: nn.Module, hook: UnitFeedbackHook, step: int) -> None:
    """One step of SGD at rate 0.1 on ½(y − 5)²; the consumers are held."""

    def closure() -> Tensor:
        network.zero_grad()
        loss = (network(X) - 5).square().sum() / 2
        loss.backward()
        return loss.detach()

    hook.gradients(step, closure)
    with torch.no_grad():
        first = network[0].weight  # type: ignore[index]
        first -= 0.1 * first.grad


def test_a_closed_unit_learns_and_comes_back() -> None:
    """Closed output 0, error −5: the weaker unit grows by 0.1·5·1 per step, 0.9 → 1.4 → 1.9."""
    network = two_units()
    hook = hook_for(network, straight_through=True)
    step_towards_five(network, hook, 0)
    assert hook.keep.tolist() == [True, True, False]
    assert torch.allclose(network[0].weight, torch.tensor([[1.0], [1.4]]))
    step_towards_five(network, hook, 1)
    assert torch.allclose(network[0].weight, torch.tensor([[1.0], [1.9]]))
    step_towards_five(network, hook, 2)
    assert hook.keep.tolist() == [True, False, True]
    assert hook.diagnostics()["share_came_back"] == 0.5
    assert hook.diagnostics()["flips_per_refresh"] == (1 + 2) / 2


def test_without_feedback_it_stays_closed() -> None:
    network = two_units()
    hook = hook_for(network, straight_through=False)
    for step in range(10):
        step_towards_five(network, hook, step)
        assert hook.keep.tolist() == [True, True, False]
    assert network[0].weight[1].item() == pytest.approx(0.9)


@pytest.mark.parametrize("recurrent", [nn.GRU, nn.LSTM, nn.RNN])
def test_straight_through_is_closed_forward_and_open_backward(recurrent: type[nn.RNNBase]) -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv1d(2, 4, 3, padding=1)
            self.norm = nn.LayerNorm(4)
            self.recurrent = recurrent(4, 3, batch_first=True)
            self.head = nn.Linear(3, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            hidden = self.norm(torch.relu(self.convolution(inputs)).transpose(1, 2))
            return self.head(self.recurrent(hidden)[0])

    torch.manual_seed(0)
    network, inputs = Network(), torch.randn(2, 2, 5)
    graph = discover(network, inputs)
    keep = graph.all_kept()
    keep[[1, 5]] = False
    with gates(network, graph, keep, straight_through=True):
        outputs = network(inputs)
    assert torch.allclose(outputs, gated(network, graph, keep)(inputs), atol=1e-6)
    outputs.sum().backward()
    for name, parameter in network.named_parameters():
        groups = graph.slices[name][0]
        if groups is not None:
            assert parameter.grad is not None
            closed = parameter.grad[torch.as_tensor(~keep[groups])]
            assert len(closed) == 0 or closed.abs().sum() > 0, name


def test_the_removed_network_is_the_gated_one() -> None:
    network = two_units()
    hook = hook_for(network, straight_through=True)
    for step in range(12):
        step_towards_five(network, hook, step)
    with hook.evaluating():
        expected = network(X)
    choices = PruningSettings("feedback_units", minimum_units=1)
    small = get_method("feedback_units").finish(Ticket(network, {}), choices, current(), hook)
    assert sum(p.numel() for p in small.network.parameters()) == 2
    assert torch.allclose(small.network(X), expected)
    assert 0 <= small.equivalence_difference <= 1e-5


def test_evaluation_leaves_every_weight_to_the_bit() -> None:
    network = two_units()
    hook = hook_for(network, straight_through=True)
    step_towards_five(network, hook, 0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with hook.evaluating():
        assert network(X).item() == 0.0  # the open unit is not listened to
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_registered_method_has_feedback_and_its_ablation_has_none() -> None:
    """y = 1·x + 0.9·x, unit 2 is closed: y = 1, error −4 towards 5.

    The gradient of the closed unit is −4·1·1 straight through, and nothing without.
    """
    for name, expected in (("feedback_units", -4.0), ("hard_gate", 0.0)):
        network = two_units()
        with torch.no_grad():
            network[1].weight.fill_(1.0)
        settings = settings_of({"method": name, "minimum_units": 1, "ramp_end": 0.0})
        hook = get_method(name).hook(Ticket(network, {}), settings, current())

        def closure(network: nn.Module = network) -> Tensor:
            network.zero_grad()
            loss = (network(X) - 5).square().sum() / 2
            loss.backward()
            return loss.detach()

        network.train()
        for step in range(2):  # the ramp ends at step 1
            loss = hook.gradients(step, closure)
        assert loss.item() == 8.0, name
        gradient = network[0].weight.grad
        assert gradient is not None
        assert gradient.flatten().tolist() == [-4.0, expected], name


def test_units_close_along_the_ramp() -> None:
    """8 units of 2 weights each, ratio 4: at most 16·(1 − s) weights, s = ¾·(1 − (1 − t/48)³).

    t = 0: 16, all 8 units. t = 16: 16 · 0.472 = 7.6, 3 units. t = 32: 4.4, 2. From 48 on: 4, 2.
    """
    network = nn.Sequential(nn.Linear(1, 8, bias=False), nn.Linear(8, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.arange(1.0, 9.0)[:, None])
        network[1].weight.fill_(1.0)
    settings = settings_of({"method": "feedback_units", "minimum_units": 1})
    round_ = replace(current(), ratio=4, dense={"parameters": 16, "macs": 16}, steps=64)
    hook = get_method("feedback_units").hook(Ticket(network, {}), settings, round_)
    assert isinstance(hook, UnitFeedbackHook)
    open_units = {}
    for step in range(64):
        hook.gradients(step, lambda: torch.zeros(()))
        open_units[step] = hook.keep[1:].tolist()
    assert [sum(open_units[step]) for step in (0, 15, 16, 31, 32, 47, 48, 63)] == [
        8, 8, 3, 3, 2, 2, 2, 2,
    ]  # fmt: skip
    assert open_units[16] == [False] * 5 + [True] * 3  # the largest ones
    assert [step for step in range(1, 64) if hook.eligible(step)] == list(range(49, 64))


def test_a_unit_that_stays_open_has_come_back_once() -> None:
    """Both units were closed once, one was opened again: ½, however long it stays open."""
    network = two_units()
    hook = hook_for(network, straight_through=True)
    for step in range(3):
        step_towards_five(network, hook, step)
    for step in range(3, 10):
        step_towards_five(network, hook, step)
        assert hook.keep.tolist() == [True, False, True]
        assert hook.diagnostics()["share_came_back"] == 0.5


def test_units_that_were_never_closed_have_not_come_back() -> None:
    network = two_units()
    graph = discover(network, X)
    hook = UnitFeedbackHook(
        network, graph, Ramp(0.5, 0, 10, period=1), lambda _: keep, True, torch.Generator()
    )
    keep = graph.all_kept()
    for step in range(3):
        hook.gradients(step, lambda: torch.zeros(()))
    assert hook.diagnostics()["share_came_back"] == 0
    keep = np.array([True, True, False])
    hook.gradients(3, lambda: torch.zeros(()))
    assert hook.diagnostics()["share_came_back"] == 0  # the other one is open all the time
    keep = graph.all_kept()
    hook.gradients(4, lambda: torch.zeros(()))
    assert hook.diagnostics()["share_came_back"] == 1


def test_the_stated_cost_is_the_counted_one() -> None:
    """Of three passes per example, one forward and two backward, the forward one runs twice."""
    for name, forward, cost in (("feedback_units", 2, 4 / 3), ("hard_gate", 1, 1.0)):
        network = nn.Sequential(nn.Linear(1, 4), nn.ReLU(), nn.Linear(4, 1))
        round_ = replace(current(), dense={"parameters": 13, "macs": 8})
        settings = settings_of({"method": name, "minimum_units": 1, "ramp_end": 0.0})
        hook = get_method(name).hook(Ticket(network, {}), settings, round_)
        operations = []

        def closure(network: nn.Module = network, operations: list[int] = operations) -> Tensor:
            network.zero_grad()
            with FlopCounterMode(display=False) as counter:
                loss = network(X).square().sum()
            operations.append(counter.get_total_flops())
            loss.backward()
            return loss.detach()

        network.train()
        for step in range(2):  # units are closed at step 1
            hook.gradients(step, closure)
        assert operations[1] == forward * 2 * (4 + 4), name
        assert get_method(name).training_cost == cost == (forward + 2) / 3


def test_a_choice_that_draws_goes_on_where_it_was_stopped() -> None:
    network = two_units()
    graph = discover(network, X)
    generator = torch.Generator().manual_seed(1)
    drawn: list[float] = []

    def keep_for(sparsity: float) -> np.ndarray:
        drawn.append(float(torch.rand((), generator=generator)))
        return graph.all_kept()

    hook = UnitFeedbackHook(network, graph, Ramp(0.5, 0, 10, period=1), keep_for, True, generator)
    hook.begin(0)
    state = {name: value.clone() for name, value in hook.state().items()}
    hook.begin(1)
    generator.manual_seed(5)
    hook.load_state(state)
    hook.begin(1)
    assert drawn[2] == drawn[1] != drawn[0]


def test_a_choice_leaves_each_layer_in_its_mode() -> None:
    """A batch norm that somebody has frozen stays so."""
    network = nn.Sequential(nn.Linear(1, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
    graph = discover(network.eval(), X)
    network.train()
    network[1].eval()

    def keep_for(sparsity: float) -> np.ndarray:
        network.eval()
        return graph.all_kept()

    schedule = Ramp(0.5, 0, 10, period=1)
    hook = UnitFeedbackHook(network, graph, schedule, keep_for, True, torch.Generator())
    hook.begin(0)
    assert [layer.training for layer in network] == [True, False, True]
