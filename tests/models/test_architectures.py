"""Parameter counts, stage sizes and output shapes against the published tables."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.models.chord_convnet import ChordConvNet, RelativeNoise
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.models.waveform import WaveformCNN
from mirtrim.utils.errors import ConfigError


def parameter_count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def stage_shapes(network: nn.Module, example: Tensor) -> dict[str, tuple[int, ...]]:
    """Output shape of every direct child that ran, without the batch axis."""
    shapes = {}

    def note(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            shapes[name] = tuple(output.shape[1:])

        return hook

    for name, child in network.named_children():
        child.register_forward_hook(note(name))
    with torch.no_grad():
        network.eval()(example)
    return shapes


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (SpectralCNN(detectors=3, outputs_per_frame=2), 8_038_701),
        (SpectralCNN(detectors=1, outputs_per_frame=2), 5_730_405),
        (SpectralCNN(detectors=1, outputs_per_frame=2, detector_hidden=False), 4_678_757),
        (WaveformCNN(), 796_558),
        (WaveformCNN(samples=132_300, classes=10, kernel=256), 1_360_779),
        (ChordConvNet(), 416_207),
        (Crepe(capacity=4), 486_552),
        (Crepe(capacity=16), 5_877_288),
        (Crepe(capacity=32), 22_239_976),
        # By hand: six convolutions 8224 + 8196 + 1028 + 1028 + 2056 + 8208, their norms
        # 2 · 68, and an output of 360 · (2 · 16 + 1).
        (Crepe(capacity=1, samples=512, first_kernel=256), 40_756),
    ],
)
def test_published_parameter_counts(network: nn.Module, expected: int) -> None:
    assert parameter_count(network) == expected


def test_spectral_stages() -> None:
    network = SpectralCNN(detectors=3)
    assert parameter_count(network.conv1) == 6_656 + 512
    assert parameter_count(network.conv2) == 1_638_656 + 512
    assert parameter_count(network.conv3) == 6_401
    assert parameter_count(network.linear1) == 820_224 + 2_048
    assert parameter_count(network.linear2) == 1_049_600 + 2_048
    assert parameter_count(network.branch) == 1_049_600
    shapes = stage_shapes(network, torch.zeros(2, 1, 64, 50))
    assert shapes == {
        "conv1": (256, 32, 50),
        "conv2": (256, 16, 50),
        "conv3": (1, 16, 50),
        "linear1": (1024,),
        "linear2": (1024,),
        "branch": (1024,),
    }


def test_spectral_outputs() -> None:
    example = torch.zeros(4, 1, 32, 20)
    sizes = {"frames": 20, "mel_bins": 32, "channels": 4, "hidden": 8}
    assert SpectralCNN(detectors=3, **sizes)(example).shape == (4, 3, 20)
    assert SpectralCNN(**sizes)(example).shape == (4, 1, 20)
    two_classes = SpectralCNN(detectors=3, outputs_per_frame=2, **sizes)
    assert two_classes(example).shape == (4, 3, 2, 20)
    wide = SpectralCNN(bottleneck_channels=5, **sizes)
    assert wide.linear1[0].in_features == 5 * 8 * 20
    assert wide(example).shape == (4, 1, 20)


def test_spectral_head_columns_are_classes_then_frames() -> None:
    network = SpectralCNN(frames=3, channels=2, hidden=4, outputs_per_frame=2).eval()
    output = network.heads[0].output
    nn.init.zeros_(output.weight)
    output.bias.data = torch.arange(6.0)
    logits = network(torch.zeros(1, 1, 64, 3))
    assert logits[0, 0].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("network", "samples", "lengths", "classes"),
    [
        (WaveformCNN(), 32_768, (8180, 2033, 496), 13),
        (WaveformCNN(samples=132_300, classes=10, kernel=256), 132_300, (8254, 501, 17), 10),
    ],
)
def test_waveform_stages(
    network: WaveformCNN, samples: int, lengths: tuple[int, int, int], classes: int
) -> None:
    assert stage_shapes(network, torch.zeros(1, 1, samples)) == {
        "conv1": (64, lengths[0]),
        "conv2": (64, lengths[1]),
        "conv3": (1, lengths[2]),
        "linear1": (512,),
        "linear2": (512,),
        "output": (classes,),
    }


def test_narrow_waveform() -> None:
    network = WaveformCNN(samples=4096, classes=3, channels=4, hidden=8, bottleneck_channels=2)
    assert network(torch.zeros(2, 1, 4096)).shape == (2, 3)


def test_crepe_stages() -> None:
    assert stage_shapes(Crepe(), torch.zeros(1, 1, 1024)) == {
        "stage1": (128, 128),
        "stage2": (16, 64),
        "stage3": (16, 32),
        "stage4": (16, 16),
        "stage5": (32, 8),
        "stage6": (64, 4),
        "output": (360,),
    }


def test_crepe_of_half_the_samples_has_half_the_positions() -> None:
    network = Crepe(capacity=1, samples=512, first_kernel=256)
    shapes = stage_shapes(network, torch.zeros(1, 1, 512))
    assert (shapes["stage1"], shapes["stage6"]) == ((32, 64), (16, 2))
    with pytest.raises(ConfigError, match="multiple of 256"):
        Crepe(samples=500)


def test_crepe_begins_at_its_prior() -> None:
    network = Crepe(capacity=1, prior=0.2).eval()
    nn.init.zeros_(network.output.weight)
    nn.init.zeros_(network.output.bias)
    activation = network(torch.randn(2, 1, 1024)).sigmoid()
    torch.testing.assert_close(activation, torch.full((2, 360), 0.2))


def test_crepe_pads_one_zero_more_on_the_right() -> None:
    """'Same' padding of 64 taps: position t sees samples t − 31 … t + 32."""
    stage = Crepe().stage2
    stage.pool, stage.norm = nn.Identity(), nn.Identity()
    nn.init.ones_(stage.convolution.weight)
    nn.init.zeros_(stage.convolution.bias)
    signal = torch.zeros(1, 128, 128)
    signal[0, 0, 60] = 1
    reached = stage.eval()(signal)[0, 0].nonzero().flatten()
    assert (reached.min().item(), reached.max().item(), len(reached)) == (28, 91, 64)


def test_chord_stages() -> None:
    assert stage_shapes(ChordConvNet(), torch.zeros(1, 1, 105, 15)) == {
        "normalise": (1, 105, 15),
        "noise": (1, 105, 15),
        "conv1": (16, 83, 12),
        "pool": (16, 81, 12),
        "conv2": (20, 55, 7),
        "conv3": (24, 29, 2),
        "linear": (200,),
        "output": (25,),
    }


def test_noise_is_relative_and_only_in_training() -> None:
    noise = RelativeNoise(0.3)
    values = torch.tensor([0.0, 2.0, -10.0]).repeat(20_000, 1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        deviations = noise(values).std(dim=0)
    torch.testing.assert_close(deviations, torch.tensor([0.0, 0.6, 3.0]), rtol=0.02, atol=0)
    assert torch.equal(noise.eval()(values), values)


@pytest.mark.parametrize(
    "network",
    [
        SpectralCNN(channels=2, hidden=4, detectors=2),
        SpectralCNN(channels=2, hidden=4, detector_hidden=False),
        WaveformCNN(samples=4096, channels=2, hidden=4),
        Crepe(capacity=1),
        ChordConvNet(widths=(2, 2, 2), hidden=4),
    ],
)
def test_published_protection_names_weighted_layers(network: nn.Module) -> None:
    for name in network.published_protected():
        assert isinstance(network.get_submodule(name), (nn.Conv1d, nn.Conv2d, nn.Linear))
