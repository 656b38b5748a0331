"""Annotations of a recording: events, a fundamental, chords, or one class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirtrim.tasks.audio import read_mono

# Struck sounds that belong to no drum class; they count as onsets.
OTHER = "other"
# Five classes of drums as three: all skins together, and all bronze.
THREE_OF_FIVE: Mapping[str, str] = {
    "kick": "kick", "snare": "snare", "tom": "snare", "hihat": "hihat", "cymbal": "hihat",
}  # fmt: skip
NAMES_OF_DRUMS: Mapping[str, tuple[str, ...]] = {
    "kick": ("kick", "kd", "bd", "bass drum"),
    "snare": ("snare", "sd", "sn", "rim", "side stick", "sst", "sdb", "sdd", "sdf", "sdg", "sdnr"),
    "tom": ("tom", "tt", "ht", "mt", "lt", "hit", "mht", "hft", "lft", "toms"),
    "hihat": ("hihat", "hi-hat", "hh", "chh", "ohh", "phh"),
    "cymbal": ("cymbal", "cy", "crash", "ride", "splash", "china", "cr", "rd", "crc", "chc",
               "spc", "rdc", "rdb"),
    OTHER: ("other", "ot", "tambourine", "cowbell", "clap", "tmb", "clb"),
}  # fmt: skip
# Of General MIDI, not of the electronic kit whose recordings the networks are trained on: there, 58
# is a tom.
PITCHES_OF_DRUMS: Mapping[str, tuple[int, ...]] = {
    "kick": (35, 36),
    "snare": (37, 38, 40),
    "tom": (41, 43, 45, 47, 48, 50),
    "hihat": (42, 44, 46),
    "cymbal": (49, 51, 52, 53, 55, 57, 59),
    OTHER: (39, 54, 56, 58, *range(60, 82)),
}
CLASS_OF_DRUM = {name: label for label, names in NAMES_OF_DRUMS.items() for name in names}
CLASS_OF_PITCH = {pitch: name for name, of in PITCHES_OF_DRUMS.items() for pitch in of}
FRAME_SECONDS = 0.01
# A single note sounds where its level is at most so far below its loudest moment.
SOUNDING_DB = 30.0
LEVEL_RATE = 22050
LEVEL_SECONDS = 0.05


@dataclass(frozen=True)
class EventTruth:
    """Times in seconds, rising, (events,), and one label per event (of `CLASS_OF_DRUM`)."""

    times: np.ndarray
    labels: tuple[str, ...]


@dataclass(frozen=True)
class PitchTruth:
    """Times in seconds, rising, and the fundamental in Hz there, 0 in silence; (values,) each."""

    times: np.ndarray
    frequency_hz: np.ndarray


@dataclass(frozen=True)
class ChordTruth:
    """Intervals in seconds, (segments, 2), and labels in Harte's notation."""

    intervals: np.ndarray
    labels: tuple[str, ...]


@dataclass(frozen=True)
class ClassTruth:
    """The one class of a recording."""

    label: str


Truth = EventTruth | PitchTruth | ChordTruth | ClassTruth


@dataclass(frozen=True)
class Annotated:
    """A recording and its annotation.

    `truth` is read lazily, because some annotations need the audio.
    """

    name: str
    audio: Path
    truth: Callable[[], Truth]


def drum_class(label: str) -> str | None:
    """One of the five classes or `OTHER` for a name or a pitch of General MIDI; None if unknown.

    Upper and lower case are the same.
    """
    known = CLASS_OF_DRUM.get(label.strip().lower())
    if known is None and label.strip().isdecimal():
        known = CLASS_OF_PITCH.get(int(label))
    return known


def single_note(audio: Path, midi_pitch: float) -> PitchTruth:
    """The fundamental of one note: the same wherever the recording sounds.

    It sounds where the level over 50 ms is at most 30 dB below the loudest such moment.
    """
    samples = read_mono(audio, LEVEL_RATE)
    length, hop = round(LEVEL_SECONDS * LEVEL_RATE), FRAME_SECONDS * LEVEL_RATE
    power = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    centres = np.arange(0, len(samples), hop).astype(int)
    first = (centres - length // 2).clip(0, len(samples))
    last = (centres + length // 2).clip(0, len(samples))
    level = (power[last] - power[first]) / (last - first).clip(1)
    sounds = level >= level.max() * 10 ** (-SOUNDING_DB / 10)
    hertz = 440 * 2 ** ((midi_pitch - 69) / 12)
    times = np.arange(len(centres)) * FRAME_SECONDS
    return PitchTruth(times, np.where(sounds, hertz, 0.0))
