"""The conditions of a verdict: which networks, trained how and on what.

A verdict holds for the networks that were run. It depends on their width relative to the published
one, the length of the training and the rewind epoch, so these are shown with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Keys of a task's network that say how many units it has; all others are kernels and noise.
WIDTH_KEYS = ("channels", "widths", "capacity", "hidden")
# Reported where they differ from the published ones, but not a measure of width.
OTHER_KEYS = ("bottleneck_channels",)
NAMES = {"adam": "Adam", "sgd": "SGD"}


@dataclass(frozen=True)
class Conditions:
    """What the networks of one task are and how they are trained.

    Attributes:
        task, corpus: names.
        widths: key of the network → its units, one number or several.
        published: the same of the published network; empty where none is known.
        optimizer, epochs, rewind_epoch, precision: as configured.
        others: key of the network → its value and the published one, where these differ.
    """

    task: str
    corpus: str
    optimizer: str
    epochs: int
    rewind_epoch: int
    precision: str = "float32"
    widths: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    published: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    others: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def shares(self) -> list[float]:
        """Every width as a share of the published one; empty where none is known."""
        return [
            own / theirs
            for key, of_key in self.widths.items()
            if len(self.published.get(key, ())) == len(of_key)
            for own, theirs in zip(of_key, self.published[key], strict=True)
        ]

    @property
    def width_text(self) -> str:
        """The widths, with the published ones in brackets where they differ."""
        others = (
            f", {key.replace('_', ' ')} {own} (published {theirs})"
            for key, (own, theirs) in self.others.items()
        )
        return f"{self._widths_text}{''.join(others)}"

    @property
    def _widths_text(self) -> str:
        own = ", ".join(f"{key} {'-'.join(map(str, of))}" for key, of in self.widths.items())
        shares = self.shares
        if not shares:
            return own or "widths at their defaults"
        if set(shares) == {1.0}:
            return f"{own} (as published)"
        theirs = ", ".join("-".join(map(str, self.published[key])) for key in self.widths)
        return f"{own} (published {theirs})"

    @property
    def training_text(self) -> str:
        """Optimiser and epochs, and the precision where it is not float32."""
        exact = "" if self.precision == "float32" else f" in {self.precision}"
        return f"{_named(self.optimizer)}, {self.epochs} epochs{exact}"

    def __str__(self) -> str:
        return (
            f"{self.width_text}; {self.training_text}; rewound to epoch {self.rewind_epoch}; "
            f"{self.corpus}"
        )


def conditions_of(
    tasks: Mapping[str, Mapping[str, Any]], published: Mapping[str, Any] | None = None
) -> dict[str, Conditions]:
    """The conditions of every task.

    Args:
        tasks: block `tasks` of a checked configuration.
        published: the same block of the profile with the published widths; for tasks that it does
            not have, published widths are omitted.
    """
    found = {}
    for task, block in tasks.items():
        training = block["training"]
        known = ((published or {}).get(task) or {}).get("network", {})
        found[task] = Conditions(
            task,
            block["corpus"],
            training.get("optimizer", "adam"),
            training["epochs"],
            block["rewind_epoch"],
            training.get("precision", "float32"),
            _widths(block["network"]),
            _widths(known),
            {
                key: (block["network"][key], known[key])
                for key in OTHER_KEYS
                if known.get(key, block["network"].get(key)) != block["network"].get(key)
            },
        )
    return found


def in_one_line(tasks: Sequence[Conditions]) -> str:
    """The conditions of several tasks in one line, as ranges where they differ.

    Raises:
        ValueError: there is none.
    """
    if not tasks:
        raise ValueError("there are no conditions to tell")
    shares = [share for task in tasks for share in task.shares]
    epochs = [task.epochs for task in tasks]
    words = []
    if shares:
        least, most = _share(min(shares)), _share(max(shares))
        if least == most:
            words.append("published widths" if most == "1" else f"{most} of the published widths")
        else:
            words.append(f"{least} to {most} of the published widths")
    trained = " and ".join(dict.fromkeys(_named(task.optimizer) for task in tasks))
    words.append(f"{_range(epochs)} epochs of {trained}")
    words.append(f"rewound to epoch {_range([task.rewind_epoch for task in tasks])}")
    return ", ".join([*words, *dict.fromkeys(task.corpus for task in tasks)])


def _widths(network: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {
        key: tuple(network[key]) if isinstance(network[key], list | tuple) else (network[key],)
        for key in WIDTH_KEYS
        if key in network
    }


def _named(optimizer: str) -> str:
    return NAMES.get(optimizer, optimizer)


def _share(share: float) -> str:
    """1/32 where it is one part of a whole number, else two digits."""
    parts = 1 / share
    if abs(parts - round(parts)) < 1e-9:
        return "1" if round(parts) == 1 else f"1/{round(parts)}"
    return f"{share:.2g}"


def _range(numbers: Sequence[int]) -> str:
    least, most = min(numbers), max(numbers)
    return str(least) if least == most else f"{least} to {most}"
