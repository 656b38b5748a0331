"""Drum strokes of a track: when they sound, and which instrument class was struck.

Pitches are those of the Roland TD-11 kit of the Groove MIDI Dataset (Gillick et al., ICML
2019), as listed by mirdata's `groove_midi.DRUM_MAPPING`. Three of them (22, 26, 58) mean
something else, or nothing, in General MIDI.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mirtrim.corpora.loaders.groove_midi.midi import read_midi
from mirtrim.errors import CorpusError

KICK = (36,)
SIDE_STICK = (37,)
SNARE = (38, 40)
TOM = (43, 45, 47, 48, 50, 58)
HIHAT = (22, 26, 42, 44, 46)
CYMBAL = (49, 51, 52, 53, 55, 57, 59)


def _classes(**pitches_of: tuple[int, ...]) -> Mapping[int, str]:
    return {pitch: label for label, pitches in pitches_of.items() for pitch in pitches}


FIVE_CLASSES = _classes(kick=KICK, snare=SNARE + SIDE_STICK, tom=TOM, hihat=HIHAT, cymbal=CYMBAL)
# Kick, everything else with a skin or a shell, everything made of bronze. The side stick is
# played on the snare drum and sounds nothing like a kick.
THREE_CLASSES = _classes(kick=KICK, snare=SNARE + SIDE_STICK + TOM, hihat=HIHAT + CYMBAL)
# The folding used in the replicated code, which counts the side stick as kick.
REPLICATED_CLASSES = _classes(kick=KICK + SIDE_STICK, snare=SNARE + TOM, hihat=HIHAT + CYMBAL)


def drum_onsets(
    track: Any, classes: Mapping[int, str] = THREE_CLASSES
) -> tuple[np.ndarray, list[str]]:
    """Strokes of a groove_midi track in the order in which they sound.

    Args:
        track: mirdata groove_midi track.
        classes: MIDI pitch → class label.

    Returns:
        Times in seconds, (strokes,) float64, and one label per stroke. Strokes of the same
        class at the same instant are given once.

    Raises:
        CorpusError: the MIDI file cannot be read, or has a pitch that `classes` does not name.
    """
    # Not `track.midi`, which is read without what `read_midi` puts right.
    midi = read_midi(track.midi_path)
    strokes = set()
    for note in (note for instrument in midi.instruments for note in instrument.notes):
        if note.pitch not in classes:
            raise CorpusError(
                f"{track.midi_path}: drum pitch {note.pitch} at {note.start:.3f} s has no class; "
                "add it to the class mapping or leave the track out"
            )
        strokes.add((float(note.start), classes[note.pitch]))
    ordered = sorted(strokes)
    return np.array([time for time, _ in ordered], dtype=np.float64), [name for _, name in ordered]
