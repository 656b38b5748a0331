"""Custom autograd functions: plain ones are followed, others keep the units before them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

import mirtrim
from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.units.gating import gated
from mirtrim.utils.errors import TraceError
from tests.units.between import Net, X, removable


def function(forward, backward=lambda ctx, gradient: gradient) -> type[Function]:
    names = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Own", (Function,), names)


def reversal(ctx, x, strength):
    ctx.strength = strength
    return x.view_as(x)


def masked(ctx, x):
    ctx.save_for_backward(x)
    return x.clamp(-1, 1)


def in_place(ctx, x):
    ctx.mark_dirty(x)
    return x.relu_()


def sloped(ctx, x, slope):
    ctx.save_for_backward(x, slope)
    ctx.shape = x.shape
    return torch.where(x > 0, x, slope[:, None] * x)


Reversal = function(reversal, lambda ctx, g: (-ctx.strength * g, None))
apply_reversal = Reversal.apply
Round = function(lambda ctx, x: (4 * x).round() / 4)
Clamp = function(masked, lambda ctx, g: g * (ctx.saved_tensors[0].abs() <= 1))
Sloped = function(sloped, lambda ctx, g: (g, (g * ctx.saved_tensors[0]).sum((0, 2))))


class Apart(Function):
    """Its context is set up by itself."""

    @staticmethod
    def forward(x, scale):
        return x.sign() * scale, x.flatten(1)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.scale = inputs[1]

    @staticmethod
    def backward(ctx, one, other):
        return one + other.view_as(one), None


FOLLOWED = {
    "reversal": lambda m, x: apply_reversal(x, 0.5),
    "the input itself": lambda m, x: function(lambda ctx, x: x).apply(x).tanh(),
    "round": lambda m, x: Round.apply(x) + x,
    "sign, two results": lambda m, x: sum(part.reshape(x.shape) for part in Apart.apply(x, 2.0)),
    "in place": lambda m, x: function(in_place).apply(x * 2),
    "moved": lambda m, x: function(lambda ctx, x: x.mT.contiguous()).apply(x).mT,
    "twice": lambda m, x: Clamp.apply(apply_reversal(x, 1)),
}


@pytest.mark.parametrize("run", FOLLOWED.values(), ids=FOLLOWED)
def test_functions_without_sums_are_followed(run, assert_equivalence):
    graph = assert_equivalence(Net(run), X)
    assert removable(graph) == 12
    assert set(graph.kept) == {"it is an output of the network"}
    discover(Net(run).double(), X, strict=True)


def test_a_learned_slope_and_a_rounded_weight_are_cut_along(assert_equivalence):
    class Slopes(nn.Module):
        def __init__(self):
            super().__init__()
            self.slope = nn.Parameter(torch.rand(12))
            self.weight = nn.Parameter(torch.randn(12, 12, 1) / 4)

        def forward(self, x: Tensor) -> Tensor:
            return F.conv1d(Sloped.apply(x, self.slope), Round.apply(self.weight))

    net = Net(lambda m, x: m.inner(x), inner=Slopes())
    graph = assert_equivalence(net, X)
    assert removable(graph) == removable(graph, "inner.weight") == 12
    keep = graph.all_kept()
    keep[graph.layers[0].groups[:5]] = False
    assert cut(net, graph, keep).inner.slope.shape == (7,)
    assert cut(net, graph, keep).inner.weight.shape == (12, 7, 1)


def test_gradients_are_those_of_the_function_also_after_a_cut(random_keep):
    """Reversed and halved: the gated network and the trimmed one agree, and with the sign of -½."""
    net = Net(lambda m, x: Clamp.apply(apply_reversal(x, 0.5))).double().eval()
    graph = discover(net, X)
    keep = random_keep(graph, 1)
    small = cut(net, graph, keep)
    gated(net, graph, keep)(X).pow(2).sum().backward()
    small(X).pow(2).sum().backward()
    rows = keep[graph.slices["first.weight"][0]]
    torch.testing.assert_close(net.first.weight.grad[rows], small.first.weight.grad)
    h = small.first(X).detach().requires_grad_()
    small.last(h.clamp(-1, 1)).pow(2).sum().backward()
    reversed_ = torch.autograd.grad(small.first(X), small.first.weight, -0.5 * h.grad)[0]
    torch.testing.assert_close(small.first.weight.grad, reversed_)


CONSTANT = torch.linspace(0.5, 1, 12, dtype=torch.float64)[:, None]


def by_numpy(ctx, x):
    return torch.from_numpy(np.tanh(x.detach().numpy()))


def by_a_number(ctx, x):
    return x * float(x.detach().numpy().std())


spread = torch.jit.trace(lambda x: x.std(), torch.ones(2, 12, 20))


STAYS = {
    "numpy": (by_numpy,),
    "a number of numpy's": (by_a_number,),
    "a traced number": (lambda ctx, x: x * spread(x.detach()),),
    "a mean over units": (lambda ctx, x: x - x.mean(1, keepdim=True),),
    "a constant from elsewhere": (lambda ctx, x: x * CONSTANT,),
    "a layer": (lambda ctx, x, weight: F.conv1d(x, weight),),
    "softmax": (lambda ctx, x: x.softmax(1),),
}


@pytest.mark.parametrize("forward", [f for (f,) in STAYS.values()], ids=STAYS)
def test_other_functions_keep_their_units(forward, assert_equivalence):
    own = function(forward)
    count = forward.__code__.co_argcount - 1
    run = lambda m, x: own.apply(*(x, m.inner.weight)[:count])  # noqa: E731
    net = Net(run, inner=nn.Conv1d(12, 12, 1))
    graph = assert_equivalence(net, X)
    assert removable(graph) == 0
    with pytest.raises(TraceError, match="custom autograd function Own|leaves torch"):
        discover(net, X, strict=True)


def test_functions_are_themselves_again_afterwards():
    before = torch.autograd.function._SingleLevelFunction.__dict__.keys()
    net = Net(FOLLOWED["reversal"]).double()
    x = torch.ones(1, 12, 3, dtype=torch.float64, requires_grad=True)
    mirtrim.trim(net, X, ratio=2)
    assert torch.autograd.function._SingleLevelFunction.__dict__.keys() == before
    assert "apply" not in before
    apply_reversal(x, 3).sum().backward()
    assert (x.grad == -3).all()
