"""Task `onset`: when does anything begin to sound?

On drums the union of all classes, as the paper has it; on guitarset every note of every string,
on four_way_tabla every stroke (`mirtrim.corpora.annotations.onsets`).
"""

from typing import Any

import numpy as np
import pandas as pd

from mirtrim.corpora.annotations.onsets import onset_times
from mirtrim.tasks.task import Parameters
from mirtrim.tasks.transcription import Transcription, hearing_of

HEARING = hearing_of(("onset",), "beginnings of notes and strokes", "csv", "jams")


class Onset(Transcription):
    """One detector over everything that is struck or plucked."""

    name = "onset"
    detectors = ("onset",)
    hearing = HEARING

    def events(self, track: Any, features: Parameters) -> pd.DataFrame:
        merged = merge_close(onset_times(track), features["merge_seconds"])
        return pd.DataFrame({"time_seconds": merged, "label": "onset"})


def merge_close(times: np.ndarray, merge_seconds: float) -> np.ndarray:
    """Replace runs of onsets less than `merge_seconds` apart by their mean.

    Simultaneous strokes are played some milliseconds apart; listeners, like every published onset
    evaluation, count one onset (Böck et al., ISMIR 2012, use 30 ms).

    Args:
        times: rising times in seconds, (onsets,).

    Returns:
        Rising times in seconds, (merged onsets,).
    """
    if len(times) == 0:
        return times
    # A run is bounded by its first onset, so that a roll does not collapse into one event.
    groups: list[list[float]] = [[float(times[0])]]
    for time in times[1:]:
        if time - groups[-1][0] < merge_seconds:
            groups[-1].append(float(time))
        else:
            groups.append([float(time)])
    return np.array([np.mean(group) for group in groups])
