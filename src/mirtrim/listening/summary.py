"""What was heard, in a few words for a person."""

from functools import singledispatch

import numpy as np

from mirtrim.listening.results import Chords, Events, Heard, PitchCurve, Tags


@singledispatch
def summary_of(heard: Heard) -> str:
    """One line without a full stop."""
    raise TypeError(f"{type(heard).__name__} has no summary")


@summary_of.register
def _(heard: Events) -> str:
    counts = heard.table.label.value_counts()
    return ", ".join(f"{counts.get(name, 0)} {name}" for name in heard.detectors)


@summary_of.register
def _(heard: PitchCurve) -> str:
    if not heard.voiced.any():
        return "nothing voiced"
    sounding = heard.frequency_hz[heard.voiced]
    return (
        f"{heard.voiced.mean():.0%} of {len(heard.voiced)} frames voiced, "
        f"median {np.median(sounding):.1f} Hz"
    )


@summary_of.register
def _(heard: Chords) -> str:
    different = len(set(heard.labels))
    return f"{len(heard.labels)} segments, {different} different chords"


@summary_of.register
def _(heard: Tags) -> str:
    if not heard.classes:
        return "no class"
    best = f"{heard.classes[0]} ({heard.probabilities[0]:.0%})"
    return best if heard.sure else f"unsure, perhaps {best}"
