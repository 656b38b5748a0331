"""Task `drums`: when does which drum sound? One detector per class, as the paper has it.

`drums` folds the kit into kick, snare (all skins and shells) and hi-hat (all bronze), the
three classes of the paper. `drums_five` keeps toms and cymbals apart, the folding of most
published five-class transcribers; its network grows by two heads and nothing else changes.
Which pitch belongs to which class is listed in `mirtrim.corpora.annotations.drums`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from mirtrim.corpora.annotations.drums import FIVE_CLASSES, THREE_CLASSES, drum_onsets
from mirtrim.tasks.onset import merge_close
from mirtrim.tasks.task import Parameters
from mirtrim.tasks.transcription import Transcription, hearing_of, micro_f_measure

THREE = ("kick", "snare", "hihat")
FIVE = ("kick", "snare", "tom", "hihat", "cymbal")
HEARING = hearing_of(THREE, f"strokes of {', '.join(THREE)}", "midi", "csv", "jams")
HEARING_FIVE = hearing_of(FIVE, f"strokes of {', '.join(FIVE)}", "midi", "csv", "jams")


class Drums(Transcription):
    """Kick, snare and hi-hat of a groove_midi track."""

    name = "drums"
    detectors: ClassVar[tuple[str, ...]] = THREE
    hearing = HEARING
    classes: ClassVar[Mapping[int, str]] = THREE_CLASSES

    def events(self, track: Any, features: Parameters) -> pd.DataFrame:
        times, labels = drum_onsets(track, self.classes)
        return merged_per_class(times, labels, self.detectors, features["merge_seconds"])

    def summarise(self, pieces: pd.DataFrame) -> dict[str, float]:
        """Means over pieces, and micro F over all classes and of each class."""
        micro = {f"micro_f_measure_{d}": micro_f_measure(pieces, [d]) for d in self.detectors}
        return {**super().summarise(pieces), **micro}


class DrumsFive(Drums):
    """Toms apart from the snare, cymbals apart from the hi-hat."""

    name = "drums_five"
    detectors = FIVE
    hearing = HEARING_FIVE
    classes = FIVE_CLASSES


def merged_per_class(
    times: np.ndarray, labels: list[str], detectors: tuple[str, ...], merge_seconds: float
) -> pd.DataFrame:
    """Events of each class, those closer than `merge_seconds` merged, in the order of time.

    A flam, or a hi-hat and a crash cymbal struck together, is one event of its class.

    Args:
        times: rising times in seconds, (strokes,).
        labels: class of each stroke.

    Returns:
        Columns time_seconds and label.
    """
    of = np.array(labels, dtype=object)
    parts = [
        pd.DataFrame({"time_seconds": merge_close(times[of == d], merge_seconds), "label": d})
        for d in detectors
    ]
    events = pd.concat(parts, ignore_index=True)
    return events.sort_values(["time_seconds", "label"], ignore_index=True)
