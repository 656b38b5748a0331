"""Code that networks run between layers: checks, distributions, compiled and wrapped parts."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.utils.checkpoint import checkpoint

import mirtrim
from tests.units.between import Net, X, removable

# Softmax over units, checks of values, distributions


class Linear(nn.Module):
    """Attention whose softmax runs over time and over what lies in a head (Shen et al. 2021)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.heads = 3
        self.first, self.last = nn.Conv1d(3, 36, 1, bias=False), nn.Conv1d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.first(x).chunk(3, dim=1)
        q, k, v = (part.unflatten(1, (self.heads, -1)) for part in parts)
        seen = torch.einsum("bhdn,bhen->bhde", k.softmax(-1), v)
        return self.last(torch.einsum("bhde,bhdn->bhen", seen, q.softmax(-2)).flatten(1, 2))


def test_linear_attention_loses_heads(assert_equivalence):
    graph = assert_equivalence(Linear(), X)
    assert graph.group_count - 1 == 3
    assert set(graph.kept) == {"it is an output of the network"}


class Checked(nn.Module):
    """Looks at its activations before it goes on, as `torch.distributions` does."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.isnan(x).any() or not bool((x.abs() < 1e9).all()):
            raise ValueError("not a number")
        return x * torch.count_nonzero(x > 0, dim=1).unsqueeze(1)


OVER_UNITS = {
    "softmax": lambda m, x: x * x.softmax(1),
    "softmax of a function": lambda m, x: F.softmax(x, dim=1) + F.log_softmax(x, 1).tanh(),
    "half": lambda m, x: x * x.half().softmax(dim=1, dtype=torch.float64),
    "checks": lambda m, x: m.checked(x),
    "product": lambda m, x: x + x.abs().clamp(0.8, 1.2).prod(1, keepdim=True),
    "old zeros": lambda m, x: x + x.data.new(x.size(0), x.size(1), 1).zero_(),
    "normal": lambda m, x: torch.distributions.Normal(x, x.exp()).rsample().detach() * 0 + x,
    "category": lambda m, x: torch.distributions.Categorical(logits=x.mT).probs.mT,
}


@pytest.mark.parametrize("run", OVER_UNITS.values(), ids=OVER_UNITS)
def test_what_looks_at_all_units_sees_those_that_live(run, assert_equivalence):
    assert removable(assert_equivalence(Net(run, checked=Checked()), X)) == 12


DRAWN = {
    "normal": lambda x: torch.distributions.Normal(x, x.exp()).rsample(),
    "laplace": lambda x: torch.distributions.Laplace(x, x.exp()).rsample(),
    "uniform": lambda x: torch.distributions.Uniform(x, x + 1).rsample(),
    "bernoulli": lambda x: x * torch.distributions.Bernoulli(logits=x).sample(),
    "poisson": lambda x: torch.poisson(x.exp()),
    "several": lambda x: torch.distributions.Normal(x, 1.0).rsample((4,)).mean(0),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN)
def test_units_of_distributions_are_cut(draw):
    """The smaller network is checked with the numbers that the full one drew."""
    net = Net(lambda m, x: draw(x)).double()
    small = mirtrim.trim(net, X, ratio=2)
    assert small.first.out_channels < 12
    assert small.trim_report.equivalence_difference < 1e-6


# Functions that torch compiled


@torch.jit.script
def snake(x: Tensor, alpha: Tensor) -> Tensor:
    """As codecs have it (Ziyin et al. 2020)."""
    shape = x.shape
    x = x.reshape(shape[0], shape[1], -1)
    x = x + (alpha + 1e-9).reciprocal() * torch.sin(alpha * x).pow(2)
    return x.reshape(shape)


@torch.jit.script
def scripted_layer(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv1d(torch.relu(x), weight)


class Scripted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.linspace(0.5, 2, 12).reshape(1, 12, 1))
        self.weight = nn.Parameter(
            torch.randn(12, 12, 1, generator=torch.Generator().manual_seed(0))
        )

    def forward(self, x: Tensor) -> Tensor:
        return scripted_layer(snake(x, self.alpha), self.weight)


def test_scripted_functions_are_looked_into(assert_equivalence):
    compiled = torch.jit.ScriptFunction.__call__
    graph = assert_equivalence(Net(lambda m, x: m.inner(x), inner=Scripted()), X)
    assert removable(graph) == removable(graph, "inner.weight") == 12
    assert graph.slices["inner.alpha"][1] is not None
    assert torch.jit.ScriptFunction.__call__ is compiled


# Checkpoints, masks of torch's own pruning, learned entries


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_are_looked_into(reentrant, assert_equivalence):
    def run(m, x):
        return checkpoint(lambda h: m.inner(h).tanh(), x, use_reentrant=reentrant)

    net = Net(run, inner=nn.Conv1d(12, 12, 3, padding=1))
    graph = assert_equivalence(net, X)
    assert removable(graph) == removable(graph, "inner") == 12


class Twice(torch.autograd.Function):
    """A custom function whose backward pass is not that of its forward pass."""

    @staticmethod
    def forward(ctx, x, weight):
        return F.conv1d(x, weight)

    @staticmethod
    def backward(ctx, gradient):
        return None, None


def test_what_a_custom_function_makes_of_units_stays(assert_equivalence):
    """Seen from outside its result comes from the input alone; the layer inside stays as well."""
    net = Net(lambda m, x: Twice.apply(x, m.inner.weight), inner=nn.Conv1d(12, 12, 1))
    graph = assert_equivalence(net, X)
    assert removable(graph) == removable(graph, "inner") == 0


def test_masks_of_pruned_weights_go_along(assert_equivalence, scramble):
    net = Net(lambda m, x: torch.tanh(m.inner(x.mT).mT), inner=nn.Linear(12, 12))
    prune.l1_unstructured(net.first, "weight", 0.5)
    prune.random_unstructured(net.inner, "weight", 0.4)
    prune.l1_unstructured(net.inner, "bias", 0.25)
    prune.ln_structured(net.last, "weight", 0.25, n=2, dim=1)
    graph = assert_equivalence(net, X)
    assert removable(graph) == removable(graph, "inner") == 12
    small = mirtrim.trim(scramble(net, 0), X, ratio=2)
    made = small.first.weight_orig.shape[0]
    assert made < 12
    assert small.first.weight_mask.shape == (made, 3, 3)
    assert small.inner.bias_mask.shape == small.inner.bias_orig.shape
    wanted = small(X)
    for layer, name in ((small.first, "weight"), (small.inner, "weight"), (small.inner, "bias")):
        prune.remove(layer, name)
    torch.testing.assert_close(small(X), wanted)
    # The mask alone is no layer: what is a buffer stays.
    fixed = Net(lambda m, x: x)
    del fixed.first.weight
    fixed.first.register_buffer("weight", torch.randn(12, 3, 3).double())
    assert removable(assert_equivalence(fixed, X)) == 0


def learned_mask(m, x):
    y = x.mT.clone()
    y[y.detach().sum(-1) > 0] = m.mask.weight[0]
    y[:, 0] = m.mask.weight[1]
    y[:, 1].copy_(m.mask.weight[0])
    return y.mT


def test_learned_entries_are_written_into_units(assert_equivalence):
    graph = assert_equivalence(Net(learned_mask, mask=nn.Embedding(2, 12)), X)
    assert removable(graph) == 12
    assert graph.slices["mask.weight"][1] is not None
