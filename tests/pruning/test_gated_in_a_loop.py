"""Loops that do more with a gated network than call it: parts, copies, files."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import mirtrim
from mirtrim.utils.errors import ConfigError, TrainingError

ONE = torch.ones(1, 1)


class Coder(nn.Module):
    """1 → 2 units → 1; the first unit makes 1, the second 2, and both are added."""

    def __init__(self):
        super().__init__()
        self.inside, self.outside = nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False)
        self.criterion = nn.MSELoss()
        with torch.no_grad():
            self.inside.weight.copy_(torch.tensor([[1.0], [2.0]]))
            self.outside.weight.copy_(torch.tensor([[1.0, 1.0]]))

    def encode(self, x):
        return self.inside(x)

    def forward(self, x):
        return self.outside(self.encode(x))


class Wrapper(nn.Module):
    """Somebody's wrapper."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)


def train(net, outputs_of, steps=4):
    optimizer = torch.optim.SGD(net.parameters(), 0.0)
    words = {"example_inputs": ONE, "minimum_units": 1, "ramp_end": 0.5}
    seen = []
    with mirtrim.feedback(net, optimizer, 2, steps, of="units", **words) as pruning:
        for _ in range(steps):
            outputs = outputs_of(net, ONE)
            seen.append(outputs.item())
            optimizer.zero_grad()
            net.criterion(outputs, ONE).backward()
            optimizer.step()
            pruning.step()
    return seen, pruning


@pytest.mark.parametrize("outputs_of", [lambda net, x: net(x), lambda net, x: Wrapper(net)(x)])
def test_every_way_to_call_the_network_is_gated(outputs_of):
    seen, pruning = train(Coder(), outputs_of)
    assert seen[-1] == 2.0
    assert pruning.model.inside.weight.tolist() == [[2.0]]


@pytest.mark.parametrize(
    ("outputs_of", "part"),
    [
        (lambda net, x: net.outside(net.encode(x)), "inside"),
        (lambda net, x: net.forward(x), "inside"),
        (lambda net, x: F.linear(net.inside(x), net.outside.weight), "inside"),
        (lambda net, x: net(x) + net.outside(x.new_zeros(1, 2)), "outside"),
    ],
)
def test_parts_that_are_called_by_themselves_are_named(outputs_of, part):
    net = Coder()
    with pytest.raises(TrainingError, match=rf"^{part} was called by itself.*call the network, Co"):
        train(net, outputs_of)
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in net.modules())
    assert net.outside(net.encode(ONE)).item() == 3.0


def test_a_loop_that_never_calls_the_network_is_named():
    def by_hand(net, x):
        return F.linear(F.linear(x, net.inside.weight), net.outside.weight)

    with pytest.raises(TrainingError, match=r"^step \d was made without a call of the network"):
        train(Coder(), by_hand)


def test_tickets_name_it_as_well():
    def fit(net, after_step):
        optimizer = torch.optim.SGD(net.parameters(), 0.0)
        for _ in range(4):
            net.outside(net.encode(ONE)).sum().backward()
            optimizer.step()
            after_step()

    words = {"method": "feedback_units", "steps": 4, "minimum_units": 1}
    with pytest.raises(TrainingError, match="^ratio 2: inside was called by itself"):
        list(mirtrim.tickets(Coder(), ONE, fit, [2], **words))


def test_a_copy_of_a_gated_network_stays_gated_and_a_file_is_refused():
    copies = []

    def outputs_of(net, x):
        copies.append(copy.deepcopy(net))
        with pytest.raises(TrainingError, match=r"^Coder is gated.* save its state_dict\(\)"):
            torch.save(net, io.BytesIO())
        return net(x)

    train(net := Coder(), outputs_of)
    assert net(ONE).item() == 3.0
    assert copies[-1](ONE).item() == 2.0
    with torch.no_grad():
        copies[-1].outside.weight.fill_(10.0)  # its tensors are its own
    assert copies[-1](ONE).item() == 20.0
    assert net(ONE).item() == 3.0
    with pytest.raises(TrainingError, match=r"^inside was called by itself"):
        copies[-1].encode(ONE)


def test_a_copied_part_is_refused_when_it_is_called():
    copies = []

    def outputs_of(net, x):
        copies.append(copy.deepcopy(net.outside))
        return net(x)

    train(Coder(), outputs_of)
    with pytest.raises(TrainingError, match=r"^a copied part was called by itself"):
        copies[-1](torch.ones(1, 2))


def test_parameters_of_the_loss_stay_in_the_optimiser_of_the_smaller_network():
    net, scale = Coder(), nn.Parameter(torch.tensor([3.0]))
    optimizer = torch.optim.SGD([*net.parameters(), scale], 0.0, momentum=0.9)
    words = {"example_inputs": ONE, "minimum_units": 1}
    with mirtrim.feedback(net, optimizer, 2, 2, of="units", **words) as pruning:
        for _ in range(2):
            optimizer.zero_grad()
            (net(ONE) + 5 * scale).sum().backward()
            optimizer.step()
            pruning.step()
    smaller = pruning.optimizer
    held = smaller.param_groups[0]["params"]
    assert [p.numel() for p in held] == [1, 1, 1]
    assert held[2] is scale
    assert smaller.state[scale]["momentum_buffer"].item() == pytest.approx(5 * (1 + 0.9))


class Listing(torch.optim.SGD):
    """An optimiser that remembers a list."""

    def step(self, closure=None):
        super().step(closure)
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["past"] = [p.clone()]


def test_optimisers_whose_state_cannot_be_cut_are_refused_at_the_beginning():
    net = Coder()
    words = {"of": "units", "example_inputs": ONE, "minimum_units": 1}
    with pytest.raises(ConfigError, match="the state of LBFGS belongs to all"):
        mirtrim.feedback(net, torch.optim.LBFGS(net.parameters()), 2, 9, **words)
    optimizer = Listing(net.parameters(), 0.0)
    with mirtrim.feedback(net, optimizer, 2, 2, **words) as pruning:
        net(ONE).sum().backward()
        optimizer.step()
        with pytest.raises(ConfigError, match="the state of Listing belongs to all"):
            pruning.step()
        optimizer.state.clear()
        net(ONE).sum().backward()
        torch.optim.SGD.step(optimizer)
        pruning.step()


@pytest.mark.parametrize("kind", [torch.optim.LBFGS, Listing])
def test_they_are_not_carried(kind):
    made = []

    def fit(net, after_step):
        optimizer = after_step.carry(kind(net.parameters(), 0.1))
        for _ in range(3):
            net(ONE).sum().backward()
            optimizer.step()
            after_step()
            made.append(1)

    with pytest.raises(ConfigError, match=f"^ratio 2: optimizer: the state of {kind.__name__}"):
        list(mirtrim.tickets(Coder(), ONE, fit, [2], minimum_units=1))
    assert not made


def test_a_closure_that_returns_nothing_is_named():
    def fit(net, after_step):
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        optimizer.step(lambda: net(ONE).sum().backward())
        after_step()

    with pytest.raises(TrainingError, match="^ratio 1.1: the closure .* returned None; let it"):
        list(mirtrim.tickets(Coder(), ONE, fit, [1.1], method="top_kast", steps=1))


class Twice(torch.optim.SGD):
    """An optimiser that makes its step by two of its base class."""

    def step(self, closure=None):
        loss = super().step(closure)
        super().step()
        return loss


@pytest.mark.parametrize("closure", [False, True])
def test_an_optimiser_may_make_its_step_by_those_of_its_base_class(closure):
    torch.optim.SGD([nn.Parameter(ONE)], 0.1)  # from the first one on, torch calls hooks for SGD
    net = nn.Linear(2, 1, bias=False)
    net.load_state_dict({"weight": torch.tensor([[4.0, 1.0]])})
    optimizer, seen = Twice(net.parameters(), 0.1), []

    def gradient():
        optimizer.zero_grad()
        (loss := net(torch.ones(1, 2)).square().sum() / 2).backward()
        seen.append(loss.item())
        return loss

    with mirtrim.feedback(net, optimizer, ratio=2, steps=2, ramp_end=0.5) as pruning:
        for _ in range(2):
            if closure:
                optimizer.step(gradient)
            else:
                gradient()
                optimizer.step()
            pruning.step()
    # Half the squares of 4 + 1 and of 4 - 2 · 0.5, the second weight being masked by then.
    assert seen == pytest.approx([12.5, 4.5])
