"""Recordings and annotations as plain files in a folder; docs/listening.md has the formats.

An annotation has the name of its recording with another ending, or one table (`*.csv` whose first
column is called `file`) annotates every recording: its class, or the pitch of its only note.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mirtrim.listening.recordings.lines import first_cell, read_rows, read_table
from mirtrim.listening.recordings.truth import (
    CLASS_OF_DRUM,
    OTHER,
    Annotated,
    ChordTruth,
    ClassTruth,
    EventTruth,
    PitchTruth,
    Truth,
    drum_class,
    single_note,
)
from mirtrim.tasks.chord_labels import class_of
from mirtrim.utils.errors import CorpusError

AUDIO = (
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64",
    ".w64", ".wav", ".wave",
)  # fmt: skip
ANNOTATIONS = (".csv", ".tsv", ".txt", ".lab")
FILE = "file"
CLASS_COLUMNS = ("label", "class", "instrument", "genre")
NOTE_COLUMN = "midi_pitch"
MIDI_PITCHES = range(128)


def annotated_files(folder: Path, task: str, kind: str) -> list[Annotated]:
    """Every recording of a folder with its annotation, in the order of names.

    Args:
        kind: how the task is listened with, "events", "pitch", "chords" or "classes".

    Raises:
        CorpusError: the folder is missing or holds no recording, a recording lacks an annotation
            or has two, an annotation lacks its recording or cannot be read; names the file and,
            where it can, the line. Per-recording annotations are read when they are asked for.
    """
    if not folder.is_dir():
        raise CorpusError(f"{folder}: no such folder; correct `folder` of the recordings")
    # Names beginning with a dot are system files, such as ._a.wav next to a.wav.
    files = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    audio: dict[str, Path] = {}
    for path in sorted(path for path in files if path.suffix.lower() in AUDIO):
        if audio.setdefault(_composed(path.name), path) != path:
            raise CorpusError(f"{path}: another recording has this name too; rename one")
    if not audio:
        raise CorpusError(f"{folder}: holds no recording ({', '.join(AUDIO)})")
    given = sorted(path for path in files if path.suffix.lower() in ANNOTATIONS)
    of_all = [path for path in given if first_cell(path) == FILE]
    if kind == "classes" or (kind == "pitch" and of_all):
        return _from_table(folder, of_all, audio, kind)
    read = partial(_READERS[kind], task)
    return _one_by_one([p for p in given if p not in of_all], audio, read)


def _composed(name: str) -> str:
    """A normalised file name: some systems separate letters from their accents."""
    return unicodedata.normalize("NFC", name)


def _one_by_one(
    annotations: Sequence[Path], audio: Mapping[str, Path], read: Callable[[Path], Truth]
) -> list[Annotated]:
    by_stem: dict[str, list[Path]] = {}
    for path in annotations:
        by_stem.setdefault(_composed(path.stem), []).append(path)
    found: dict[str, Annotated] = {}
    for name, path in audio.items():
        stem = _composed(path.stem)
        beside = by_stem.get(stem, [])
        if len(beside) != 1:
            what = f"two annotations, {beside[0].name} and {beside[1].name}" if beside else "none"
            endings = ", ".join(ANNOTATIONS)
            raise CorpusError(
                f"{path}: one annotation of the same name ({endings}) is needed, there is "
                f"{what}; add it, or move the recording elsewhere"
            )
        if stem in found:
            raise CorpusError(f"{path}: another recording has this name too; rename one")
        found[stem] = Annotated(name, path, partial(read, beside[0]))
    for path in annotations:
        if _composed(path.stem) not in found and _can_be_read(path, read):
            raise CorpusError(
                f"{path}: is an annotation without a recording of the same name; add the "
                "recording, or move the annotation elsewhere"
            )
    return list(found.values())


def _can_be_read(path: Path, read: Callable[[Path], Truth]) -> bool:
    """Whether a file is an annotation: read-me files, for example, may lie next to recordings."""
    try:
        read(path)
    except CorpusError:
        return False
    return first_cell(path) != ""


def _from_table(
    folder: Path, tables: Sequence[Path], audio: Mapping[str, Path], kind: str
) -> list[Annotated]:
    wanted = CLASS_COLUMNS if kind == "classes" else (NOTE_COLUMN,)
    if len(tables) != 1:
        how_many = f"{len(tables)} tables" if tables else "no table"
        raise CorpusError(
            f"{folder}: holds {how_many} whose first column is `{FILE}`; one is needed, with a "
            f"column {' or '.join(wanted)}"
        )
    (table,) = tables
    first, *lines = read_table(table)
    head = [cell.lower() for cell in first.cells]
    column = next((name for name in wanted if name in head), None)
    if column is None:
        raise CorpusError(f"{table}: has no column {' or '.join(wanted)}; add it")
    place = head.index(column)
    found: dict[str, Annotated] = {}
    for line in lines:
        if len(line.cells) != len(head):
            raise CorpusError(
                f"{table}: line {line.number} has {len(line.cells)} cells, the first line "
                f"{len(head)}"
            )
        name, value = _composed(line.cells[0]), line.cells[place]
        if name not in audio:
            raise line.wrong(f"{folder / name} is missing; add it")
        if name in found:
            raise line.wrong(f"{name} occurs twice; delete one")
        truth: Callable[[], Truth]
        if kind == "classes":
            if not value:
                raise line.wrong(f"column {column} is empty; fill it in")
            truth = partial(ClassTruth, value)
        else:
            pitch = line.number_at(place)
            if not MIDI_PITCHES.start <= pitch < MIDI_PITCHES.stop:
                raise line.wrong(f"{value} is not a MIDI pitch (0 to 127)")
            truth = partial(single_note, audio[name], pitch)
        found[name] = Annotated(name, audio[name], truth)
    lacking = [name for name in audio if name not in found]
    if lacking:
        raise CorpusError(f"{table}: has no line for {lacking[0]}; add it, or move the recording")
    return [found[name] for name in sorted(found)]


def read_onsets(task: str, path: Path) -> EventTruth:
    """Seconds in the first column; for drums, a name of a drum in the second."""
    drums = task.startswith("drums")
    lacking = "a second column must say which drum it is"
    times, labels = [], []
    for line in read_rows(path, times=1, needed=2 if drums else 1, lacking=lacking):
        times.append(line.seconds_at(0))
        label = drum_class(line.cells[1]) if drums else OTHER
        if label is None:
            known = ", ".join(sorted(CLASS_OF_DRUM))
            raise line.wrong(
                f"{line.cells[1]!r} is not a drum; known: {known}, and pitches of General MIDI "
                "(35 to 81)"
            )
        labels.append(label)
    order = np.argsort(times, kind="stable")
    return EventTruth(np.array(times, dtype=float)[order], tuple(labels[i] for i in order))


def read_f0(task: str, path: Path) -> PitchTruth:
    """Seconds, rising, and Hz, 0 where nothing sounds; a line for every frame."""
    times, hertz = [], []
    for line in read_rows(path, times=1, needed=2, lacking="seconds and Hz are needed"):
        times.append(line.seconds_at(0))
        hertz.append(max(line.number_at(1), 0.0))
        if len(times) > 1 and times[-1] <= times[-2]:
            raise line.wrong(f"{times[-1]:g} s does not follow {times[-2]:g} s")
    if len(times) < 2:
        raise CorpusError(f"{path}: has {len(times)} values of f0, at least two are needed")
    return PitchTruth(np.array(times), np.array(hertz))


def read_chords(task: str, path: Path) -> ChordTruth:
    """Beginning and end in seconds, and a label in Harte's notation."""
    lacking = "start, end and label are needed"
    intervals: list[tuple[float, float]] = []
    labels: list[str] = []
    for line in read_rows(path, times=2, needed=3, lacking=lacking):
        start, end, label = line.seconds_at(0), line.seconds_at(1), line.cells[2]
        if end < start or (intervals and start < intervals[-1][1] - OVERLAP_SECONDS):
            raise line.wrong(
                f"{start:g} to {end:g} s overlaps the previous one, or ends before it starts"
            )
        try:
            class_of(label)
        except CorpusError as error:
            raise line.wrong(str(error)) from error
        if end > start:
            intervals.append((max(start, intervals[-1][1]) if intervals else start, end))
            labels.append(label)
    if not intervals:
        raise CorpusError(f"{path}: holds no chord")
    return ChordTruth(np.array(intervals), tuple(labels))


OVERLAP_SECONDS = 0.001  # of times that were rounded
_READERS: Mapping[str, Callable[[str, Path], Truth]] = {
    "events": read_onsets,
    "pitch": read_f0,
    "chords": read_chords,
}
