"""When any note or stroke of a track begins, whichever loader it comes from."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from mirtrim.corpora.annotations.checks import check_times, unreadable
from mirtrim.corpora.annotations.drums import drum_onsets, read_midi
from mirtrim.utils.errors import CorpusError

TABLA_STROKES = ("b", "d", "rb", "rt")


def onset_times(track: Any) -> np.ndarray:
    """Onsets of a track in seconds, rising, (onsets,).

    Args:
        track: mirdata track of groove_midi (all strokes), guitarset (the notes of all six
            strings), four_way_tabla (all four kinds of stroke) or maestro (all notes).

    Raises:
        CorpusError: the annotation is missing or damaged, has an onset that is no number, or is
            of no kind listed here.
    """
    for attribute, read in ONSETS_OF.items():
        if hasattr(type(track), attribute) or attribute in vars(track):
            times = np.asarray(read(track), dtype=np.float64)
            check_times(track, times, "onset")
            return np.sort(times)
    raise CorpusError(
        f"track {track.track_id}: no onsets known for its loader; use groove_midi, maestro, "
        "guitarset or four_way_tabla, or add the loader to mirtrim.corpora.annotations.onsets"
    )


def _drum_strokes(track: Any) -> np.ndarray:
    return drum_onsets(track)[0]


def _all_notes(track: Any) -> np.ndarray:
    instruments = read_midi(track.midi_path).instruments
    return np.array([note.start for instrument in instruments for note in instrument.notes])


def _guitar_notes(track: Any) -> np.ndarray:
    strings = list(_readable(track, lambda: track.notes.values()))
    if all(string is None for string in strings):
        raise CorpusError(f"track {track.track_id} has no notes; leave it out of the corpus")
    return np.concatenate([s.intervals[:, 0] for s in strings if s is not None])


def _tabla_strokes(track: Any) -> np.ndarray:
    kinds = _readable(track, lambda: [getattr(track, f"onsets_{k}") for k in TABLA_STROKES])
    # The loader gives None for a kind of stroke that the track does not have.
    return np.concatenate([np.zeros(0), *(kind.times for kind in kinds if kind is not None)])


def _readable(track: Any, read: Callable[[], Any]) -> Iterator[Any]:
    try:
        return iter(read())
    except Exception as error:  # jams and the parsers of mirdata raise many types
        raise unreadable(track, "onsets", error) from error


# Attribute that only one kind of track has, or the first that it has → how its onsets are read.
ONSETS_OF: Mapping[str, Callable[[Any], np.ndarray]] = {
    "canonical_composer": _all_notes,
    "midi_path": _drum_strokes,
    "jams_path": _guitar_notes,
    "onsets_b_path": _tabla_strokes,
}
