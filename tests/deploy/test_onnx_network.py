"""ONNX files called like torch networks."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mirtrim.deploy.onnx_export import export_onnx
from mirtrim.deploy.onnx_network import OnnxNetwork
from mirtrim.deploy.onnx_session import first_line, open_session
from mirtrim.utils.errors import ArtefactError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """y = x summed over three entries, twice."""
    network = nn.Linear(3, 2)
    nn.init.ones_(network.weight)
    nn.init.zeros_(network.bias)
    export_onnx(network, torch.zeros(1, 3), tmp_path / "sums.onnx")
    return tmp_path / "sums.onnx"


@pytest.mark.parametrize("threads", [1, 2])
def test_it_is_called_like_a_network(path: Path, threads: int) -> None:
    network = OnnxNetwork(path, threads=threads)
    network.eval()
    assert isinstance(network, nn.Module)
    assert not list(network.parameters())
    for batch in (1, 2, 5):
        output = network(torch.arange(3.0).repeat(batch, 1).requires_grad_())
        assert isinstance(output, Tensor)
        assert output.dtype == torch.float32
        assert output.tolist() == [[3, 3]] * batch
    # A slice of a larger tensor does not lie in one piece.
    assert network(torch.arange(12.0).reshape(3, 4)[:, 1:].contiguous()[:2]).tolist() == [
        [6, 6],
        [18, 18],
    ]
    assert network(torch.ones(3, 2).T).tolist() == [[3, 3]] * 2


def test_sessions_run_in_order_with_their_threads(path: Path) -> None:
    options = open_session(path, threads=2).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert options.execution_mode.name == "ORT_SEQUENTIAL"
    assert options.graph_optimization_level.name == "ORT_ENABLE_ALL"


def test_errors_name_the_file(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ArtefactError, match=r"nowhere\.onnx is missing"):
        OnnxNetwork(path.with_name("nowhere.onnx"))
    damaged = path.with_name("damaged.onnx")
    damaged.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ArtefactError, match=r"damaged\.onnx cannot be loaded \(.*\); export"):
        OnnxNetwork(damaged)
    with pytest.raises(ArtefactError, match=r"sums\.onnx does not run on torch.float32 \(1, 4\)"):
        OnnxNetwork(path)(torch.zeros(1, 4))
    with pytest.raises(ArtefactError, match=r"does not run on torch.float64 \(1, 3\)"):
        OnnxNetwork(path)(torch.zeros(1, 3, dtype=torch.float64))
    assert capfd.readouterr() == ("", "")


def test_one_input_and_one_output(tmp_path: Path) -> None:
    class Both(nn.Module):
        def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            return x + y, x - y, x * y

    export_onnx(Both(), (torch.ones(1, 2), torch.ones(1, 2)), tmp_path / "both.onnx")
    with pytest.raises(ArtefactError, match=r"both\.onnx has 2 inputs and 3 outputs"):
        OnnxNetwork(tmp_path / "both.onnx")


def test_first_line() -> None:
    assert first_line(ValueError(" one\ntwo")) == "one"
    assert first_line(KeyboardInterrupt()) == "KeyboardInterrupt"
