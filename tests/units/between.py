"""A network with something between its layers, and what of it can be removed."""

import torch
from torch import Tensor, nn

X = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class Net(nn.Module):
    """conv → something → conv, with modules for the something by name."""

    def __init__(self, run, units: int = 12, **modules: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.first, self.last = nn.Conv1d(3, units, 3, padding=1), nn.Conv1d(units, 4, 1)
        self.run = run
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.run(self, self.first(x)))


def removable(graph, layer: str = "first") -> int:
    return len({int(g) for la in graph.layers if la.name == layer for g in la.groups} - {0})
