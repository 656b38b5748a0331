"""Operations that move or repeat positions and leave units alone, in the spellings people use."""

import functools
import operator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.ao.nn.quantized import FloatFunctional, FXFloatFunctional, QFunctional
from torch.nn.utils.rnn import (
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
    unpad_sequence,
)

import mirtrim
from mirtrim.units.finding import discover
from mirtrim.utils.errors import TraceError

X = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(3)).double()


class Net(nn.Module):
    """Ten units over four places."""

    def __init__(self, run) -> None:
        super().__init__()
        torch.manual_seed(7)
        self.run = run
        self.first, self.other, self.last = nn.Linear(5, 10), nn.Linear(5, 10), nn.Linear(10, 3)
        self.wide, self.flat = nn.Linear(20, 3), nn.Linear(40, 3)
        self.rnn = nn.GRU(10, 6, batch_first=True)
        self.after = nn.Linear(6, 3)
        self.ops, self.fx_ops = FloatFunctional(), FXFloatFunctional()

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, torch.tanh(self.first(x)), x)


TIMES = torch.tensor([2, 0, 1, 3])
PLACES = torch.tensor([[[3], [0]], [[1], [1]]])


def order(y: Tensor) -> Tensor:
    return y.sum(-1, keepdim=True).argsort(1)


REPEATED = {
    "by a tensor": lambda m, h, x: m.last(h.repeat_interleave(TIMES, 1)),
    "by a tensor and size": lambda m, h, x: m.last(
        torch.repeat_interleave(h, repeats=TIMES, dim=1, output_size=6)
    ),
    "by one number": lambda m, h, x: m.wide(h.repeat_interleave(torch.tensor(2), -1)),
    "by the input": lambda m, h, x: m.last(h.repeat_interleave((x[0, :, 0] > 0).long() + 1, 1)),
    "by a single unit": lambda m, h, x: m.last(
        h.repeat_interleave((m.last(h)[0, :, 0] > 0).long() + 1, 1)
    ),
}
FILLED = {
    "first": lambda m, h, x: m.last(pad_sequence([h[0], h[1, :2]])),
    "batch first": lambda m, h, x: m.last(pad_sequence([h[0], h[1, :2]], batch_first=True)),
    "by a value": lambda m, h, x: m.last(pad_sequence(list(h), True, 0.5)),
    "of layers": lambda m, h, x: m.last(
        pad_sequence([m.first(x[0]), m.other(x[1, :3])], batch_first=True)
    ),
    "and back": lambda m, h, x: m.last(
        unpad_sequence(pad_sequence([h[0, :3], h[1]]), torch.tensor([3, 4]))[1]
    ),
}
PICKED = {
    "by order": lambda m, h, x: m.last(torch.take_along_dim(h, order(h), 1)),
    "by order of inputs": lambda m, h, x: m.last(h.take_along_dim(order(x), dim=1)),
    "by places": lambda m, h, x: m.last(torch.take_along_dim(h, PLACES, dim=-2)),
    "for all examples": lambda m, h, x: m.last(torch.take_along_dim(h, PLACES[:1], 1)),
}
COMPUTED = {
    "add": lambda m, h, x: m.last(m.ops.add(h, m.other(x))),
    "mul": lambda m, h, x: m.last(m.ops.mul(h, m.other(x))),
    "cat": lambda m, h, x: m.wide(m.ops.cat([h, m.other(x)], -1)),
    "scalars": lambda m, h, x: m.last(m.ops.add_scalar(m.ops.mul_scalar(h, 2.0), 1.0)),
    "add_relu": lambda m, h, x: m.last(m.fx_ops.add_relu(h, m.other(x))),
}
FLAT = {
    "np.prod": lambda m, h, x: m.flat(h.view(-1, np.prod(h.shape[1:]))),
    "np.prod of a list": lambda m, h, x: m.flat(h.reshape(len(h), np.prod(list(h.size())[1:]))),
    "reduce": lambda m, h, x: m.flat(h.view(-1, functools.reduce(operator.mul, h.shape[1:]))),
}
EVERY = {
    f"{kind} {name}": run
    for kind, runs in (
        ("repeated", REPEATED),
        ("filled", FILLED),
        ("picked", PICKED),
        ("computed", COMPUTED),
        ("flat", FLAT),
    )
    for name, run in runs.items()
}


@pytest.mark.filterwarnings("ignore:the example does not reach")
@pytest.mark.parametrize("name", EVERY)
def test_units_are_left_alone(name, assert_equivalence):
    for seed in (0, 1, 2):
        graph = assert_equivalence(Net(EVERY[name]), X, seed)
        assert all((la.groups > 0).all() for la in graph.layers if la.name in ("first", "other"))
    small = mirtrim.trim(Net(EVERY[name]).double(), X, ratio=1.05)
    assert small.first.out_features < 10
    assert small(X).shape[-1] == 3


def _lengths(m, h, x):
    packed = pack_padded_sequence(h, torch.tensor([4, 2]), batch_first=True)
    return m.after(pad_packed_sequence(m.rnn(packed)[0], batch_first=True)[0])


def _sequences(m, h, x):
    packed = pack_sequence([h[0], h[1, :2]])
    return m.after(pad_packed_sequence(m.rnn(packed)[0], batch_first=True)[0])


@pytest.mark.filterwarnings("ignore:the example does not reach")
@pytest.mark.parametrize("run", [_lengths, _sequences])
def test_packed_sequences(run, assert_equivalence):
    graph = assert_equivalence(Net(run), X)
    assert (graph.slices["rnn.weight_ih_l0"][1] > 0).all()
    assert (graph.slices["first.weight"][0] > 0).all()


STAY = {
    "each unit another number of times": lambda m, h, x: m.last(
        h.repeat_interleave(torch.tensor([2, 0] * 5), -1)
    ),
    "by a number made of units": lambda m, h, x: m.last(
        h.repeat_interleave((h[0].sum(-1) > 0).long() + 1, 1)
    ),
    "all dimensions": lambda m, h, x: m.flat(h.repeat_interleave(TIMES[0])[:40]),
    "order of units": lambda m, h, x: m.last(torch.take_along_dim(h, h.argsort(-1), -1)),
    "int of np.prod": lambda m, h, x: m.flat(h.view(-1, int(np.prod(h.shape[1:])))),
    "sorted": lambda m, h, x: m.last(h.sort()[0]),
    "largest first": lambda m, h, x: m.last(h.topk(10)[0]),
    "triangle": lambda m, h, x: m.last(h.tril()),
    "spectrum": lambda m, h, x: m.last(torch.fft.fft(h).real),
    "spectrum of both": lambda m, h, x: m.last(torch.fft.fft2(h).real),
    "pooled": lambda m, h, x: m.last(torch.max_pool1d(h, 1)),
    "pooled both ways": lambda m, h, x: m.last(torch.nn.functional.avg_pool2d(h, 1)),
    "mapped": lambda m, h, x: m.last(torch.vmap(lambda one: one - one.mean(0))(h)),
}


@pytest.mark.parametrize("name", STAY)
def test_what_mixes_units_keeps_them_and_the_rest_is_cut(name):
    net = nn.Sequential(Net(STAY[name]), nn.Linear(3, 30), nn.ReLU(), nn.Linear(30, 2)).double()
    graph = discover(net, X)
    assert not next(la for la in graph.layers if la.name == "0.first").groups.any()
    assert (next(la for la in graph.layers if la.name == "1").groups > 0).all()


def test_quantised_operations_are_refused():
    with pytest.raises(TraceError, match="module 1 is quantised; trim the network before"):
        discover(nn.Sequential(nn.Linear(5, 3), QFunctional()).double(), X)
