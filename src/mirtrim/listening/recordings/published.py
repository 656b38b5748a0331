"""Annotated recordings of a dataset that mirdata has a loader for."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mirtrim.corpora.annotations.chords import audio_path, chord_annotation
from mirtrim.corpora.annotations.drums import FIVE_CLASSES, drum_onsets
from mirtrim.corpora.annotations.f0 import f0_annotation
from mirtrim.corpora.annotations.onsets import onset_times
from mirtrim.corpora.loaders import guitarset
from mirtrim.corpora.published.any_loader import ready
from mirtrim.corpora.published.official import labels_of, split_rows
from mirtrim.corpora.published.versions import audio_seconds, load_tracks
from mirtrim.corpora.reader import Making
from mirtrim.listening.recordings.truth import (
    OTHER,
    Annotated,
    ChordTruth,
    ClassTruth,
    EventTruth,
    PitchTruth,
    Truth,
)
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.registry import get_task
from mirtrim.utils.errors import CorpusError


def annotated_tracks(
    settings: Mapping[str, Any], task: str, kind: str, folder: Path, making: Making
) -> list[Annotated]:
    """The tracks of a loader that have audio, of one official split or all.

    Args:
        settings: loader; folder, index, version, parts and split may be left out or null. With a
            `folder`, nothing but the index is fetched.
        kind: how the task is listened with.
        folder: where downloads are stored.

    Raises:
        ConfigError: no such loader.
        CorpusError: files are missing or damaged, or no track is left.
    """
    loader = settings["loader"]
    named = {key: settings.get(key) for key in ("folder", "index", "version", "parts")}
    folder.mkdir(parents=True, exist_ok=True)
    kinds = None
    if loader == guitarset.LOADER:
        # Its hexaphonic recordings are large and not used.
        named["parts"] = named["parts"] or guitarset.PARTS
        kinds = guitarset.KINDS
    dataset = ready(loader, named, folder, making, kinds)
    tracks = load_tracks(loader, dataset)
    seconds = audio_seconds(loader, {key: _heard(track) for key, track in tracks.items()})
    split = settings.get("split")
    if split is None:
        kept = sorted(seconds)
    else:
        rows = split_rows(loader, tracks, seconds, seed=0)
        kept = sorted(row.track_id for row in rows if row.split == split)
    if kind == "classes":  # with several labels, none is the truth
        kept = [track_id for track_id in kept if len(labels_of(tracks[track_id])) < 2]
    if not kept:
        raise CorpusError(f"{loader}: no track of split {split} has audio; set `split` to null")
    read = TRUTH_OF_KIND[kind]
    return [
        Annotated(
            track_id, Path(audio_path(tracks[track_id])), partial(read, task, tracks[track_id])
        )
        for track_id in kept
    ]


def _heard(track: Any) -> SimpleNamespace:
    """Where the recording of a track is that is listened to; None if it has none."""
    usual = getattr(track, "audio_path", None)
    return SimpleNamespace(audio_path=getattr(track, "audio_mic_path", usual))


def _events(task: str, track: Any) -> EventTruth:
    if task.startswith("drums"):
        if not hasattr(track, "midi_path"):
            raise CorpusError(
                f"track {track.track_id}: its loader gives no drum strokes; use groove_midi, or a "
                "folder of recordings with annotations"
            )
        times, labels = drum_onsets(track, FIVE_CLASSES)
        return EventTruth(times, tuple(labels))
    times = onset_times(track)
    return EventTruth(times, (OTHER,) * len(times))


def _pitch(task: str, track: Any) -> PitchTruth:
    times, hertz = f0_annotation(track)
    return PitchTruth(times, np.maximum(hertz, 0.0))


def _chords(task: str, track: Any) -> ChordTruth:
    intervals, labels = chord_annotation(track, "played")
    return ChordTruth(intervals, tuple(labels))


def _class(task: str, track: Any) -> ClassTruth:
    kind, label = get_task(task), None
    with suppress(AttributeError):  # the loader knows no such thing
        label = kind.label(track) if isinstance(kind, Classification) else None
    if label is None:
        raise CorpusError(f"track {track.track_id}: its loader gives no {task}; leave it out")
    return ClassTruth(label)


TRUTH_OF_KIND: Mapping[str, Callable[[str, Any], Truth]] = {
    "events": _events,
    "pitch": _pitch,
    "chords": _chords,
    "classes": _class,
}
