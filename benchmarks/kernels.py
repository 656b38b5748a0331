"""Training steps with our kernels beside torch alone, one thread.

python benchmarks/kernels.py

The networks of the default profile, whole and trimmed. The second table takes single convolutions
forward and backward, those that are left to torch included: the limits in
`mirtrim.training.kernels.convolutions` come from it. The third takes pooling and dropout.
"""

from collections.abc import Callable
from functools import partial
from unittest import mock

import torch
from timing import interleaved, print_table, take_no_arguments
from torch import Tensor, nn

import mirtrim
from mirtrim.models.chord_convnet import ChordConvNet
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.models.waveform import WaveformCNN
from mirtrim.tasks.windows import as_images
from mirtrim.training.forwarding import forward_of
from mirtrim.training.kernels import convolutions, faster_kernels

STEPS = 3
REPEATS = 9
RATIOS = (1, 4, 10)
LAYER_BATCH = 32
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "instrument": (
        lambda: WaveformCNN(
            samples=4096, classes=8, channels=8, hidden=128, bottleneck_channels=4, dropout=0.0
        ),
        (32, 1, 4096),
    ),
    "pitch": (
        lambda: Crepe(capacity=1, samples=512, first_kernel=256, dropout=0.05),
        (64, 1, 512),
    ),
    "chord": (
        lambda: ChordConvNet(
            widths=(8, 10, 12), hidden=100, noise=0.1, dropout=0.3, affine_input=False
        ),
        (64, 1, 105, 15),
    ),
    "drums": (
        lambda: SpectralCNN(mel_bins=32, channels=8, hidden=384, detectors=3),
        (32, 1, 32, 50),
    ),
    "onset": (
        lambda: SpectralCNN(mel_bins=32, channels=8, hidden=256),
        (32, 1, 32, 50),
    ),
}
# Channels, units, kernel, stride, zeros at either end, shape of an image: layers of the networks
# above first, then others.
LAYERS: tuple[tuple[int, int, tuple[int, ...], int, int, tuple[int, ...]], ...] = (
    (1, 8, (64,), 4, 6, (4096,)),
    (8, 8, (64,), 4, 6, (1012,)),
    (1, 32, (256,), 4, 126, (512,)),
    (32, 4, (64,), 1, 31, (65,)),
    (1, 8, (25, 6), 1, 1, (105, 15)),
    (8, 10, (27, 6), 1, 0, (81, 12)),
    (10, 12, (27, 6), 1, 0, (55, 7)),
    (3, 3, (64,), 4, 6, (1012,)),
    (16, 16, (64,), 4, 6, (1012,)),
    (64, 64, (64,), 4, 6, (1012,)),
    (64, 8, (64,), 1, 31, (129,)),
    (4, 5, (27, 6), 1, 0, (81, 12)),
    (4, 4, (9,), 1, 4, (128,)),
)
# Pooling and dropout of the same networks.
OTHERS: tuple[tuple[str, nn.Module, tuple[int, ...]], ...] = (
    ("maximum of 3 rows, stride 1", nn.MaxPool2d((3, 1), stride=1), (64, 8, 83, 12)),
    ("maximum of 2 samples", nn.MaxPool1d(2), (64, 32, 128)),
    ("dropout", nn.Dropout(0.3), (64, 8, 83, 12)),
    ("dropout", nn.Dropout(0.05), (64, 4, 32)),
)

# A network that has this is one for which replacing pays.
LONG = nn.Conv1d(1, 1, 20)


def stepper(network: nn.Module, inputs: Tensor, ours: bool) -> Callable[[], None]:
    """A function that makes STEPS training steps."""
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    forward = forward_of(network) if ours else network

    def run() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad(set_to_none=True)
            forward(inputs).square().mean().backward()
            optimizer.step()

    return run


def inputs_of(shape: tuple[int, ...]) -> Tensor:
    """Random inputs, in the layout that a job gives them: it decides which kernels torch takes."""
    if len(shape) == 3:
        return torch.randn(shape)
    batch, _, bands, frames = shape
    return as_images(torch.randn(batch, frames, bands))


def steps() -> list[list[str]]:
    """One row per network and ratio."""
    rows = []
    for name, (factory, shape) in NETWORKS.items():
        for ratio in RATIOS:
            network = factory()
            inputs = inputs_of(shape)
            if ratio > 1:
                network = mirtrim.trim(network, inputs[:2], ratio)
            network.train()
            times = interleaved([stepper(network, inputs, ours) for ours in (True, False)], REPEATS)
            label = f"trimmed, {ratio}x" if ratio > 1 else "dense"
            rows.append([f"{name}, {label}", *measured(times, STEPS)])
    return rows


def layers() -> list[list[str]]:
    """One row per layer."""
    rows = []
    for channels, units, kernel, stride, zeros, image in LAYERS:
        kind = (nn.Conv1d, nn.Conv2d)[len(kernel) - 1]
        layer = kind(channels, units, kernel, stride, zeros)
        inputs = torch.randn(LAYER_BATCH, channels, *image, requires_grad=channels > 1)
        weights = torch.randn_like(layer(inputs))
        chosen = convolutions._pays(layer.weight)

        def plain(layer: nn.Module = layer, inputs: Tensor = inputs, w: Tensor = weights) -> None:
            layer(inputs).backward(w)

        def product(layer: nn.Module = layer, inputs: Tensor = inputs, w: Tensor = weights) -> None:
            with mock.patch.object(convolutions, "_pays", return_value=True):
                forward_of(layer)(inputs).backward(w)

        times = interleaved([product, plain], REPEATS)
        shape = f"{channels} → {units}, {'x'.join(map(str, kernel))}, stride {stride}"
        where = "x".join(map(str, image))
        rows.append([f"{shape}, over {where}", *measured(times, 1), "ours" if chosen else "torch"])
    return rows


def others() -> list[list[str]]:
    """One row per layer without weights."""
    rows = []
    for label, layer, shape in OTHERS:
        inputs = torch.randn(shape).relu().requires_grad_()
        weights = torch.randn_like(layer(inputs))

        def run(call: Callable[[Tensor], Tensor], x: Tensor = inputs, w: Tensor = weights) -> None:
            call(x).backward(w)

        def replaced(x: Tensor, layer: nn.Module = layer) -> Tensor:
            with faster_kernels(LONG):
                result: Tensor = layer(x)
            return result

        calls = [partial(run, replaced), partial(run, layer)]
        rows.append(
            [f"{label}, {'x'.join(map(str, shape))}", *measured(interleaved(calls, REPEATS), 1)]
        )
    return rows


def measured(times: list[float], steps: int) -> list[str]:
    """Cells: milliseconds of both, and the ratio."""
    ours, theirs = times
    return [f"{1e3 * ours / steps:.2f}", f"{1e3 * theirs / steps:.2f}", f"{theirs / ours:.2f}"]


def main() -> None:
    """Print the tables."""
    take_no_arguments(__doc__)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    head = ["ours, ms", "torch, ms", "torch / ours"]
    print_table(["training step", *head], steps())
    print_table(["convolution", *head, "chosen"], layers())
    print_table(["layer", *head], others())


if __name__ == "__main__":
    main()
