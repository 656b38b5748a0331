"""Units that are filtered one by one: fixed blurs, filter banks, one kernel for each unit."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mirtrim
from mirtrim.units.finding import discover

X = torch.randn(2, 3, 11, generator=torch.Generator().manual_seed(8)).double()


class Net(nn.Module):
    """Nine units, filtered in between, with kernels of all kinds."""

    def __init__(self, run) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.run, self.width = run, 9
        self.first, self.last = nn.Conv1d(3, 9, 1), nn.Conv1d(9, 2, 1)
        self.register_buffer("blur", torch.tensor([[[0.2, 0.5, 0.3]]]))
        self.register_buffer("bank", torch.rand(9, 1, 3))
        self.register_buffer("steps", torch.arange(-1.0, 2))
        self.learned = nn.Parameter(torch.rand(1, 1, 3))
        self.rates, self.offsets = nn.Parameter(torch.rand(9, 1)), nn.Parameter(torch.rand(9))

    def forward(self, x: Tensor) -> Tensor:
        made = torch.tanh(self.first(x))
        return self.last(self.run(self, made, made.shape[1]))


def waves(m):
    return torch.cos(m.rates * m.steps).unsqueeze(1)


FILTERS = {
    "expanded": lambda m, h, n: F.conv1d(h, m.blur.expand(n, -1, -1), groups=n),
    "expanded and learned": lambda m, h, n: F.conv1d(h, m.learned.expand(n, 1, 3), groups=n),
    "repeated": lambda m, h, n: F.conv1d(h, m.blur.repeat(n, 1, 1), padding=1, groups=n),
    "tiled": lambda m, h, n: F.conv1d(h, m.blur.tile(n, 1, 1), groups=h.size(1)),
    "made here": lambda m, h, n: F.conv1d(h, h.new_ones(n, 1, 3) / 3, groups=n),
    "constant": lambda m, h, n: F.conv1d(
        h, torch.tensor([0.4, 0.6]).to(h)[None, None].expand(n, 1, 2), groups=n
    ),
    "of a buffer": lambda m, h, n: F.conv1d(h, m.bank, groups=n),
    "by attribute": lambda m, h, n: F.conv1d(h, m.bank, groups=m.width),
    "by layer": lambda m, h, n: F.conv1d(h, m.bank, groups=m.first.out_channels),
    "with bias": lambda m, h, n: F.conv1d(h, m.bank, m.offsets, groups=n),
    "computed": lambda m, h, n: F.conv1d(h, waves(m), groups=n),
    "computed, with bias": lambda m, h, n: F.conv1d(h, waves(m), m.offsets, 2, groups=n),
    "transposed": lambda m, h, n: F.conv_transpose1d(h, m.blur.expand(n, 1, 3), groups=n),
    "transposed buffer": lambda m, h, n: F.conv_transpose1d(h, m.bank, groups=n),
    "in two dimensions": lambda m, h, n: F.conv2d(
        h.unsqueeze(2), m.blur.unsqueeze(2).expand(n, 1, 1, 3), groups=n
    ).squeeze(2),
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.filterwarnings("ignore:the example does not reach")
def test_each_unit_goes_with_its_kernel(name, assert_equivalence):
    for seed in (0, 1, 2):
        graph = assert_equivalence(Net(FILTERS[name]), X, seed)
        assert graph.group_count - 1 == 9
    small = mirtrim.trim(Net(FILTERS[name]).double(), X, ratio=1.2)
    assert small.first.out_channels < 9
    assert small(X[:1]).shape[:2] == (1, 2)


def test_buffers_and_biases_lose_the_kernels_of_what_goes():
    graph = discover(Net(FILTERS["with bias"]).double(), X)
    groups = graph.slices["first.weight"][0]
    for name in ("bank", "offsets"):
        assert (graph.slices[name][0] == groups).all()
    assert [layer.name for layer in graph.layers] == ["first", "last"]
    # Nine units: kernels of 1 × 3 entries at 9 places, 3 × 11 in front, 2 × 9 behind.
    assert graph.macs(graph.all_kept()) == 9 * 3 * 11 + 9 * 3 * 9 + 2 * 9 * 9


def test_a_trained_kernel_for_each_unit_is_a_layer(assert_equivalence):
    graph = assert_equivalence(Net(FILTERS["computed"]), X)
    assert [layer.name for layer in graph.layers] == ["first", "rates", "last"]


STAY = {
    "typed groups": lambda m, h, n: F.conv1d(h, m.bank, groups=9),
    "typed copies": lambda m, h, n: F.conv1d(h, m.blur.expand(9, 1, 3), groups=9),
    "two kernels for each": lambda m, h, n: F.conv1d(
        h, torch.cat([m.blur, m.blur.flip(2)]).repeat(n, 1, 1), groups=n
    )[:, :9],
    "constant of typed size": lambda m, h, n: F.conv1d(h, torch.ones(9, 1, 3).to(h), groups=n),
}


@pytest.mark.parametrize("name", STAY)
def test_other_kernels_keep_the_units_and_nothing_fails(name, assert_equivalence):
    class Around(nn.Sequential):
        pass

    net = Around(Net(STAY[name]), nn.Conv1d(2, 8, 1), nn.ReLU(), nn.Conv1d(8, 2, 1))
    graph = assert_equivalence(net, X)
    assert not next(la for la in graph.layers if la.name == "0.first").groups.any()
    assert (next(la for la in graph.layers if la.name == "1").groups > 0).all()
