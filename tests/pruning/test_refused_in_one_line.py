"""What tickets and feedback cannot do is said in one line, where possible before any training."""

import copy

import pytest
import torch
from torch import nn

import mirtrim
from mirtrim.pruning.methods.batch_statistics import recompute_statistics
from mirtrim.utils.errors import ArtefactError, ConfigError, TraceError, TrainingError

X = torch.ones(4, 6)


class Stamped(nn.Module):
    """Keeps something in its state that is no tensor."""

    def get_extra_state(self):
        return {"version": 2}

    def set_extra_state(self, state):
        assert state == {"version": 2}

    def forward(self, x):
        return x


def network(*more):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 2), *more)


def with_norm():
    return network(nn.BatchNorm1d(2))


def never(net, after_step):
    raise AssertionError("nothing is to be trained")


def four_steps(net, after_step):
    optimizer = after_step.carry(torch.optim.SGD(net.parameters(), 0.01, momentum=0.9))
    for _ in range(4):
        optimizer.zero_grad()
        net(X).sum().backward()
        optimizer.step()
        after_step()


def test_an_optimiser_is_carried_into_factored_layers_without_the_state_of_those():
    seen = []

    def fit(net, after_step):
        optimizer = after_step.carry(torch.optim.SGD(net.parameters(), 0.01, momentum=0.9))
        seen.append({n for n, p in net.named_parameters() if p in optimizer.state})
        four_steps(net, after_step)

    net = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 2))
    (ticket,) = mirtrim.tickets(net, X, fit, [2], method="low_rank")
    names = {name for name, _ in ticket.model.named_parameters()}
    assert "2.0.weight" in names
    dense = {f"{layer}.{what}" for layer in (0, 2, 4) for what in ("weight", "bias")}
    assert seen == [set(), names & dense]
    assert "4.weight" in seen[1]


@pytest.mark.parametrize("batches", [None, list])
def test_a_soup_with_batch_norms_needs_batches(batches):
    with pytest.raises(ConfigError, match="batches: batch-norm statistics"):
        list(mirtrim.tickets(with_norm(), X, four_steps, [2], method="soup", batches=batches))
    with pytest.raises(ConfigError, match="batches: batch-norm statistics"):
        recompute_statistics(with_norm(), batches)
    recompute_statistics(network(), batches)


def test_without_batches_a_soup_is_refused_before_the_training():
    with pytest.raises(ConfigError, match="batches: batch-norm statistics"):
        mirtrim.tickets(with_norm(), X, never, [2], method="soup")


@pytest.mark.parametrize("method", ["trim", "mask", "feedback"])
def test_a_state_that_is_no_tensor_is_named(method):
    with pytest.raises(TrainingError, match=r"^3 keeps a dict in its state \(get_extra_state\)"):
        mirtrim.tickets(network(Stamped()), X, never, [2], method=method)


@pytest.mark.parametrize("of", ["weights", "units"])
def test_feedback_leaves_it_alone(of):
    net = network(Stamped())
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    with mirtrim.feedback(net, optimizer, 2, 4, of=of, example_inputs=X) as pruning:
        for _ in range(4):
            net(X).sum().backward()
            optimizer.step()
            pruning.step()
            pruning.load_state_dict(pruning.state_dict())
    assert pruning.model[3].get_extra_state() == {"version": 2}


@pytest.mark.parametrize(
    "method", ["trim", "mask", "feedback", "feedback_units", "low_rank", "snip"]
)
def test_a_module_that_is_protected_has_to_be_there(method):
    with pytest.raises(ConfigError, match="^protect: there is no module 'nowhere'"):
        mirtrim.tickets(network(), X, never, [2], method=method, protect=["0", "nowhere"])


@pytest.mark.parametrize("of", ["weights", "units"])
def test_the_same_for_feedback(of):
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with pytest.raises(ConfigError, match="^protect: there is no module 'nowhere'"):
        mirtrim.feedback(net, optimizer, 2, 4, of=of, example_inputs=X, protect=["0", "nowhere"])


@pytest.mark.parametrize("method", ["low_rank", "narrower", "depthwise"])
def test_methods_that_cannot_protect_say_so(method):
    with pytest.raises(ConfigError, match=f"^protect: {method} does not spare modules"):
        mirtrim.tickets(network(), X, never, [2], method=method, protect=["0"])


def lazy():
    return nn.Sequential(nn.LazyLinear(20), nn.ReLU(), nn.LazyLinear(2))


def test_lazy_networks_are_named(tmp_path):
    mirtrim.save(mirtrim.trim(network(), X, 2), tmp_path / "small")
    with pytest.raises(ArtefactError, match=r"^factory: 0\.weight of a lazy module has no shape"):
        mirtrim.load(tmp_path / "small", lazy)
    net = lazy()
    for method in ("mask", "trim"):
        with pytest.raises(TraceError, match=r"^0\.weight of a lazy module has no shape"):
            mirtrim.tickets(net, X, never, [2], method=method)
    with pytest.raises(TraceError, match=r"^0\.weight of a lazy module has no shape"):
        mirtrim.feedback(net, torch.optim.SGD(net.parameters(), 0.1), 2, 4)


def test_feedback_that_is_given_no_model_is_named():
    optimizer = torch.optim.SGD([nn.Parameter(X)], 0.1)
    with pytest.raises(TraceError, match="^model: int is not a torch"):
        mirtrim.feedback(3, optimizer, 2, 4)


@pytest.mark.parametrize("of", ["weights", "units"])
def test_feedback_without_a_step_is_named(of):
    net = network()
    pruning = mirtrim.feedback(
        net, torch.optim.SGD(net.parameters(), 0.1), 2, 4, of=of, example_inputs=X
    )
    with pytest.raises(TrainingError, match="^feedback made no step"), pruning:
        pass


@pytest.mark.parametrize("steps", [0, -1, True, 2.5])
def test_steps_are_a_number_from_1_on(steps):
    with pytest.raises(ConfigError, match=f"^steps: {steps} is not a number"):
        mirtrim.tickets(network(), X, never, [2], method="gradual", steps=steps)


@pytest.mark.parametrize("method", ["platon", "semi_structured_relearned"])
def test_methods_that_prune_as_they_go_from_a_trained_network_ask_for_steps_as_well(method):
    tickets = mirtrim.tickets(network(), X, never, [1.1], method=method, trained=True)
    with pytest.raises(ConfigError, match=r"^ratio 1\.1: steps: .* say how many"):
        next(tickets)


def test_a_network_is_not_trimmed_while_units_of_it_are_gated():
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    refused = pytest.raises(TraceError, match="^Sequential is gated while it is pruned")
    with mirtrim.feedback(net, optimizer, 2, 4, of="units", example_inputs=X) as pruning:
        for _ in range(4):
            net(X).sum().backward()
            optimizer.step()
            pruning.step()
        with refused:
            mirtrim.trim(net, X, 1.5)
        with refused:
            mirtrim.trim(copy.deepcopy(net), X, 1.5)
    assert mirtrim.trim(net, X, 1.5).trim_report.ratio >= 1.5
    assert mirtrim.trim(pruning.model, X, 1.2).trim_report.ratio >= 1.2


def test_nor_in_the_training_of_a_ticket():
    def train(net, after_step):
        four_steps(net, after_step)
        if after_step.ratio == 2:
            mirtrim.trim(net, X, 1.5)

    tickets = mirtrim.tickets(network(), X, train, [2], method="feedback_units", steps=4)
    with pytest.raises(TraceError, match=r"^ratio 2: Sequential is gated while it is pruned"):
        next(tickets)


def evaluates_only(net, after_step):
    with torch.no_grad():
        net(X)


@pytest.mark.parametrize("method", ["trim", "low_rank", "nothing_removed", "narrower"])
def test_a_loop_that_leaves_the_weights_as_they_were_is_named(method):
    tickets = mirtrim.tickets(network(), X, evaluates_only, [1.2], method=method, steps=1)
    with pytest.warns(UserWarning, match="^train made no step and left all weights as they were"):
        next(tickets)


def test_a_loop_that_trains_by_hand_or_by_steps_is_not(recwarn):
    def by_hand(net, after_step):
        with torch.no_grad():
            net[2].bias += 1

    for train in (by_hand, four_steps):
        list(mirtrim.tickets(network(), X, train, [1, 2]))
    assert not recwarn.list
