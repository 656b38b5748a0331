"""Real melodies for the embedded corpora: fiddle tunes of Ryan's Mammoth Collection (1883).

The collection is in the public domain; its encoding in ABC comes with music21. Reading one
tune takes some 40 ms, so a corpus draws ids first (`tune_ids`, quick) and lets the process
that renders a track read the tune of that track (`read_tune`).
"""

import importlib.util
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mirtrim.corpora.splits import SPLITS
from mirtrim.utils.errors import CorpusError
from mirtrim.utils.seeds import numpy_generator

COLLECTION = Path("corpus") / "ryansMammoth"
# The shortest tune of the collection has 47 notes; less means that something was misread.
SHORTEST_NOTES = 24
# Of five tunes in a row, three are for training.
SPLIT_OF_RANK = ("train", "train", "train", "validation", "test")


@dataclass(frozen=True)
class TuneNote:
    """One note of a melody; beats are quarter notes from the beginning of the tune."""

    onset_beats: float
    duration_beats: float
    pitch: int


@dataclass(frozen=True)
class Tune:
    """A melody, one note at a time.

    Attributes:
        tune_id: file name in the collection, without its ending; the source of a split.
        title: as printed, with the kind of dance.
        meter: (numerator, denominator).
        notes: in the order of time, none sounding into the next; gaps are rests.
    """

    tune_id: str
    title: str
    meter: tuple[int, int]
    notes: tuple[TuneNote, ...]

    @property
    def beats(self) -> float:
        """Quarter notes from the beginning to the end of the last note."""
        return self.notes[-1].onset_beats + self.notes[-1].duration_beats


def tune_ids(count: int, seed: int, *stream: str) -> list[str]:
    """Ids of `count` different tunes, drawn without replacement.

    The first n ids do not depend on `count`. Of tunes that share a title (the collection
    prints some in two settings) one is drawn, so that any two lists cut from the result
    share no tune.

    Args:
        stream: names of the random stream under `seed`.

    Raises:
        CorpusError: music21 is missing, or it has fewer tunes.
    """
    by_title: dict[str, str] = {}
    for path in sorted(_folder().glob("*.abc")):
        by_title.setdefault(_title_key(_header(path, "T")), path.stem)
    pool = sorted(by_title.values())
    if count > len(pool):
        raise CorpusError(f"{count} tunes are asked for and there are {len(pool)}; ask for fewer")
    order = numpy_generator(seed, *stream, "tunes").permutation(len(pool))
    return [pool[index] for index in order[:count]]


def tune_ids_of_split(split: str, count: int, seed: int, *stream: str) -> list[str]:
    """Ids of `count` tunes of one split; the splits of one seed and stream share no tune.

    The first n ids depend neither on `count` nor on how many the other splits use.

    Raises:
        CorpusError: music21 is missing, the split is unknown, or it has fewer tunes.
    """
    if split not in SPLITS:
        raise CorpusError(f"unknown split {split!r}; known: {', '.join(SPLITS)}")
    ranks = [rank for rank, name in enumerate(SPLIT_OF_RANK) if name == split]
    rounds = -(-count // len(ranks))
    drawn = tune_ids(rounds * len(SPLIT_OF_RANK), seed, *stream)
    chosen = [drawn[i * len(SPLIT_OF_RANK) + rank] for i in range(rounds) for rank in ranks]
    return chosen[:count]


def read_tune(tune_id: str) -> Tune:
    """The melody of one tune, repeats played once, grace notes left out.

    Where two notes sound together the higher one is kept; tied notes are one note.

    Raises:
        CorpusError: there is no such tune, or it cannot be read.
    """
    # Importing music21 takes most of a second, which only those who read tunes should pay.
    from music21 import converter, exceptions21

    path = _folder() / f"{tune_id}.abc"
    if not path.exists():
        raise CorpusError(f"{path}: no such tune; draw the ids with tune_ids")
    try:
        score: Any = converter.parseFile(path, forceSource=True, storePickle=False)
        melody = score.parts[0].flatten()
        meters = [(m.numerator, m.denominator) for m in melody.getTimeSignatures()]
    except (exceptions21.Music21Exception, ValueError, IndexError, AttributeError) as error:
        raise CorpusError(f"{path}: cannot be read ({error}); install music21 again") from error
    by_onset: dict[float, TuneNote] = {}
    tied: set[float] = set()
    for element in melody.notes:
        onset, duration = float(element.offset), float(element.quarterLength)
        pitch = max(int(one.midi) for one in element.pitches)
        before = by_onset.get(onset)
        if duration > 0 and (before is None or pitch > before.pitch):
            by_onset[onset] = TuneNote(onset, duration, pitch)
        # music21's own stripTies copies the score, which takes longer than reading it.
        if element.tie is not None and element.tie.type in ("continue", "stop"):
            tied.add(onset)
    notes = _one_at_a_time(_joined([by_onset[onset] for onset in sorted(by_onset)], tied))
    if len(notes) < SHORTEST_NOTES:
        raise CorpusError(f"{path}: only {len(notes)} notes; install music21 again")
    return Tune(tune_id, _header(path, "T"), meters[0] if meters else (4, 4), tuple(notes))


def tunes(count: int, seed: int, *stream: str) -> list[Tune]:
    """The tunes of `tune_ids(count, seed, *stream)`, read one after the other."""
    return [read_tune(tune_id) for tune_id in tune_ids(count, seed, *stream)]


def _joined(notes: list[TuneNote], tied: set[float]) -> list[TuneNote]:
    """Notes with those that begin at `tied` added to the note before, if it has their pitch."""
    result: list[TuneNote] = []
    for note in notes:
        if note.onset_beats in tied and result and result[-1].pitch == note.pitch:
            length = note.onset_beats + note.duration_beats - result[-1].onset_beats
            result[-1] = TuneNote(result[-1].onset_beats, length, note.pitch)
        else:
            result.append(note)
    return result


def _one_at_a_time(notes: list[TuneNote]) -> list[TuneNote]:
    """End each note where the next one begins, at the latest."""
    ends = [note.onset_beats for note in notes[1:]] + [float("inf")]
    return [
        TuneNote(note.onset_beats, min(note.duration_beats, end - note.onset_beats), note.pitch)
        for note, end in zip(notes, ends, strict=True)
    ]


@cache
def _folder() -> Path:
    """The collection's folder; found without importing music21."""
    found = importlib.util.find_spec("music21")
    if found is None or found.origin is None:
        raise CorpusError("music21 is not installed; install mirtrim[replicate]")
    folder = Path(found.origin).parent / COLLECTION
    if not folder.is_dir():
        raise CorpusError(f"{folder}: this music21 has no corpus; install it from PyPI")
    return folder


def _header(path: Path, field: str) -> str:
    """First value of a header field, such as T for the title; empty if there is none."""
    found = re.search(rf"^{field}:\s*(.*?)\s*$", path.read_text("utf-8", "replace"), re.MULTILINE)
    return found.group(1) if found else ""


def _title_key(title: str) -> str:
    """Letters of a title without its kind of dance, so that spellings do not matter."""
    return re.sub(r"[^a-z]", "", title.split("--")[0].lower())
