"""Listening with tasks that classify a whole file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from mirtrim.listening.about import Network
from mirtrim.listening.audio import AudioFile, Progress, mono_blocks, share
from mirtrim.listening.blocks import at_least, in_multiples, outputs_of
from mirtrim.listening.features import FULL_SCALE, SILENCE_FRAME, levelled_windows, log_softmax
from mirtrim.listening.meter import STEP, Meter, deviations
from mirtrim.listening.needs import SURE_FROM
from mirtrim.listening.results import Tags

# Share of a window that must sound. On validation, half windows are classified correctly half as #
# often as clips, and quarter windows hardly more often than by chance.
LEAST_SHARE = 0.5


@dataclass(frozen=True)
class Loudness:
    """Results of a first pass over a file.

    Attributes:
        kept: which frames of `SILENCE_FRAME` samples are not silence, the last, incomplete one
            included, (frames + 1,).
        peak: largest |sample| of what is kept.
        kept_samples: how many samples that is.
    """

    kept: np.ndarray
    peak: float
    kept_samples: int


def hear_class(network: Network, audio: AudioFile, progress: Progress) -> Tags:
    """Probability of every class, the mean over windows side by side.

    The file is read twice: what counts as silence, and the scale of the samples, depend on its
    loudest frame.
    """
    features = network.about.features
    rate, length = features["sample_rate"], features["window_samples"]
    meter = Meter(rate, SILENCE_FRAME)
    first = meter.through(mono_blocks(audio, rate, share(progress, 0, 2)))
    loudness = measure_loudness(first, features["silence_db"])
    kept_seconds = loudness.kept_samples / rate
    problem = ""
    if meter.silent:
        problem = f"{meter.silence}, so no class"
    elif loudness.kept_samples < LEAST_SHARE * length:
        problem = (
            f"{kept_seconds:.2f} s of sound are too little to name a class: "
            f"{LEAST_SHARE * length / rate:.2f} s are needed"
        )
    if problem:
        return Tags(
            duration_seconds=audio.duration_seconds,
            notes=(problem,),
            classes=(),
            probabilities=np.zeros(0),
            sure=False,
        )
    second = mono_blocks(audio, rate, share(progress, 1, 2))
    rows = at_least(pulses(second, loudness), length, np.zeros((), dtype=np.int16))
    parts = [
        np.exp(log_softmax(outputs))
        for outputs, _ in outputs_of(network, rows, length, length, levelled_windows, flush=True)
    ]
    mean = np.concatenate(parts).mean(0)
    order = np.argsort(-mean, kind="stable")
    sure_from = network.about.decoding.get(SURE_FROM, 0.0)
    sure = bool(mean[order[0]] >= sure_from)
    notes = []
    if loudness.kept_samples < length:
        window = f"one window of {length / rate:.2f} s"
        notes.append(f"{kept_seconds:.2f} s of sound are less than {window}")
    if not sure:
        notes.append(
            f"unsure: the most probable class has {mean[order[0]]:.0%}, below the "
            f"{sure_from:.0%} from which on this network is mostly right"
        )
    return Tags(
        duration_seconds=audio.duration_seconds,
        notes=tuple(notes),
        classes=tuple(features["classes"][index] for index in order),
        probabilities=mean[order],
        sure=sure,
    )


def measure_loudness(blocks: Iterable[np.ndarray], silence_db: float) -> Loudness:
    """Find the silence of a recording, like `tasks.classification.without_silence`."""
    powers, peaks, deviates = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, dtype=bool)]
    rest = np.zeros(0)
    for block in in_multiples(blocks, SILENCE_FRAME):
        whole = len(block) // SILENCE_FRAME
        frames = block[: whole * SILENCE_FRAME].reshape(whole, SILENCE_FRAME)
        powers.append(np.square(frames, dtype=np.float64).mean(1))
        peaks.append(np.abs(frames).max(1, initial=0))
        deviates.append(deviations(frames) >= STEP)
        rest = block[whole * SILENCE_FRAME :]
    power, peak = np.concatenate(powers), np.concatenate(peaks)
    kept = np.ones(len(power), dtype=bool)
    if len(power) >= 2:
        kept = power >= power.max() * 10 ** (-silence_db / 10)
    kept &= np.concatenate(deviates)
    keep_rest = bool(kept[-1]) or not kept.any() if len(kept) else True
    rest_peak = float(np.abs(rest).max(initial=0)) if keep_rest else 0.0
    return Loudness(
        np.append(kept, keep_rest),
        max(float(peak[kept].max(initial=0)), rest_peak),
        int(kept.sum()) * SILENCE_FRAME + len(rest) * keep_rest,
    )


def pulses(blocks: Iterable[np.ndarray], loudness: Loudness) -> Iterator[np.ndarray]:
    """What is not silence, at full scale, int16, (samples,)."""
    scale = FULL_SCALE / loudness.peak
    frame = 0
    for block in in_multiples(blocks, SILENCE_FRAME):
        kept = loudness.kept[frame : frame + 1 + len(block) // SILENCE_FRAME].repeat(SILENCE_FRAME)
        frame += len(block) // SILENCE_FRAME
        yield np.rint(block[kept[: len(block)]] * scale).astype(np.int16)
