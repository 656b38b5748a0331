"""What a loop does to its network for its own purposes must not reach the next ticket."""

import pytest
import torch
from torch import nn

import mirtrim

X = torch.ones(2, 6)
METHODS = ("mask", "trim", "one_shot", "soup", "gradual", "feedback", "feedback_units")


def network():
    """6 → 20 → 20 → 2 with 602 parameters, of which 400 are in the middle."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 2)
    )


def steps(net, after_step):
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    for _ in range(3):
        optimizer.zero_grad()
        net(X).sum().backward()
        optimizer.step()
        after_step()


def words(method):
    within = {"steps": 3} if method in ("gradual", "feedback", "feedback_units") else {}
    return within | {"method": method, "batches": lambda: [(X, X)]}


def not_zero(net):
    return sum(int(p.count_nonzero()) for p in net.parameters())


@pytest.mark.parametrize("method", METHODS)
def test_what_is_frozen_at_the_end_of_a_training_is_pruned_in_the_next(method):
    def frozen(net, after_step):
        steps(net, after_step)
        net[2].requires_grad_(False)

    plain = list(mirtrim.tickets(network(), X, steps, [2, 4], **words(method)))
    found = list(mirtrim.tickets(network(), X, frozen, [2, 4], **words(method)))
    for one, other, least in zip(plain, found, (2, 4), strict=True):
        assert least <= other.ratio == one.ratio == pytest.approx(602 / not_zero(other.model))
        assert all(p.requires_grad for p in other.model.parameters())
        for name, value in one.model.state_dict().items():
            assert torch.equal(other.model.state_dict()[name], value)


def test_what_the_model_itself_has_frozen_stays_frozen():
    net = network()
    net[0].requires_grad_(False)
    (ticket,) = mirtrim.tickets(net, X, steps, [2], method="mask")
    assert [p.requires_grad for p in ticket.model.parameters()] == [False] * 2 + [True] * 4
    assert list(ticket.masks) == ["2.weight", "4.weight"]


def test_units_are_cut_where_a_loop_has_frozen_some_since():
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    with mirtrim.feedback(net, optimizer, 2, 4, of="units", example_inputs=X) as pruning:
        for _ in range(4):
            optimizer.zero_grad()
            net(X).sum().backward()
            optimizer.step()
            pruning.step()
        net[2].requires_grad_(False)
    assert 602 / sum(p.numel() for p in pruning.model.parameters()) >= 2
    assert not pruning.model[2].weight.requires_grad


def test_gradients_do_not_reach_the_next_training():
    seen = []

    def leaving(net, after_step):
        seen.append(all(p.grad is None for p in net.parameters()))
        steps(net, after_step)

    list(mirtrim.tickets(network(), X, leaving, [2], **words("soup"), ingredients=2))
    assert seen == [True] * 3
