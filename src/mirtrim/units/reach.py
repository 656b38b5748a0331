"""Layers that no traced pass has reached, and the units that may have to fit them all the same."""

from collections.abc import Collection
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Neighbours:
    """What an input that does reach a module may lead into it, or join with what comes out.

    Attributes:
        module: the topmost one without a parameter that was used.
        parent: path of the module that has it, whose code would call it.
        sizes: that its tensors read and make.
    """

    module: str
    parent: str
    sizes: frozenset[int]

    @property
    def reason(self) -> str:
        """Why units are kept."""
        return f"{self.module}, which the example does not reach, may read them"

    def may_meet(self, layer: str, units: int) -> bool:
        """Whether the units of a layer stand beside the module and have one of its sizes."""
        return units in self.sizes and (not self.parent or layer.startswith(self.parent + "."))


def neighbours(model: nn.Module, unreached: Collection[str]) -> tuple[Neighbours, ...]:
    """For every module that was not reached, what it may meet.

    Nobody has seen its call, but its sizes are known: units of the same number in the same part of
    the network are what it would read. Joined ones (`cat`, `flatten`) are not found so.

    Args:
        unreached: names of the parameters that no pass has used.
    """
    parameters = dict(model.named_parameters())
    reached = {part for name in parameters if name not in unreached for part in _parts(name)}
    found: dict[str, set[int]] = {}
    for name in unreached:
        top = next((part for part in _parts(name) if part not in reached), name)
        shape = parameters[name].shape
        found.setdefault(top, set()).update(size for size in shape[:2] if size > 1)
        owner = model.get_submodule(name.rpartition(".")[0])
        read = getattr(owner, "in_channels", None)  # of grouped convolutions
        if isinstance(read, int):
            found[top].add(read)
    return tuple(
        Neighbours(top, top.rpartition(".")[0], frozenset(sizes)) for top, sizes in found.items()
    )


def _parts(name: str) -> list[str]:
    """Paths of the modules around a parameter, the outermost below the network first."""
    steps = name.split(".")[:-1]
    return [".".join(steps[: count + 1]) for count in range(len(steps))]
