"""Multiply-accumulates worked by hand: products per output position, times positions."""

from collections import OrderedDict
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from mirtrim.counting import measure_counts
from mirtrim.counting.operations import macs, nonzeros, parameters
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.utils.errors import TraceError

FRAMES, FEATURES, HIDDEN = 100, 40, 64


class RecurrentThenLinear(nn.Module):
    """(batch, frames, features) → 5 outputs per frame."""

    def __init__(self, kind: type[nn.RNNBase], **options: object) -> None:
        super().__init__()
        self.recurrent = kind(FEATURES, HIDDEN, batch_first=True, **options)
        self.output = nn.Linear(HIDDEN * (1 + self.recurrent.bidirectional), 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.recurrent(x)[0])


# One gate, one step: HIDDEN · FEATURES + HIDDEN · HIDDEN = 6 656; the output: HIDDEN · 5 = 320.
@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (RecurrentThenLinear(nn.RNN), 100 * (6_656 + 320)),
        (RecurrentThenLinear(nn.GRU), 2_028_800),  # 100 · (3 · 6 656 + 320)
        (RecurrentThenLinear(nn.LSTM), 2_694_400),  # 100 · (4 · 6 656 + 320)
        (RecurrentThenLinear(nn.LSTM, bidirectional=True), 5_388_800),
        # The second layer reads 64 features, or 128 of both directions.
        (RecurrentThenLinear(nn.GRU, num_layers=2), 100 * (19_968 + 3 * 8_192 + 320)),
        (
            RecurrentThenLinear(nn.LSTM, num_layers=2, bidirectional=True),
            100 * (2 * 4 * 6_656 + 2 * 4 * (64 * 128 + 64 * 64) + 640),
        ),
        (RecurrentThenLinear(nn.GRU, bidirectional=True), 100 * (2 * 19_968 + 640)),
    ],
)
@pytest.mark.parametrize("batch", [1, 3])
def test_recurrent(network: nn.Module, expected: int, batch: int) -> None:
    assert macs(network, torch.zeros(batch, FRAMES, FEATURES)) == expected


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv1d(16, 32, 3, padding=1), (16, 100), 153_600),
        (nn.Conv1d(16, 32, 3, padding=1, groups=4), (16, 100), 38_400),
        (nn.Conv1d(16, 16, 3, padding=1, groups=16), (16, 100), 4_800),
        (nn.Conv1d(16, 32, 3, stride=2, padding=1), (16, 100), 76_800),
        (nn.Conv1d(16, 32, 3, dilation=2), (16, 100), 32 * 16 * 3 * 96),
        (nn.ConvTranspose1d(16, 32, 4, 2), (16, 100), 204_800),
        (nn.ConvTranspose1d(16, 32, 4, 2, groups=2), (16, 100), 102_400),
        (nn.Conv2d(3, 8, (5, 3)), (3, 10, 10), 8 * 3 * 15 * 6 * 8),
        (nn.ConvTranspose2d(4, 2, 3), (4, 5, 5), 4 * 2 * 9 * 25),
        (nn.Conv3d(2, 3, 2), (2, 3, 3, 3), 3 * 2 * 8 * 8),
        (nn.Linear(7, 5), (7,), 35),
        (nn.Linear(7, 5, bias=False), (11, 7), 385),
        (nn.GRUCell(4, 3), (4,), 3 * (3 * 4 + 3 * 3)),
        (nn.LSTMCell(4, 3), (4,), 4 * 21),
        (nn.RNNCell(4, 3), (4,), 21),
        (nn.Sequential(nn.BatchNorm1d(4), nn.PReLU(4), nn.Dropout()), (4, 9), 0),
        (nn.Sequential(nn.LayerNorm(9), nn.GroupNorm(2, 4)), (4, 9), 0),
        (nn.Sequential(nn.InstanceNorm1d(4, affine=True), nn.RMSNorm(9)), (4, 9), 0),
        (nn.Conv1d(4, 3, 3, padding=1, padding_mode="circular"), (4, 9), 4 * 3 * 3 * 9),
        (nn.utils.parametrizations.weight_norm(nn.Linear(7, 5)), (7,), 35),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_layers(layer: nn.Module, shape: tuple[int, ...], expected: int, batch: int) -> None:
    assert macs(layer, torch.zeros(batch, *shape)) == expected


def test_published_networks() -> None:
    stages = [128 * 512 * 256, 16 * 128 * 64 * 128, 16 * 16 * 64 * 64, 16 * 16 * 64 * 32]
    stages += [32 * 16 * 64 * 16, 64 * 32 * 64 * 8, 256 * 360]
    assert macs(Crepe(), torch.zeros(1, 1, 1024)) == sum(stages)
    convolutions = 256 * 25 * 64 * 50 + 256 * 256 * 25 * 32 * 50 + 256 * 25 * 16 * 50
    linears = 800 * 1024 + 5 * 1024 * 1024 + 3 * 1024 * 50
    network = SpectralCNN(detectors=3)
    assert macs(network, torch.zeros(1, 1, 64, 50)) == convolutions + linears


def test_products_of_activations() -> None:
    class Gram(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> Tensor:
            return x @ y.transpose(1, 2) + torch.einsum("bij,bkj->bik", x, y)

    assert macs(Gram(), (torch.zeros(2, 3, 5), torch.zeros(2, 4, 5))) == 2 * 3 * 4 * 5
    assert macs(nn.Bilinear(4, 5, 3), (torch.zeros(2, 4), torch.zeros(2, 5))) == 60


@settings(derandomize=True, deadline=None, max_examples=30)
@given(
    groups=st.sampled_from([1, 2, 4]),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    length=st.integers(4, 20),
    transposed=st.booleans(),
)
def test_each_output_position_costs_its_filter(
    groups: int, inputs: int, outputs: int, kernel: int, stride: int, length: int, transposed: bool
) -> None:
    """The number of products is the sum of a convolution of ones with ones, over outputs."""
    kind = nn.ConvTranspose1d if transposed else nn.Conv1d
    layer = kind(inputs * groups, outputs * groups, kernel, stride, groups=groups, bias=False)
    nn.init.ones_(layer.weight)
    ones = torch.ones(1, inputs * groups, length)
    assert macs(layer, ones) == int(layer(ones).sum())


def test_the_network_is_left_as_it_was() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())
    network[2].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    macs(network, torch.ones(5, 3))
    assert [m.training for m in network.modules()] == [True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not network[0]._forward_hooks
    assert not network[0]._forward_pre_hooks


class SelfAttention(nn.Module):
    def __init__(self, **options: object) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True, **options)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0]


class OneAttention(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x = x[:, None]
        return nn.functional.scaled_dot_product_attention(x, x, x, is_causal=True)


# 5 frames of 8 features: 3 · 8 · 8 products per frame in, 8 · 8 out; scores and their use take
# 5 · 5 · 8 each.
ATTENTION = 5 * 192 + 5 * 64 + 2 * 200
ENCODER = ATTENTION + 5 * 2 * 8 * 16


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (SelfAttention(), 1_680),
        # One frame more to look at, which is learned.
        (SelfAttention(add_bias_kv=True), 1_280 + 2 * 5 * 6 * 8),
        (OneAttention(), 400),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2_960),
        (nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True), ENCODER),
        (
            nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
            2 * ENCODER,
        ),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_attention(network: nn.Module, expected: int, batch: int) -> None:
    assert macs(network, torch.zeros(batch, 5, 8)) == expected


def attention_settings() -> tuple[bool, ...]:
    cuda = torch.backends.cuda
    return (
        torch.backends.mha.get_fastpath_enabled(),
        cuda.flash_sdp_enabled(),
        cuda.mem_efficient_sdp_enabled(),
        cuda.math_sdp_enabled(),
        cuda.cudnn_sdp_enabled(),
    )


@pytest.mark.parametrize("fast", [True, False])
def test_settings_of_attention_are_restored(fast: bool) -> None:
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            assert attention_settings() == (False, False, False, True, False)
            raise TraceError("on purpose")

    before = attention_settings()
    torch.backends.mha.set_fastpath_enabled(fast)
    try:
        with pytest.raises(TraceError, match="on purpose"):
            macs(Fails(), torch.zeros(1, 5, 8))
        assert attention_settings() == (fast, *before[1:])
    finally:
        torch.backends.mha.set_fastpath_enabled(before[0])


class WithWeights(nn.Module):
    """Applies a function to its input (batch, 4, 9) and to learned tensors."""

    def __init__(self, function: Callable[["WithWeights", Tensor], Tensor]) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(3, 4, 5))
        self.places = nn.Parameter(torch.ones(20, 4))
        self.shares = nn.Parameter(torch.ones(4, 1))
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda m, x: x + m.places[torch.arange(9)].T, 0),
        (lambda m, x: x + m.places.gather(0, torch.zeros(9, 4, dtype=torch.long)).T, 0),
        (lambda m, x: x * m.shares.softmax(0) + x * m.shares.log_softmax(0), 0),
        (lambda m, x: x * m.shares.repeat(1, 9) * m.shares.roll(1, 0), 0),
        (lambda m, x: x * (m.shares.mean() + m.shares.sum() + m.shares.var() + m.shares.std()), 0),
        (lambda m, x: x * (m.shares.amax() + m.shares.max(0).values), 0),
        (lambda m, x: x + nn.functional.interpolate(m.places[None, :4], size=9), 0),
        # 3 filters of 4 · 5 weights at 5 places; padded, of 4 · 7 at 3.
        (lambda m, x: nn.functional.conv1d(x, m.kernel.flip(2)), 300),
        (lambda m, x: nn.functional.conv1d(x, nn.functional.pad(m.kernel, (1, 1))), 252),
        (lambda m, x: nn.functional.conv1d(x, m.kernel - m.kernel.mean((1, 2), True)), 300),
    ],
)
@pytest.mark.parametrize("batch", [1, 2])
def test_weights_that_are_moved_and_added_up_are_no_products(
    function: Callable[[WithWeights, Tensor], Tensor], expected: int, batch: int
) -> None:
    assert macs(WithWeights(function), torch.zeros(batch, 4, 9)) == expected


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_are_sums_unless_their_entries_have_weights(frozen: bool, mode: str) -> None:
    bag = nn.EmbeddingBag(5, 3, mode=mode).requires_grad_(not frozen)
    bags = torch.tensor([[1, 2], [3, 4]])
    assert macs(bag, bags) == 0
    if mode == "sum":
        # 2 entries of 3 numbers per bag.
        assert macs(_Weighted(bag), (bags, torch.ones(2, 2))) == 6


class _Weighted(nn.Module):
    def __init__(self, bag: nn.EmbeddingBag) -> None:
        super().__init__()
        self.bag = bag

    def forward(self, entries: Tensor, shares: Tensor) -> Tensor:
        return self.bag(entries, per_sample_weights=shares)


def test_unknown_operations_are_named() -> None:
    class SortedWeight(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return x + self.weight.T.sort(dim=0).values

    with pytest.raises(TraceError, match=r"layer \(root\).*aten\.sort"):
        macs(SortedWeight(3, 3), torch.zeros(1, 3))
    network = nn.Sequential(nn.Identity(), nn.Sequential(OrderedDict(inner=SortedWeight(3, 3))))
    with pytest.raises(TraceError, match=r"layer 1\.inner: .*aten\.sort"):
        macs(network, torch.zeros(1, 3))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.LazyLinear(2)), "0.weight of a lazy module has no shape yet"),
        (torch.jit.script(nn.Sequential(nn.Linear(3, 2))), "is scripted"),
    ],
)
@pytest.mark.parametrize("count", [macs, measure_counts])
def test_lazy_and_scripted_modules_are_refused(
    count: Callable[[nn.Module, Tensor], object], network: nn.Module, message: str
) -> None:
    with pytest.raises(TraceError, match=message):
        count(network, torch.zeros(1, 3))


def test_a_count_that_does_not_divide_is_refused() -> None:
    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.linear(x[0, 0])

    with pytest.raises(TraceError, match="first axis"):
        macs(TimeFirst(), torch.zeros(3, 1, 1))


def test_parameters_and_nonzeros() -> None:
    shared = nn.Linear(3, 2)
    network = nn.Sequential(shared, nn.BatchNorm1d(2), nn.Linear(2, 3, bias=False), shared)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1)
        shared.weight[0] = 0
    assert parameters(network) == 6 + 2 + 4 + 6
    assert nonzeros(network) == 3 + 2 + 4 + 6


class Adapted(nn.Linear):
    """A layer of 4 to 3 whose weight gets the product of two factors, of rank 2."""

    def __init__(self) -> None:
        super().__init__(4, 3)
        self.up, self.down = nn.Parameter(torch.ones(3, 2)), nn.Parameter(torch.ones(2, 4))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight + self.up @ self.down)


class Remembering(nn.Linear):
    """Two steps from a learned state: each example multiplies a copy of it by the weights."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.start = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        state = self.start.expand(len(x), 4)
        return super().forward(x + super().forward(state))


class Overwritten(nn.Linear):
    """Data that has been written into a buffer is no weight."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.register_buffer("kept", torch.zeros(3, 4))

    def forward(self, x: Tensor) -> Tensor:
        self.kept.copy_(x)
        return super().forward(self.kept)


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (Adapted(), 3 * 2 * 4 + 3 * 4),
        # The largest singular value, u W v, costs W v and the product with u.
        (nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3)), 3 * 4 + 3 + 3 * 4),
        (Remembering(), 4 * 4 + 4 * 4),
    ],
)
def test_products_of_weights_are_counted_once(
    network: nn.Module, expected: int, batch: int
) -> None:
    """As one example has them; they do not grow with the batch, and were divided by it."""
    assert macs(network, torch.ones(batch, 4)) == expected


def test_data_in_a_buffer_is_divided_among_examples() -> None:
    """The network runs on three examples only."""
    assert macs(Overwritten(), torch.ones(3, 4)) == 4 * 4
