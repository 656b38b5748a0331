"""How to listen with a task's networks: how to read files, output formats and limitations.

Every task that can be listened with has a constant `HEARING`. No training depends on it, so digests
of code do not follow it: its words can change without making a result stale.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Features = Mapping[str, Any]


@dataclass(frozen=True)
class Hearing:
    """How networks of a task are listened with.

    Attributes:
        kind: how `mirtrim.listening` processes a file: "events", "pitch", "chords" or "classes".
        decoding: names of the numbers that the task's `tune` chooses and decoding needs.
        formats: what can be written, the usual format first.
        says: features → what comes out, the end of the sentence "from audio it …".
        limits: features → what users must not expect, a sentence each.
    """

    kind: str
    formats: tuple[str, ...]
    says: Callable[[Features], str]
    limits: Callable[[Features], Sequence[str]]
    decoding: tuple[str, ...] = ()


def hop_ms(features: Features) -> float:
    """Milliseconds between two frames."""
    return float(1000 * features["hop"] / features["sample_rate"])
