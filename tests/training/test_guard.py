"""Layers that a processor computes wrongly in bfloat16 are found before a training, and go round.

The wrong kernels are planted, so that the tests need no processor that has them; the last one looks
for those of this processor.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mirtrim.models.chord_convnet import ChordConvNet
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.models.waveform import WaveformCNN
from mirtrim.training import FitSettings, PrecisionWarning, fit, forward_of, guard, state_of
from mirtrim.training.guard import ways_in_bfloat16
from mirtrim.utils.errors import TrainingError


class Network(nn.Module):
    """Two convolutions over time, a recurrent and a linear layer: sounds (batch, 4, time)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 6, 17, padding=8)
        self.norm = nn.BatchNorm1d(6)
        self.second = nn.Conv1d(6, 5, 18, stride=2)
        self.recurrent = nn.GRU(5, 7, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.output = nn.Linear(7, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(torch.relu(self.norm(self.first(x))))
        states, _ = self.recurrent(x.transpose(1, 2))
        result: Tensor = self.output(self.dropout(states[:, -1]))
        return result


def network() -> Network:
    torch.manual_seed(3)
    return Network()


def sounds(batch: int = 8) -> Tensor:
    return torch.randn(batch, 4, 64, generator=torch.Generator().manual_seed(1))


class _Spoilt(torch.autograd.Function):
    """The identity, but for one of value and gradient."""

    @staticmethod
    def forward(context: Any, x: Tensor, what: str, spoil: Callable[[Tensor], Tensor]) -> Tensor:
        context.what, context.spoil = what, spoil
        return spoil(x) if what == "value" else x.clone()

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return context.spoil(gradient) if context.what != "value" else gradient, None, None


class Planted(TorchFunctionMode):
    """Wrong kernels of bfloat16, for functions called with weights of the given shape.

    Args:
        what: "value", "input" or "weight": what is wrong, the others are gradients.
        functions: which functions; ours is never among them.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        what: str = "value",
        spoil: Callable[[Tensor], Tensor] = lambda x: x.flip(-1),
        functions: tuple[Any, ...] = (torch.conv1d, nn.functional.linear),
        always: bool = False,
    ) -> None:
        super().__init__()
        self.shape, self.what, self.spoil = shape, what, spoil
        self.functions, self.always, self.calls = functions, always, 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        here = func in self.functions and tuple(args[1].shape) == self.shape
        if not here or not (self.always or torch.is_autocast_enabled("cpu")):
            return func(*args, **(kwargs or {}))
        self.calls += 1
        given = list(args)
        if self.what in ("input", "weight"):
            at = ("input", "weight").index(self.what)
            given[at] = _Spoilt.apply(given[at], self.what, self.spoil)
        result = func(*given, **(kwargs or {}))
        return _Spoilt.apply(result, self.what, self.spoil) if self.what == "value" else result


@pytest.fixture
def right() -> Iterator[None]:
    """A processor whose own kernels are right: convolutions in bfloat16 are computed in float32."""

    class Right(TorchFunctionMode):
        def __torch_function__(
            self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
        ) -> Any:
            if func is torch.conv1d and torch.is_autocast_enabled("cpu"):
                with torch.autocast("cpu", enabled=False):
                    images, weight, bias, *rest = args
                    single = (
                        images.float(),
                        weight.float(),
                        None if bias is None else bias.float(),
                    )
                    return func(*single, *rest, **(kwargs or {})).bfloat16()
            return func(*args, **(kwargs or {}))

    with Right():
        yield


FIRST, SECOND, OUTPUT = (6, 4, 17), (5, 6, 18), (3, 7)


@pytest.mark.usefixtures("right")
def test_what_is_right_stays_as_it_is_and_nothing_is_said() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ways_in_bfloat16(network(), sounds()) == {}


@pytest.mark.usefixtures("right")
@pytest.mark.parametrize("what", ["value", "input", "weight"])
@pytest.mark.parametrize(
    ("shape", "name", "way"),
    [
        pytest.param(SECOND, "second", "matrix product", id="convolution"),
        pytest.param(OUTPUT, "output", "float32", id="linear layer, for which we have no product"),
    ],
)
def test_a_wrong_kernel_is_found_named_and_gone_round(
    shape: tuple[int, ...], name: str, way: str, what: str
) -> None:
    with (
        Planted(shape, what),
        pytest.warns(PrecisionWarning, match=rf"^bfloat16 is wrong .*: {name} \(.*\) by {way}$"),
    ):
        assert ways_in_bfloat16(network(), sounds()) == {name: way}


def sleeping(exact: float, reduced: float) -> Callable[..., list[Tensor]]:
    """Results that are right after so many seconds, in float32 and in bfloat16."""

    def results(call: object, way: str) -> list[Tensor]:
        time.sleep(exact if way == "exact" else reduced)
        return [torch.ones(1)]

    return results


@pytest.mark.parametrize(
    ("exact", "reduced", "said"),
    [
        pytest.param(0.01, 0.1, True, id="ten times as long, five layers"),
        pytest.param(0.05, 0.1, False, id="twice as long"),
        pytest.param(0.0001, 0.001, False, id="too short to say"),
    ],
)
def test_a_processor_that_is_slow_in_bfloat16_is_told(
    monkeypatch: pytest.MonkeyPatch, exact: float, reduced: float, said: bool
) -> None:
    monkeypatch.setattr(guard, "_results", sleeping(exact, reduced))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        assert ways_in_bfloat16(network(), sounds()) == {}
    assert [str(one.message)[:14] for one in heard] == ["bfloat16 takes"] * said
    if said:
        times = int(str(heard[0].message).split()[2])
        assert 5 <= times <= 12


@pytest.mark.usefixtures("right")
def test_a_gradient_that_no_training_needs_is_not_looked_at() -> None:
    with Planted(FIRST, "input"):
        assert ways_in_bfloat16(network(), sounds()) == {}
        with pytest.warns(PrecisionWarning, match="first"):
            assert ways_in_bfloat16(network(), sounds().requires_grad_()) != {}


@pytest.mark.usefixtures("right")
def test_one_wrong_column_is_found_and_rounding_is_not() -> None:
    def last_column(x: Tensor) -> Tensor:
        return torch.cat([x[..., :-1], -x[..., -1:]], -1)

    layer = nn.Sequential(nn.Conv1d(4, 8, 17))
    with Planted((8, 4, 17), spoil=last_column), pytest.warns(PrecisionWarning):
        assert ways_in_bfloat16(layer, torch.randn(2, 4, 1016)) == {"0": "matrix product"}

    def half_a_step(x: Tensor) -> Tensor:
        return x * (1 + 2**-8)

    with Planted((8, 4, 17), spoil=half_a_step):
        assert ways_in_bfloat16(layer, torch.randn(2, 4, 1016)) == {}


@pytest.mark.usefixtures("right")
def test_a_value_that_is_no_number_is_wrong() -> None:
    with (
        Planted(SECOND, spoil=lambda x: torch.full_like(x, torch.nan)),
        pytest.warns(PrecisionWarning),
    ):
        assert ways_in_bfloat16(network(), sounds()) == {"second": "matrix product"}


@pytest.mark.usefixtures("right")
def test_float32_where_our_product_cannot_compute_it() -> None:
    grouped = nn.Sequential(nn.Conv1d(4, 8, 17, groups=2))
    with Planted((8, 2, 17)), pytest.warns(PrecisionWarning, match=r"0 \(.*\) by float32"):
        assert ways_in_bfloat16(grouped, sounds()) == {"0": "float32"}


@pytest.mark.usefixtures("right")
def test_float32_where_our_product_is_wrong_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    from mirtrim.training.kernels import PRODUCTS, convolution_in_bfloat16

    def wrong(*arguments: Any, **named: Any) -> Tensor | None:
        result = convolution_in_bfloat16(*arguments, **named)
        return None if result is None else -result

    monkeypatch.setitem(PRODUCTS, torch.conv1d, wrong)
    with Planted(SECOND), pytest.warns(PrecisionWarning, match="by float32"):
        assert ways_in_bfloat16(network(), sounds()) == {"second": "float32"}


@pytest.mark.usefixtures("right")
def test_a_layer_that_float32_does_not_mend_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_difference", lambda found, exact: 0.7)
    with pytest.raises(TrainingError, match=r"^layer first: .* \(relative error 0.7\) .*float32"):
        ways_in_bfloat16(network(), sounds())


def computed(kind: type[nn.RNNBase]) -> bool:
    """Whether torch has that layer in bfloat16 on this processor."""
    try:
        with torch.autocast("cpu", torch.bfloat16):
            kind(8, 16)(torch.randn(10, 4, 8))
    except RuntimeError:
        return False
    return True


def test_a_recurrent_layer_that_bfloat16_does_not_have_is_trained_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As the LSTM of a processor without AVX-512, planted in a GRU."""
    forward = nn.GRU.forward

    def missing(self: nn.GRU, *arguments: Any) -> Any:
        if torch.is_autocast_enabled("cpu"):
            raise RuntimeError("could not create a primitive descriptor")
        return forward(self, *arguments)

    monkeypatch.setattr(nn.GRU, "forward", missing)
    given = network()
    with pytest.warns(PrecisionWarning, match=r"recurrent \(not there\) by float32"):
        ways = ways_in_bfloat16(given, sounds())
    assert ways["recurrent"] == "float32"
    outputs = forward_of(given, "bfloat16", ways)(sounds())
    assert bool(outputs.isfinite().all())


@pytest.mark.parametrize("late", [False, True])
def test_want_of_memory_is_no_missing_layer(late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    forward, calls = nn.GRU.forward, []

    def hungry(self: nn.GRU, *arguments: Any) -> Any:
        if torch.is_autocast_enabled("cpu"):
            calls.append(self)
            if len(calls) > late:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return forward(self, *arguments)

    monkeypatch.setattr(nn.GRU, "forward", hungry)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        ways_in_bfloat16(network(), sounds())


@pytest.mark.usefixtures("right")
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_are_compared(
    kind: type[nn.RNNBase], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = kind(8, 16, num_layers=2, bidirectional=True)

        def forward(self, x: Tensor) -> Tensor:
            states: Tensor = self.layer(x)[0]
            return states

    torch.manual_seed(0)
    x = torch.randn(100, 4, 8)
    assert ways_in_bfloat16(Recurrent(), x) == ({} if computed(kind) else {"layer": "float32"})
    forward = kind.forward

    def wrong(self: nn.RNNBase, *arguments: Any) -> Any:
        states, rest = forward(self, *arguments)
        return (states * 1.5 if torch.is_autocast_enabled("cpu") else states), rest

    monkeypatch.setattr(kind, "forward", wrong)
    recurrent = Recurrent()
    with pytest.warns(PrecisionWarning, match="layer .* by float32"):
        ways = ways_in_bfloat16(recurrent, x)
    assert ways == {"layer": "float32"}
    found = forward_of(recurrent, "bfloat16", ways)(x)
    torch.testing.assert_close(found, recurrent(x), rtol=0, atol=0)


def test_nothing_is_left_behind() -> None:
    """Neither in the network nor in torch's generator; and the same is found twice."""
    model = network()
    model.train()
    model.norm.eval()
    state = state_of(model)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with Planted(SECOND), pytest.warns(PrecisionWarning):
        ways = [ways_in_bfloat16(model, sounds()) for _ in range(2)]
    assert ways[0] == ways[1]
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert model.training
    assert not model.norm.training
    assert all(not m._forward_pre_hooks and "forward" not in vars(m) for m in model.modules())


class Data:
    """Is the first of four sounds the loudest? Batches of 8 sounds, as a training cuts them."""

    steps_per_epoch = 4

    def __init__(self) -> None:
        self.inputs = torch.randn(32, 4, 64, generator=torch.Generator().manual_seed(0))
        self.targets = self.inputs.square().mean(2).argmax(1).clamp(max=2)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.inputs.split(8), self.targets.split(8), strict=True)

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        return self.batches(0)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)


SETTINGS = FitSettings(3, 8, 0.01, 0.0, "one_cycle", precision="bfloat16")


@pytest.mark.usefixtures("right")
def test_a_training_goes_round_the_wrong_kernel() -> None:
    """As good as one on a processor without it, and the kernel is only called to be compared."""
    undisturbed, disturbed = network(), network()
    expected = fit(undisturbed, Data(), SETTINGS, 1)
    before: list[int] = []
    with (
        Planted(SECOND) as planted,
        pytest.warns(PrecisionWarning, match="second .* by matrix product"),
    ):
        found = fit(
            disturbed, Data(), SETTINGS, 1, report=lambda epoch: before.append(planted.calls)
        )
    assert len(set(before)) == 1
    assert not any("forward" in vars(module) for module in disturbed.modules())
    for one, other in zip(found.history, expected.history, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=0.02)
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=0.02)


@pytest.mark.usefixtures("right")
def test_every_training_looks_again() -> None:
    model = network()
    fit(model, Data(), SETTINGS, 1)
    model.second = nn.Conv1d(6, 4, 18, stride=2)
    model.recurrent = nn.GRU(4, 7, batch_first=True)
    with Planted((4, 6, 18)), pytest.warns(PrecisionWarning, match="second"):
        fit(model, Data(), SETTINGS, 1)


def test_trainings_in_float32_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr("mirtrim.training.fitting.ways_in_bfloat16", refuse)
    fit(network(), Data(), FitSettings(1, 8, 0.01, 0.0, "one_cycle"), 1)
    with pytest.raises(AssertionError):
        fit(network(), Data(), SETTINGS, 1)


def _calls_in_training(model: nn.Module, inputs: Tensor) -> list[tuple[Any, Any]]:
    seen = []

    def see(layer: nn.Module, given: tuple[Tensor]) -> None:
        (x,) = given
        seen.append((layer, guard._Call(layer, torch.empty_like(x), x.requires_grad).kind))

    for layer in model.modules():
        if isinstance(layer, guard.LAYERS):
            layer.register_forward_pre_hook(see)
    model.train()
    forward_of(model, "bfloat16")(inputs)
    return seen


def test_calls_are_those_of_a_training_batch() -> None:
    """Shapes and layouts in evaluation are those in training."""
    for model, shape in (
        (SpectralCNN(frames=10, mel_bins=8, channels=6, hidden=8), (4, 1, 8, 10)),
        (ChordConvNet(widths=(3, 4, 5), hidden=6), (4, 1, 105, 15)),
        (Crepe(capacity=1, samples=256, first_kernel=32), (4, 1, 256)),
        (WaveformCNN(samples=1024, channels=5, hidden=6, kernel=16), (4, 1, 1024)),
    ):
        inputs = torch.randn(shape)
        recorded = [(c.layer, c.kind) for c in guard._calls(model, inputs)]
        assert recorded == _calls_in_training(model, inputs)
        assert len(recorded) == sum(isinstance(m, guard.LAYERS) for m in model.modules())


@pytest.mark.filterwarnings("ignore::mirtrim.training.PrecisionWarning")
@pytest.mark.parametrize("stride", [1, 4])
@pytest.mark.parametrize("channels", [1, 2, 4, 7, 8, 14, 16, 24])
def test_long_convolutions_agree_with_float32_on_this_processor(channels: int, stride: int) -> None:
    """With AMX and torch 2.13 many of these are wrong where nothing is done about them."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(channels, 16, 64, stride))
    inputs = torch.randn(16, channels, 512, requires_grad=True)
    ways = ways_in_bfloat16(model, inputs)
    results = []
    for outputs in (model(inputs), forward_of(model, "bfloat16", ways)(inputs)):
        weights = torch.randn(outputs.shape, generator=torch.Generator().manual_seed(1))
        gradients = torch.autograd.grad(outputs, [inputs, *model.parameters()], weights)
        results.append([outputs, *gradients])
    for exact, found in zip(*results, strict=True):
        assert (found - exact).norm() < 0.01 * exact.norm()


def test_signs_are_plus_and_minus_one() -> None:
    """In the layout and the type of what they stand for, both equally often."""
    like = torch.zeros(4, 8, 16, 16, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
    signs = guard._signs(like, torch.Generator().manual_seed(0))
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    assert (signs.dtype, signs.stride()) == (like.dtype, like.stride())
    assert abs(signs.float().mean().item()) < 0.05
