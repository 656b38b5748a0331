"""Classification of raw waveforms: instruments, singing techniques.

The network of the replicated paper: three strided convolutions over the samples, the last of
which squeezes the channels, then two linear stages and the classes.
"""

from torch import Tensor, nn

from mirtrim.utils.errors import ConfigError

PADDING = 6


class WaveformCNN(nn.Module):
    """Logits of one class per window of samples.

    Args:
        samples: length of a window. Published: 32 768 at 22 050 Hz (instruments), 132 300 at
            44 100 Hz (singing).
        classes: published 13 (instruments), 10 (singing).
        kernel: samples under each filter, published 64 (instruments), 256 (singing); the
            stride is a sixteenth of it.
        channels: units of the first two convolutions.
        hidden: units of the linear stages.
        bottleneck_channels: channels of the third convolution. The published value of 1 spares
            the published code from following units through the flattening.
        dropout: probability of zeroing a channel or a neuron.
    """

    def __init__(
        self,
        *,
        samples: int = 32768,
        classes: int = 13,
        kernel: int = 64,
        channels: int = 64,
        hidden: int = 512,
        bottleneck_channels: int = 1,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        stride = kernel // 16
        length = samples
        for _ in range(3):
            length = (length + 2 * PADDING - kernel) // stride + 1
        if length < 1:
            raise ConfigError(
                f"{samples} samples are too few for three convolutions with kernel {kernel} and "
                f"stride {stride}; lengthen the window or shrink the kernel"
            )
        self.conv1 = convolution_stage(1, channels, kernel, stride, dropout)
        self.conv2 = convolution_stage(channels, channels, kernel, stride, dropout)
        self.conv3 = nn.Conv1d(channels, bottleneck_channels, kernel, stride, PADDING)
        self.linear1 = linear_stage(bottleneck_channels * length, hidden, dropout)
        self.linear2 = linear_stage(hidden, hidden, dropout)
        self.output = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Samples (batch, 1, samples) → logits (batch, classes)."""
        x = self.conv1(x)  # (batch, channels, 8180) for the published instrument network
        x = self.conv2(x)  # (batch, channels, 2033)
        x = self.conv3(x)  # (batch, bottleneck_channels, 496)
        x = self.linear1(x.flatten(1))  # (batch, hidden)
        x = self.linear2(x)
        return self.output(x)

    def published_protected(self) -> tuple[str, ...]:
        """Names of the layers whose units the replicated paper never removes."""
        return ("conv3", "output")


def convolution_stage(
    inputs: int, outputs: int, kernel: int, stride: int, dropout: float
) -> nn.Sequential:
    """Convolution, batch norm, ReLU, channel dropout."""
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, stride, PADDING),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
        nn.Dropout1d(dropout),
    )


def linear_stage(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """Linear layer, batch norm, ReLU, dropout."""
    return nn.Sequential(
        nn.Linear(inputs, outputs),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
        nn.Dropout(dropout),
    )
