"""Batch normalisation written by hand, whose statistics `forward` keeps in a buffer."""

import copy

import pytest
import torch
from torch import Tensor, nn

from mirtrim.units.cutting import cut
from tests.units.between import Net, X, removable


class Norm(nn.Module):
    """Mean and variance over batch and time, (12,) or (1, 12, 1)."""

    def __init__(self, keep, *, frozen: bool, flat: bool, always: bool) -> None:
        super().__init__()
        self.keep, self.flat, self.always = keep, flat, always
        shape = (12,) if flat else (1, 12, 1)
        for name in ("mean", "variance"):
            start = torch.full(shape, 3.0)
            if frozen:
                setattr(self, name, nn.Parameter(start, requires_grad=False))
            else:
                self.register_buffer(name, start)
        self.gain = nn.Parameter(torch.linspace(0.5, 2, 12).reshape(shape))

    def forward(self, x: Tensor) -> Tensor:
        mean, variance = self.mean, self.variance
        if self.training or self.always:
            mean = x.mean((0, 2), keepdim=not self.flat)
            variance = x.var((0, 2), unbiased=False, keepdim=not self.flat)
            for kept, now in ((self.mean, mean), (self.variance, variance)):
                self.keep(kept, now)
        mean, variance, gain = (
            v[None, :, None] if self.flat else v for v in (mean, variance, self.gain)
        )
        return (x - mean) / torch.sqrt(variance + 1e-5) * gain


def by_setter(kept, now):
    kept.data = 0.75 * kept.data + 0.25 * now.data


def added(kept, now):
    kept += 0.25 * (now - kept)


def by_index(kept, now):
    kept[:] = 0.75 * kept + 0.25 * now


def by_dots(kept, now):
    kept[...] = 0.75 * kept + 0.25 * now


WAYS = {
    "mul_, add_": lambda kept, now: kept.mul_(0.75).add_(now, alpha=0.25),
    "copy_": lambda kept, now: kept.copy_(0.75 * kept + 0.25 * now),
    "data": by_setter,
    "data.copy_": lambda kept, now: kept.data.copy_(0.75 * kept.data + 0.25 * now.data),
    "lerp_": lambda kept, now: kept.lerp_(now, 0.25),
    "added": added,
    "index": by_index,
    "dots": by_dots,
    "out": lambda kept, now: torch.lerp(kept, now, 0.25, out=kept),
}


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_statistics_are_cut_with_their_units(way, frozen, flat, assert_equivalence):
    keep = torch.no_grad()(WAYS[way])
    for always in (False, True):
        norm = Norm(keep, frozen=frozen, flat=flat, always=always)
        net = Net(lambda m, x: m.norm(x), norm=norm)
        graph = assert_equivalence(net, X)
        assert removable(graph) == 12
    living = graph.all_kept()
    living[graph.layers[0].groups[[1, 5, 6]]] = False
    small = cut(net, graph, living)
    for one in (whole := copy.deepcopy(net), small):
        one.train()(X)
    left = [i for i in range(12) if i not in (1, 5, 6)]
    expected = 0.75 * net.norm.mean + 0.25 * net.first(X).mean((0, 2)).reshape_as(net.norm.mean)
    for kept, wanted in ((small.norm.mean, expected), (small.norm.variance, whole.norm.variance)):
        torch.testing.assert_close(kept.flatten(), wanted.flatten()[left])


def test_a_frozen_parameter_is_written_into_outside_of_no_grad(assert_equivalence):
    """What has no gradient may be; tracing takes gradients of all."""

    def write(kept, now):
        kept.mul_(0.75).add_(0.25 * now.detach())

    norm = Norm(write, frozen=True, flat=True, always=True)
    assert removable(assert_equivalence(Net(lambda m, x: m.norm(x), norm=norm), X)) == 12


@pytest.mark.parametrize("way", ["a permutation", "a constant"])
def test_what_is_written_otherwise_keeps_its_size(way, assert_equivalence):
    order = torch.arange(12).flip(0)
    constant = torch.linspace(0.1, 1, 12, dtype=torch.float64)

    def write(kept, now):
        with torch.no_grad():
            if way == "a permutation":
                kept[order] = now
            else:
                kept.copy_(constant)

    norm = Norm(write, frozen=False, flat=True, always=False)
    assert removable(assert_equivalence(Net(lambda m, x: m.norm(x), norm=norm), X)) == 0
