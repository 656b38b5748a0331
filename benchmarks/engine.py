"""Discovery and cut: mirtrim beside Torch-Pruning 1.6.1, half of all units, one thread.

python benchmarks/engine.py
"""

import copy
from collections.abc import Callable

import numpy as np
import torch
import torch_pruning
from timing import cpu_seconds, print_table, take_no_arguments
from torch import Tensor, nn

from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.pruning.selection import blocks
from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.units.graph import UnitGraph


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut (He et al. 2016), one-dimensional."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm1d(outputs)
        self.conv2 = nn.Conv1d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm1d(outputs)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and inputs == outputs
            else nn.Sequential(
                nn.Conv1d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm1d(outputs)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, time) → (batch, outputs, time / stride)."""
        y = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        return (y + self.shortcut(x)).relu()


def resnet18() -> nn.Module:
    """ResNet-18 over a raw signal."""
    stages: list[nn.Module] = [nn.Conv1d(1, 64, 7, 2, 3, bias=False), nn.BatchNorm1d(64), nn.ReLU()]
    stages.append(nn.MaxPool1d(3, 2, 1))
    width = 64
    for index, outputs in enumerate((64, 128, 256, 512)):
        for block in range(2):
            stride = 2 if index > 0 and block == 0 else 1
            stages.append(ResidualBlock(width, outputs, stride))
            width = outputs
    stages += [nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(512, 10)]
    return nn.Sequential(*stages)


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "CREPE-tiny": (lambda: Crepe(capacity=4), (1, 1, 1024)),
    "ResNet-18, 1-D": (resnet18, (1, 1, 4096)),
    "drums, full width": (lambda: SpectralCNN(detectors=3, outputs_per_frame=2), (1, 1, 64, 50)),
}


def half(graph: UnitGraph) -> np.ndarray:
    """Keep the first half of every block."""
    keep = np.zeros(graph.group_count, dtype=bool)
    keep[0] = True
    for block in blocks(graph):
        keep[block[: (len(block) + 1) // 2]] = True
    return keep


def rival(model: nn.Module, example: Tensor) -> nn.Module:
    """Torch-Pruning: graph and cut, in place; output layers are left alone."""
    outputs = [m for n, m in model.named_modules() if n.endswith((".output", "classifier", "18"))]
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1:]
    pruner = torch_pruning.pruner.BasePruner(
        model,
        example,
        importance=torch_pruning.importance.MagnitudeImportance(p=1),
        pruning_ratio=0.5,
        ignored_layers=[*outputs, *last],
    )
    pruner.step()
    return model


def main() -> None:
    """Print the table."""
    take_no_arguments(__doc__)
    torch.set_num_threads(1)
    rows = []
    for name, (factory, shape) in CASES.items():
        model = factory().eval()
        example = torch.zeros(shape)
        graph = discover(model, example)
        keep = half(graph)

        def cold(model: nn.Module = model, example: Tensor = example) -> None:
            fresh = discover(model, example)
            cut(model, fresh, half(fresh))

        def cached(
            model: nn.Module = model, graph: UnitGraph = graph, keep: np.ndarray = keep
        ) -> None:
            cut(model, graph, keep)

        # The rival cuts in place, so it works on copies made before the clock starts.
        copies = [copy.deepcopy(model) for _ in range(8)]

        def theirs(copies: list[nn.Module] = copies, example: Tensor = example) -> None:
            rival(copies.pop(), example)

        ours, again, other = cpu_seconds(cold), cpu_seconds(cached), cpu_seconds(theirs)
        rows.append(
            [
                name,
                f"{sum(p.numel() for p in model.parameters()):,}",
                f"{graph.parameters(keep):,}",
                f"{ours * 1e3:.1f}",
                f"{again * 1e3:.1f}",
                f"{other * 1e3:.1f}",
                f"{ours / other:.2f}",
            ]
        )
    head = ["network", "parameters", "after", "ours cold, ms", "ours cached, ms"]
    print_table([*head, "Torch-Pruning, ms", "cold / Torch-Pruning"], rows)


if __name__ == "__main__":
    main()
