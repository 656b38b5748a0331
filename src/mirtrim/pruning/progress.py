"""How far an iterator of tickets has come, as tensors and back."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from mirtrim.pruning.after_step import Slots
from mirtrim.pruning.methods import Ticket
from mirtrim.training import State
from mirtrim.training.records import joined, parted
from mirtrim.units import storage
from mirtrim.units.copying import copied
from mirtrim.utils.errors import ConfigError


@dataclass
class Progress:
    """Everything that the next ticket depends on, between two tickets.

    Attributes:
        initial: state of the network before any training.
        rewind: state that tickets are rewound to, of the dense network's shape.
        dense: state of the trained dense network, once it is trained.
        last: the last ticket that was made.
        dense_slots: state of the optimiser at the end of the dense training.
        rewind_slots: the same at the rewind point, cut like the last ticket.
        last_slots: the same at the end of the last training.
        done: number of tickets that are made.
        steps: optimiser steps of a training; 0 as long as they are not known.
    """

    initial: State
    rewind: State
    dense: State | None = None
    last: Ticket | None = None
    dense_slots: Slots = field(default_factory=dict)
    rewind_slots: Slots = field(default_factory=dict)
    last_slots: Slots = field(default_factory=dict)
    done: int = 0
    steps: int = 0

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name: "part/name", of slots "part/parameter/key"."""
        result = {"done": torch.tensor(self.done), "steps": torch.tensor(self.steps)}
        parts: dict[str, Mapping[str, Tensor]] = {
            "initial": self.initial,
            "rewind": self.rewind,
            "dense": self.dense or {},
        }
        if self.last is not None:
            parts["network"] = storage.packed(self.last.network)
            parts["last_rewind"] = self.last.rewind
            parts["masks"] = self.last.masks
        result |= {name: t.detach().clone() for name, t in joined(parts).items()}
        for part in ("dense_slots", "rewind_slots", "last_slots"):
            slots: Slots = getattr(self, part)
            for name, state in slots.items():
                for key, value in state.items():
                    if value is not None:
                        result[f"{part}/{name}/{key}"] = torch.as_tensor(value).clone()
        return result

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], model: nn.Module) -> "Progress":
        """What `tensors` made, for tickets of `model`.

        Raises:
            ConfigError: it is something else, or of a network of other shapes.
        """
        parts = parted({name: value.detach().clone() for name, value in tensors.items()})
        if not {"done", "steps", "initial", "rewind"} <= parts.keys():
            raise ConfigError("state: is none that the state_dict of tickets has made")
        initial, last = parts["initial"], None
        if _shapes(initial) != _shapes(model.state_dict()):
            raise ConfigError("state: is of another network; give the model that it was made of")
        if "network" in parts:
            network = storage.unpacked(parts["network"], copied(model))
            rewind = parts.get("last_rewind", {})
            last = Ticket(network.eval(), rewind, dict(initial), parts.get("masks", {}))
        return cls(
            initial,
            parts["rewind"],
            parts.get("dense"),
            last,
            dense_slots=_slots(parts.get("dense_slots", {})),
            rewind_slots=_slots(parts.get("rewind_slots", {})),
            last_slots=_slots(parts.get("last_slots", {})),
            done=int(tensors["done"]),
            steps=int(tensors["steps"]),
        )


def _shapes(state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}


def _slots(tensors: Mapping[str, Tensor]) -> Slots:
    slots: Slots = {}
    for name, value in tensors.items():
        parameter, _, key = name.rpartition("/")
        slots.setdefault(parameter, {})[key] = value
    return slots
