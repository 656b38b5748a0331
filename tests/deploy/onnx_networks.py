"""Networks that the tests of exporting and quantising share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mirtrim.models.chord_convnet import ChordConvNet
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.models.waveform import WaveformCNN


class Recurrent(nn.Module):
    """Convolution over time, a recurrent layer, 3 outputs per frame."""

    def __init__(self, kind: type[nn.RNNBase], bidirectional: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(8, 16, 5, padding=2)
        self.recurrent = kind(16, 12, batch_first=True, bidirectional=bidirectional)
        self.output = nn.Linear(12 * (1 + bidirectional), 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.convolution(x)).transpose(1, 2)
        return self.output(self.recurrent(x)[0])


class Residual(nn.Module):
    """A skip over a convolution with batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(4, 8, 3, padding=1)
        self.second = nn.Sequential(nn.Conv1d(8, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU())
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.output((x + self.second(x)).mean(2))


class Gated(nn.Module):
    """Half of the channels open and shut the other half."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(4, 16, 3, padding=1)
        self.output = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        values, gates = self.convolution(x).chunk(2, 1)
        return self.output((values * torch.sigmoid(gates)).mean(2))


# Name → how to make it, and the shape of one example.
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "spectral": (
        lambda: SpectralCNN(frames=10, mel_bins=16, channels=4, hidden=32, detectors=3),
        (1, 16, 10),
    ),
    "waveform": (
        lambda: WaveformCNN(samples=2048, classes=5, channels=4, hidden=16, bottleneck_channels=2),
        (1, 2048),
    ),
    "crepe": (lambda: Crepe(capacity=1, samples=256, first_kernel=64, bins=40), (1, 256)),
    "chord": (lambda: ChordConvNet(widths=(4, 4, 6), hidden=20), (1, 105, 15)),
}
OTHERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "gru": (lambda: Recurrent(nn.GRU, True), (8, 40)),
    "lstm": (lambda: Recurrent(nn.LSTM, False), (8, 40)),
    "residual": (Residual, (4, 30)),
    "gated": (Gated, (4, 30)),
}
NETWORKS = {**MODELS, **OTHERS}


def scrambled(network: nn.Module, seed: int = 0) -> nn.Module:
    """Batch norms that do something, as after a training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
                if module.affine:
                    module.weight.uniform_(0.5, 1.5, generator=generator)
                    module.bias.normal_(generator=generator)
    return network


def made(name: str, seed: int = 0) -> tuple[nn.Module, Tensor]:
    """A network with fixed weights and a batch of 2 examples for it."""
    make, shape = NETWORKS[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return scrambled(make()), torch.randn(2, *shape)


@torch.no_grad()
def settle(network: nn.Module, x: Tensor) -> None:
    """Let batch norms measure `x`, so that activations have the scale of a trained network."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
            module.train()
    network(x)
    network.eval()
