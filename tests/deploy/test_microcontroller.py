"""Files that TensorFlow Lite Micro runs: same outputs, honest memory, same bytes twice."""

import itertools
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mirtrim.deploy.tflite import packages
from mirtrim.models.chord_convnet import ChordConvNet
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.models.waveform import WaveformCNN
from mirtrim.utils.errors import ArtefactError, ConfigError, TraceError

pytest.importorskip("tflite_micro")

from mirtrim.deploy import microcontroller
from mirtrim.deploy.microcontroller import TfliteNetwork, export_tflite, measure_arena

NETWORKS = {
    "drums": (
        lambda: SpectralCNN(frames=12, mel_bins=16, channels=3, hidden=9, detectors=3),
        (16, 12),
    ),
    "onset": (lambda: SpectralCNN(frames=12, mel_bins=16, channels=2, hidden=8), (16, 12)),
    "instrument": (
        lambda: WaveformCNN(
            samples=1500, classes=5, kernel=32, channels=3, hidden=7, bottleneck_channels=2
        ),
        (1500,),
    ),
    "pitch": (lambda: Crepe(capacity=1, samples=256, first_kernel=64, prior=0.01), (256,)),
    "chord": (lambda: ChordConvNet(widths=(2, 3, 4), hidden=6), (105, 15)),
}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def with_random_norms(model: nn.Module) -> nn.Module:
    """Trained-like statistics, some gains negative: a norm that is forgotten shows."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                if module.affine:
                    module.weight.normal_(generator=generator)
                    module.bias.normal_(generator=generator)
    return model.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_architecture_computes_what_it_computes_in_torch(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    make, positions = NETWORKS[name]
    model, inputs = with_random_norms(make()), random(3, 1, *positions)
    path = tmp_path / "network.tflite"
    expected = model(inputs).detach()
    assert export_tflite(model, inputs, path) <= 1e-5
    outputs = TfliteNetwork.from_file(path)(inputs)
    assert outputs.shape == expected.shape
    torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-5)
    fp32_bytes, fp32_arena = path.stat().st_size, measure_arena(path)
    calibration = random(24, 1, *positions, seed=3)
    difference = export_tflite(model, inputs, path, [calibration[:20], calibration[20:]])
    span = float(expected.max() - expected.min())
    assert 0 < difference < 0.15 * span
    error = (TfliteNetwork.from_file(path)(inputs) - expected).square().mean().sqrt()
    assert error < 0.05 * span  # a wrong scale or zero point anywhere is far above it
    arena = measure_arena(path)
    assert path.stat().st_size < fp32_bytes
    assert arena.activation_bytes < fp32_arena.activation_bytes / 3
    for found in (arena, fp32_arena):
        assert found.needed_bytes >= found.used_bytes
        assert found.used_bytes >= found.activation_bytes + found.persistent_bytes


def test_int8_by_hand(tmp_path: Path) -> None:
    """y = 2.54 x₁ − x₂ + 1, x from −1 to 4.1 in steps of 0.02, weights in steps of 0.02.

    At x = (1, 0.5): integers 50 and 25 above zero, weights 127 and −50, bias 2500 steps of
    0.0004: 50·127 − 25·50 + 2500 = 7600 steps = 3.04. Calibration sees y from −5.64 to 7.414 …
    """
    model = nn.Linear(2, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[2.54, -1.0]]))
        model.bias.fill_(1.0)
    calibration = torch.tensor([[-1.0, 4.1], [4.1, 4.0]])  # y = −5.64 and 7.414
    path = tmp_path / "network.tflite"
    export_tflite(model, calibration, path, [calibration])
    step = (7.414 + 5.64) / 255
    network = TfliteNetwork.from_file(path)
    found = network(torch.tensor([[1.0, 0.5]])).item()
    # The zero point is −128 + round(5.64 / step) = −18, 3.04 is 59 steps above it.
    assert round(3.04 / step) == 59
    assert found == pytest.approx(59 * step, abs=1e-5)
    # Inputs beyond what calibration has seen are clipped to it.
    assert network(torch.tensor([[9.0, 4.0]])).item() == network(torch.tensor([[4.1, 4.0]])).item()


def test_activations_by_hand(tmp_path: Path) -> None:
    """40 → 24 → 8 numbers in fp32: 160 + 96 bytes live together, at most, each a multiple of 16."""
    model = nn.Sequential(nn.Linear(40, 24), nn.ReLU(), nn.Linear(24, 8))
    path = tmp_path / "network.tflite"
    export_tflite(model, torch.zeros(1, 40), path)
    assert measure_arena(path).activation_bytes == 160 + 96
    assert path.stat().st_size > 4 * (40 * 24 + 24 + 24 * 8 + 8)


def test_planning_many_small_layers_needs_more_than_running_them(tmp_path: Path) -> None:
    path = tmp_path / "network.tflite"
    export_tflite(nn.Sequential(*(nn.Linear(2, 2) for _ in range(20))), torch.zeros(1, 2), path)
    arena = measure_arena(path)
    assert arena.activation_bytes == 2 * 16  # 8 bytes each, aligned
    assert arena.needed_bytes > arena.used_bytes + 20 * 32


class Zoo(nn.Module):
    """Whatever the five architectures do not use."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(3, 6, (3, 2), groups=3, padding=1)
        self.side = nn.Conv2d(6, 6, 1)
        self.norm = nn.BatchNorm2d(6)
        self.linear = nn.Linear(12 * 4 * 3, 5)
        self.late_norm = nn.BatchNorm1d(5)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.depthwise(x))
        y = y + functional.relu(self.norm(self.side(y)))
        y = functional.pad(torch.cat([y, y * -0.5], dim=1), (0, 1, 1, 0))
        y = functional.max_pool2d(y, 2)
        return self.late_norm(functional.relu(self.linear(y.flatten(1))))


def test_channels_residuals_and_norms_anywhere(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, inputs = with_random_norms(Zoo()), random(4, 3, 7, 4)
    assert export_tflite(model, inputs, tmp_path / "a.tflite") <= 1e-5
    expected = model(inputs).detach()
    int8 = export_tflite(model, inputs, tmp_path / "b.tflite", [inputs])
    assert int8 < 0.05 * float(expected.max() - expected.min())


CASES = list(itertools.product((1, 2, 5, 8), (1, 2, 3), (0, 1, 3), (9, 16)))


@pytest.mark.parametrize("case", CASES[::7], ids=str)
def test_convolutions_of_many_shapes(case: tuple[int, ...], tmp_path: Path) -> None:
    kernel, stride, padding, length = case
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 3, (kernel, 2), (stride, 1), (padding, 1)), nn.Flatten(), nn.LazyLinear(4)
    )
    inputs = random(2, 2, length, 5)
    model(inputs)
    assert export_tflite(model, inputs, tmp_path / "network.tflite") <= 1e-5


def test_same_bytes_twice_and_constants_aligned(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, inputs = with_random_norms(NETWORKS["drums"][0]()), random(2, 1, 16, 12)
    files = []
    for calibration in ([inputs], [inputs], None, None):
        export_tflite(model, inputs, tmp_path / "network.tflite", calibration)
        files.append((tmp_path / "network.tflite").read_bytes())
    assert files[0] == files[1] != files[2] == files[3]
    for content in files[1:3]:
        found = packages.schema().Model.GetRootAsModel(content, 0)
        everything = np.frombuffer(content, np.uint8)
        starts = [
            found.Buffers(index).DataAsNumpy().ctypes.data - everything.ctypes.data
            for index in range(1, found.BuffersLength())
        ]
        assert len(starts) > 20
        assert {start % 16 for start in starts} == {0}


def test_a_wrong_file_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(graph: Any) -> Any:
        layers = lower(graph)
        layers.layers[0].bias += 1e-3
        return layers

    lower = microcontroller.lower
    monkeypatch.setattr(microcontroller, "lower", forgetful)
    with pytest.raises(TraceError, match="Linear as .tflite differs from PyTorch by 0.001"):
        export_tflite(nn.Linear(2, 2), torch.zeros(1, 2), tmp_path / "network.tflite")
    assert not list(tmp_path.iterdir())


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.tflite"
    with pytest.raises(ArtefactError, match="cannot be read"):
        measure_arena(path)
    path.write_bytes(b"no network")
    with pytest.raises(ArtefactError, match="is no .tflite file"):
        TfliteNetwork.from_file(path)
    export_tflite(nn.Linear(20, 20), torch.zeros(1, 20), path)
    content = path.read_bytes()
    for length in (8, 40, len(content) // 2):
        path.write_bytes(content[:length])
        with pytest.raises(ArtefactError, match="does not run in TensorFlow Lite Micro"):
            measure_arena(path)
        with pytest.raises(ArtefactError):
            TfliteNetwork.from_file(path)


def test_what_to_install_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "tflite_micro"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tflite_micro", None)
    with pytest.raises(
        ConfigError, match=r"package tflite_micro .* pip install 'mirtrim\[boards\]'"
    ):
        export_tflite(nn.Linear(2, 2), torch.zeros(1, 2), tmp_path / "network.tflite")
    assert not os.listdir(tmp_path)
