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


@pytest.mark.parametrize("method", [*METHODS, "snip", "platon", "powerpropagation", "cram"])
def test_a_state_that_is_loaded_at_the_end_is_masked(method):
    """All weights are loaded as 0.5, biases as 0.25; none of that is lost, and no mask is."""

    def loading(net, after_step):
        optimizer = torch.optim.SGD(net.parameters(), 0.01)

        def closure():
            optimizer.zero_grad()
            (loss := net(X).sum()).backward()
            return loss

        for _ in range(4):
            optimizer.step(closure)
            after_step()
        best = {
            n: torch.full_like(v, 0.25 + (v.dim() > 1) / 4) for n, v in net.state_dict().items()
        }
        net.load_state_dict(best)

    loss = {"loss": lambda outputs, targets: outputs.sum()} if method == "snip" else {}
    given = words(method) | {"steps": 4} | loss
    (ticket,) = mirtrim.tickets(network(), X, loading, [2], **given)
    assert ticket.ratio == pytest.approx(602 / not_zero(ticket.model))
    assert 2 <= ticket.ratio < 2.2
    weight = 0.5**2 if method == "powerpropagation" else 0.5
    for p in ticket.model.parameters():
        expected = weight if p.dim() > 1 else 0.25
        assert ((p == 0) | (p == expected)).all()


def test_a_state_that_is_loaded_within_the_block_of_feedback_is_masked():
    net = nn.Linear(4, 1, bias=False)
    net.load_state_dict({"weight": torch.tensor([[4.0, 3.0, 2.0, 1.0]])})
    optimizer = torch.optim.SGD(net.parameters(), 0.0)
    with mirtrim.feedback(net, optimizer, ratio=2, steps=2) as pruning:
        for _ in range(2):
            net(torch.ones(1, 4)).sum().backward()
            optimizer.step()
            pruning.step()
        net.load_state_dict({"weight": torch.tensor([[5.0, 6.0, 7.0, 8.0]])})
        # What is masked keeps what it was.
        assert pruning.state_dict()["dense/weight"].tolist() == [[5.0, 6.0, 2.0, 1.0]]
    assert net.weight.tolist() == [[5.0, 6.0, 0.0, 0.0]]
