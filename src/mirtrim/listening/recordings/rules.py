"""What a few lines without a network hear. No constant here was fitted to any recording."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import librosa
import numpy as np

from mirtrim.listening.recordings.truth import ClassTruth, Truth
from mirtrim.listening.results import Chords, Events, Heard, PitchCurve, Tags, in_order
from mirtrim.runs.jobs.baselines import triads
from mirtrim.tasks.audio import read_mono
from mirtrim.tasks.chord_labels import CLASSES, segments, smoothest_path

RATE = 22050  # librosa's usual rate
LIBROSA = f"librosa {version('librosa')}"
NONE = "-"
QUARTER_SECONDS = 0.25
# Where the drums have most of their energy, in Hz.
BANDS: Mapping[str, tuple[float, float]] = {
    "kick": (20.0, 120.0),
    "snare": (200.0, 2000.0),
    "hihat": (6000.0, RATE / 2),
}
BAND_WINDOW, BAND_HOP = 1024, 256
LOWEST_HZ, HIGHEST_HZ = 32.703, 2093.0  # C1 to C7
CHROMA_HOP = 2048
SHARPNESS = 20.0  # of correlations, before the softmax
# A chord continues from frame to frame with probability 0.9; the others share the rest.
CHANGE_PENALTY = float(np.log(0.9 / (0.1 / (CLASSES - 1))))


@dataclass(frozen=True)
class Scene:
    """What a rule may know of the recordings: truths of all of them, classes of the task."""

    detectors: tuple[str, ...]
    classes: tuple[str, ...]
    truths: Sequence[Truth]


@dataclass(frozen=True)
class Rule:
    """A baseline.

    Attributes:
        name: as tables have it.
        library: what computes it, with its version; `NONE` if nothing does.
        hear: samples at `RATE`, (samples,), and the scene → the result.
    """

    name: str
    library: str
    hear: Callable[[np.ndarray, Scene], Heard]


def heard_by(rule: Rule, scene: Scene, path: Path) -> Heard:
    """The result of a rule for a file."""
    return rule.hear(read_mono(path, RATE), scene)


def _events(times: Mapping[str, np.ndarray], samples: np.ndarray) -> Events:
    found, labels, sure = in_order(times, {name: np.ones(len(of)) for name, of in times.items()})
    return Events(
        duration_seconds=len(samples) / RATE,
        times_seconds=found,
        labels=labels,
        confidence=sure,
        detectors=tuple(times),
    )


def every_quarter_second(samples: np.ndarray, scene: Scene) -> Events:
    """An onset every quarter second from the beginning on."""
    grid = np.arange(0, len(samples) / RATE, QUARTER_SECONDS)
    return _events(dict.fromkeys(scene.detectors, grid), samples)


def librosa_onsets(samples: np.ndarray, scene: Scene) -> Events:
    """`librosa.onset.onset_detect` at its defaults; each onset is one of every detector."""
    times = librosa.onset.onset_detect(y=samples, sr=RATE, units="time")
    return _events(dict.fromkeys(scene.detectors, times), samples)


def band_energies(samples: np.ndarray, scene: Scene) -> Events:
    """Rises of the energy of three bands, picked as librosa picks onsets."""
    spectrum = librosa.stft(samples, n_fft=BAND_WINDOW, hop_length=BAND_HOP)
    power = librosa.power_to_db(np.square(np.abs(spectrum)))
    hertz = librosa.fft_frequencies(sr=RATE, n_fft=BAND_WINDOW)
    found = {}
    for name, (low, high) in BANDS.items():
        band = power[(hertz >= low) & (hertz < high)]
        rise = np.diff(band, axis=1, prepend=band[:, :1]).clip(min=0).mean(axis=0)
        found[name] = librosa.onset.onset_detect(
            onset_envelope=rise, sr=RATE, hop_length=BAND_HOP, units="time"
        )
    return _events(found, samples)


def pyin(samples: np.ndarray, scene: Scene) -> PitchCurve:
    """`librosa.pyin` from C1 to C7 at its defaults; it has a pitch for every frame."""
    hertz, voiced, probability = librosa.pyin(
        samples, fmin=LOWEST_HZ, fmax=HIGHEST_HZ, sr=RATE, fill_na=None
    )
    return PitchCurve(
        duration_seconds=len(samples) / RATE,
        times_seconds=librosa.times_like(hertz, sr=RATE),
        frequency_hz=hertz,
        confidence=probability,
        voiced=voiced,
    )


def chroma_templates(samples: np.ndarray, scene: Scene) -> Chords:
    """Correlation of librosa's constant-Q chroma with 24 triads, and the most probable path."""
    chroma = librosa.feature.chroma_cqt(y=samples, sr=RATE, hop_length=CHROMA_HOP).T
    chroma = chroma - chroma.mean(axis=1, keepdims=True)
    chroma /= np.linalg.norm(chroma, axis=1, keepdims=True).clip(min=1e-8)
    scores = SHARPNESS * chroma @ triads().T
    scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
    intervals, labels = segments(smoothest_path(scores, CHANGE_PENALTY), CHROMA_HOP / RATE)
    intervals[-1, 1] = len(samples) / RATE
    return Chords(duration_seconds=len(samples) / RATE, intervals=intervals, labels=tuple(labels))


def chance(samples: np.ndarray, scene: Scene) -> Tags:
    """Every class of the networks is as probable as the others."""
    share = np.full(len(scene.classes), 1 / len(scene.classes))
    return Tags(duration_seconds=len(samples) / RATE, classes=scene.classes, probabilities=share)


def commonest_class(samples: np.ndarray, scene: Scene) -> Tags:
    """The class that most of these recordings have; of equal ones the first in the alphabet."""
    labels = sorted(truth.label for truth in scene.truths if isinstance(truth, ClassTruth))
    best = max(dict.fromkeys(labels), key=labels.count)
    return Tags(duration_seconds=len(samples) / RATE, classes=(best,), probabilities=np.ones(1))


_DRUMS = Rule("every onset is every drum", LIBROSA, librosa_onsets)
_CLASSES = (Rule("chance", NONE, chance), Rule("commonest class", NONE, commonest_class))
RULES_OF_TASK: Mapping[str, tuple[Rule, ...]] = {
    "onset": (
        Rule("every quarter second", NONE, every_quarter_second),
        Rule("librosa.onset", LIBROSA, librosa_onsets),
    ),
    "drums": (_DRUMS, Rule("three band energies", LIBROSA, band_energies)),
    "drums_five": (_DRUMS,),
    "pitch": (Rule("pYIN", LIBROSA, pyin),),
    "chord": (Rule("chroma templates", LIBROSA, chroma_templates),),
    "instrument": _CLASSES,
    "genre": _CLASSES,
}
