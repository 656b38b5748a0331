"""Exported networks compute what torch computes, or are not written."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from mirtrim.deploy import onnx_check, onnx_export
from mirtrim.deploy.onnx_export import OPSET, export_onnx
from mirtrim.deploy.onnx_network import OnnxNetwork
from mirtrim.deploy.onnx_session import open_session
from mirtrim.pruning.api import trim
from mirtrim.utils.errors import ArtefactError, TraceError
from tests.deploy.onnx_networks import MODELS, NETWORKS, made


class Function(nn.Module):
    """A linear layer and then any function."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(self.linear(x))


@torch.no_grad()
def largest_difference(network: nn.Module, path: Path, x: Tensor) -> float:
    return float((network.eval()(x) - OnnxNetwork(path)(x)).abs().max())


@pytest.mark.parametrize("name", NETWORKS)
def test_parity_at_any_batch(name: str, tmp_path: Path) -> None:
    network, x = made(name)
    assert export_onnx(network, x[:1], tmp_path / "a.onnx") <= 1e-5
    assert largest_difference(network, tmp_path / "a.onnx", torch.cat([x, x, x + 1])) < 1e-4
    assert [file.name for file in tmp_path.iterdir()] == ["a.onnx"]


@pytest.mark.parametrize("name", [*MODELS, "gru"])
def test_trimmed_networks(name: str, tmp_path: Path) -> None:
    network, x = made(name)
    small = trim(network, x[:1], 2)
    assert export_onnx(small, x, tmp_path / "small.onnx") <= 1e-5
    export_onnx(network, x, tmp_path / "dense.onnx")
    size, dense_size = ((tmp_path / f"{n}.onnx").stat().st_size for n in ("small", "dense"))
    assert size < 0.8 * dense_size


def test_attention(tmp_path: Path) -> None:
    """Whose fused kernels have no form in ONNX."""
    network = nn.Sequential(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True))
    assert export_onnx(network, torch.ones(1, 5, 6), tmp_path / "a.onnx") <= 1e-5
    assert largest_difference(network, tmp_path / "a.onnx", torch.randn(4, 5, 6)) < 1e-4


def test_a_sum_worked_by_hand(tmp_path: Path) -> None:
    network = nn.Linear(2, 1)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, 2.0]]))
        network.bias.fill_(3)
    assert export_onnx(network, torch.ones(1, 2), tmp_path / "a.onnx") == 0
    session = open_session(tmp_path / "a.onnx")
    assert [value.name for value in session.get_inputs()] == ["input"]
    assert [value.name for value in session.get_outputs()] == ["output"]
    (found,) = session.run(None, {"input": np.array([[1, 1], [10, 0]], np.float32)})
    assert found.tolist() == [[6], [13]]


def test_the_file_says_nothing_of_its_making_and_has_no_foldable_norm(tmp_path: Path) -> None:
    network, x = made("spectral")
    export_onnx(network, x, tmp_path / "a.onnx")
    model = onnx.load(tmp_path / "a.onnx")
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert (model.producer_name, model.producer_version) == ("mirtrim", "")
    content = (tmp_path / "a.onnx").read_bytes()
    assert b"pytorch" not in content
    assert b".py" not in content
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    weights = sum(tensor.ByteSize() for tensor in model.graph.initializer)
    assert len(content) < weights + 5_000


@pytest.mark.parametrize("name", ["crepe", "gru"])
def test_the_same_network_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    network, x = made(name)
    export_onnx(network, x, tmp_path / "a.onnx")
    export_onnx(network, x + 1, tmp_path / "b.onnx", seed=5)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_modes_are_left_as_they_were_and_nothing_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    network, x = made("chord")
    network.train()
    network.conv2.eval()
    before = {name: module.training for name, module in network.named_modules()}
    with pytest.raises(TraceError):
        export_onnx(Function(torch.linalg.svdvals), torch.ones(2, 6), tmp_path / "a.onnx")
    export_onnx(network, x, tmp_path / "a.onnx")
    assert {name: module.training for name, module in network.named_modules()} == before
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_a_changed_weight_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = made("waveform")

    def damaged(model: onnx.ModelProto) -> onnx.ModelProto:
        tensor = next(t for t in model.graph.initializer if t.name == "output.weight")
        value = onnx.numpy_helper.to_array(tensor) + np.float32(1e-3)
        tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
        return model

    monkeypatch.setattr(onnx_export, "fold_batch_norms", damaged)
    with pytest.raises(ArtefactError, match=r"a\.onnx: .* differs from torch by \d"):
        export_onnx(network, x, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
    assert 1e-5 < export_onnx(network, x, tmp_path / "a.onnx", limit=1) < 1


def test_a_branch_on_the_data_is_found(tmp_path: Path) -> None:
    network = Function(lambda y: y if y.sum() > 0 else -y)
    nn.init.ones_(network.linear.weight)
    with pytest.raises(ArtefactError, match="branches that depend on the data"):
        export_onnx(network, torch.ones(1, 6), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


class Branches(nn.Module):
    """A network that is another one for inputs that random ones do not reach."""

    def __init__(self, above: float) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.above = above

    def forward(self, x: Tensor) -> Tensor:
        y = self.linear(x)
        return torch.zeros_like(y) if x.max() > self.above else y + 112


@pytest.mark.parametrize("above", [-1e6, 0.0, 2.0, 50.0, 1e6])
def test_a_branch_that_no_check_meets_is_refused(tmp_path: Path, above: float) -> None:
    with pytest.raises(ArtefactError, match="branches that depend on the data"):
        export_onnx(Branches(above), torch.zeros(1, 6), tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "function",
    [
        lambda y: y * float(y.mean()),
        lambda y: y[:, : int(y.sum() * 0) + 3],
        lambda y: sum((row for row in y), torch.zeros(6)),
        lambda y: y if y.abs().max() < 1e9 else -y,
    ],
    ids=["a number", "an index", "a loop", "a check"],
)
def test_what_the_tracer_saw_once_is_refused(
    tmp_path: Path, function: Callable[[Tensor], object]
) -> None:
    with pytest.raises((ArtefactError, TraceError)) as caught:
        export_onnx(Function(function), torch.ones(1, 6), tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_the_check_meets_small_and_large_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float
) -> None:
    """Without the tracer's word for it."""
    monkeypatch.setattr(onnx_export, "_guess", lambda said: None)
    limits = {0.01: (0.05, True), 100.0: (50.0, False)}
    limit, below = limits[scale]
    network = Function(lambda y: y)
    network.forward = lambda x: (  # type: ignore[method-assign]
        network.linear(x) * (2.0 if bool(x.abs().max() < limit) is below else 1.0)
    )
    with pytest.raises(ArtefactError, match="differs from torch"):
        export_onnx(network, torch.ones(1, 6), tmp_path / "a.onnx")


@pytest.mark.parametrize(("kind", "name"), [(torch.float64, "float64"), (torch.float16, "float16")])
def test_another_precision_is_named(tmp_path: Path, kind: torch.dtype, name: str) -> None:
    x = torch.ones(1, 6)
    message = f"linear.weight is {name}, and only float32 is exported; call .float()"
    with pytest.raises(TraceError, match=message):
        export_onnx(Function(lambda y: y).to(kind), x.to(kind), tmp_path / "a.onnx")
    with pytest.raises(TraceError, match=f"input 0 is {name}"):
        export_onnx(Function(lambda y: y), x.to(kind), tmp_path / "a.onnx")


def test_a_fixed_batch_is_found(tmp_path: Path) -> None:
    network = nn.Sequential(Function(lambda y: y.reshape(len(y), 6)), nn.Linear(6, 2))
    with pytest.raises(ArtefactError, match=r"a\.onnx: .* batch of 3"):
        export_onnx(network, torch.ones(1, 6), tmp_path / "a.onnx")
    with pytest.raises(ArtefactError, match=r"gives \(1, 18\) where torch gives \(3, 6\)"):
        export_onnx(Function(lambda y: y.reshape(len(y), -1)), torch.ones(1, 6), tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_what_float32_rounds_in_torch_as_well_is_no_difference(tmp_path: Path) -> None:
    """A mean of 1000 and a deviation of 0.01: a last digit of 6e-5 becomes 6e-3, before and after
    the batch norm is folded into the layer."""
    torch.manual_seed(0)  # one draw in ten rounds so little that it is refused
    network = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, eps=0.0), nn.Linear(4, 2))
    with torch.no_grad():
        network[0].bias.fill_(1000.0)
    network[1].running_mean.fill_(1000.0)
    network[1].running_var.fill_(1e-4)
    difference = export_onnx(network.eval(), torch.randn(3, 6), tmp_path / "a.onnx")
    assert 1e-5 < difference < 1e-1


class Drawing(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.rand(x.shape[0], 1)


def test_what_a_network_draws_is_no_rounding(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="differs from torch by"):
        export_onnx(Drawing(6, 2), torch.ones(3, 6), tmp_path / "a.onnx")


class Flagged(nn.Linear):
    """Asks for a truth value and a number, which the tracer would make tensors of."""

    def forward(self, x: Tensor, doubled: bool = False, power: int = 1) -> Tensor:
        assert isinstance(doubled, bool)
        assert isinstance(power, int)
        return super().forward(x) ** power


@pytest.mark.parametrize(
    ("network", "x"),
    [
        (nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), torch.ones(3, 5, 6)),
        (Flagged(6, 2), torch.ones(3, 6)),
    ],
)
def test_arguments_with_defaults_keep_them(network: nn.Module, x: Tensor, tmp_path: Path) -> None:
    assert export_onnx(network, x, tmp_path / "a.onnx") <= 1e-5
    assert all(module.training for module in network.modules())


class Stateful(nn.Module):
    """Starts from a state for one example."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(6, 3, batch_first=True)
        self.register_buffer("start", torch.zeros(1, 1, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.memory(x, self.start)[0]


@pytest.mark.parametrize(
    ("network", "x"),
    [
        (nn.Sequential(nn.Unflatten(0, (1, 1)), nn.Flatten(), nn.Linear(6, 2)), torch.ones(1, 6)),
        (Function(lambda y: y.reshape(1, 6)), torch.ones(1, 6)),
        (Stateful(), torch.ones(1, 5, 6)),
    ],
)
def test_a_network_for_one_batch_only_is_one_line(
    network: nn.Module, x: Tensor, tmp_path: Path
) -> None:
    message = r"a batch of 1, and not on random inputs in a batch of 3 \(.+\); if it is fixed"
    with pytest.raises(ArtefactError, match=message) as caught:
        export_onnx(network, x, tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_as_many_outputs_as_examples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="gives 2 outputs where torch gives 1; their number"):
        export_onnx(
            Function(lambda y: [y + n for n in range(len(y))]),
            torch.ones(2, 6),
            tmp_path / "a.onnx",
        )


def test_an_input_without_a_part_is_named(tmp_path: Path) -> None:
    class First(nn.Linear):
        def forward(self, unused: Tensor, x: Tensor) -> Tensor:
            return super().forward(x)

    inputs = (torch.ones(1, 3), torch.ones(1, 6))
    with pytest.raises(
        TraceError, match=r"First cannot be exported: input 0 \(from 0\) has no part"
    ):
        export_onnx(First(6, 2), inputs, tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.LazyLinear(2)), "0.weight of a lazy module has no shape yet"),
        (torch.jit.script(nn.Sequential(nn.Linear(6, 2))), "is scripted"),
    ],
)
def test_lazy_and_scripted_modules_are_refused(
    network: nn.Module, message: str, tmp_path: Path
) -> None:
    with pytest.raises(TraceError, match=message):
        export_onnx(network, torch.ones(1, 6), tmp_path / "a.onnx")


def test_outputs_without_a_fraction_are_compared(tmp_path: Path) -> None:
    network = Function(lambda y: (y, y > 0, y.argmax(1), (y > 0).to(torch.uint8)))
    assert export_onnx(network, torch.ones(1, 6), tmp_path / "a.onnx") <= 1e-5
    # One less than nothing is 255 to a byte.
    for kind in (np.bool_, np.uint8, np.int64):
        zero, one = np.array([0], kind), np.array([1], kind)
        assert onnx_check._relative(zero, one) == onnx_check._relative(one, zero) == 1
        assert onnx_check._relative(one, one) == 0


def test_an_output_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="differs from torch by nan"):
        export_onnx(Function(lambda y: y / 0), torch.ones(1, 6), tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (torch.linalg.svdvals, "Function cannot be exported: .*linalg_svdvals"),
        (
            lambda y: nn.functional.adaptive_avg_pool1d(y[:, None], 4),
            "adaptive_avg_pool1d, output size that are not factor of input size; replace",
        ),
        (lambda y: {"a": y}, "Function returns dict; only a tensor"),
        (lambda y: (), "Function returns tuple"),
    ],
)
def test_what_cannot_be_exported_is_named(
    function: Callable[[Tensor], object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(TraceError, match=message) as caught:
        export_onnx(Function(function), torch.ones(2, 6), tmp_path / "a.onnx")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    class Lookup(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(4, 3)

        def forward(self, x: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
            y = self.table(index)
            return x + y, x * y

    # The first entries of the table are never asked for: an index of 4 would be out of range.
    inputs = (torch.ones(2, 3), torch.tensor([1, 3]))
    assert export_onnx(Lookup(), inputs, tmp_path / "a.onnx") == 0
    session = open_session(tmp_path / "a.onnx")
    assert [value.name for value in session.get_inputs()] == ["input", "input_1"]
    assert [value.name for value in session.get_outputs()] == ["output", "output_1"]


def test_difference_relative_to_the_largest_output_above_one() -> None:
    expected = np.array([[1.0, -4.0]])
    assert onnx_check._relative(np.array([[1.0, -5.0]]), expected) == 0.25
    assert onnx_check._relative(np.array([0.5]), np.array([0.25])) == 0.25
