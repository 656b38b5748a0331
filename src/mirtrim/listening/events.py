"""Listening with the tasks that find events in time."""

from collections.abc import Iterable, Iterator
from functools import partial

import numpy as np
import pandas as pd
import torch

from mirtrim.listening.audio import AudioFile, Meter, Progress, mono_blocks
from mirtrim.listening.blocks import at_least, framed, outputs_of
from mirtrim.listening.bundle import Bundle
from mirtrim.listening.results import Events
from mirtrim.tasks.audio import log_mel
from mirtrim.tasks.onset_scores import peak_times
from mirtrim.tasks.transcription import Transcription

BLOCK_FRAMES = 500


def hear_events(
    bundle: Bundle, task: Transcription, audio: AudioFile, progress: Progress
) -> Events:
    """Events of a file, as the task decodes them."""
    features = bundle.about.features
    rate, window, hop = features["sample_rate"], features["window"], features["hop"]
    compute = partial(
        log_mel,
        sample_rate=rate,
        window=window,
        hop=hop,
        bands=features["mel_bands"],
        lowest_hz=features["lowest_hz"],
        highest_hz=features["highest_hz"],
    )
    meter = Meter(rate, hop)
    blocks = meter.through(mono_blocks(audio, rate, progress))
    # A frame sees half a Fourier window to each side.
    margin = -(-(window // 2) // hop)
    length = task.window_rows(features)
    tail = Tail(3 * length)
    frames = tail.through(framed(blocks, hop, margin, BLOCK_FRAMES, compute))
    silence = np.full(features["mel_bands"], np.log(1e-5), dtype=np.float32)
    activation = _activation(bundle, task, at_least(frames, length, silence), flush=True)
    heard = decode(task, activation, bundle, hop / rate)
    # A file shorter than a window is continued with silence; nothing sounds behind its end.
    heard = heard[heard.time_seconds <= audio.duration_seconds]
    at = np.rint(heard.time_seconds.to_numpy() * rate / hop).astype(int)
    whole = max(0, (meter.samples - window // 2) // hop + 1)  # frames that see no padding behind
    judged = at >= tail.seen - length - margin - 1
    real = meter.sounds_at(at, 1, margin)
    if judged.any():
        real[judged] &= _without_padding(bundle, task, tail, whole, heard[judged], at[judged])
    return Events(
        duration_seconds=audio.duration_seconds,
        notes=_notes(meter, audio.duration_seconds, length * hop / rate),
        table=heard[real].reset_index(drop=True),
        detectors=task.detectors,
    )


class Tail:
    """The last rows of a stream.

    Attributes:
        seen: how many rows have passed.
        rows: the last `count` of them, or all.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.seen = 0
        self.rows = np.zeros((0, 0), dtype=np.float32)

    def through(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The same blocks."""
        for block in blocks:
            self.seen += len(block)
            held = np.concatenate([self.rows, block]) if len(self.rows) else block
            self.rows = held[-self.count :]
            yield block


def _activation(
    bundle: Bundle, task: Transcription, rows: Iterable[np.ndarray], *, flush: bool
) -> np.ndarray:
    """Activation of rows of log-mel frames, (detectors, frames)."""
    length = task.window_rows(bundle.about.features)
    # Windows overlap by half, as in `Transcription.predicted_starts`.
    batches = list(outputs_of(bundle, task, "frames", rows, length // 2, flush=flush))
    outputs, starts = (torch.cat(parts) for parts in zip(*batches, strict=True))
    return task.activation(outputs, starts, int(starts[-1]) + length)


def _without_padding(
    bundle: Bundle,
    task: Transcription,
    tail: Tail,
    whole: int,
    events: pd.DataFrame,
    at: np.ndarray,
) -> np.ndarray:
    """Which events near the end of a file are heard as well if the sound goes on, (events,).

    A file ends in the middle of a sound more often than not. The silence that then stands behind
    it is no part of it, and what only that silence makes a network hear is no event. So the last
    frame that sees none of it is repeated, and windows stand where they stood.

    Args:
        whole: frames of the file that see only the file.
        events: with a column label.
        at: their frames, (events,).
    """
    length = task.window_rows(bundle.about.features)
    step = length // 2
    first = max(0, tail.seen - 2 * length) // step * step
    held = tail.rows[len(tail.rows) - (tail.seen - first) :]
    sound = held[: max(0, whole - first)]
    if not len(sound):
        return np.zeros(len(at), dtype=bool)
    continued = np.concatenate([sound, np.repeat(sound[-1:], len(held) - len(sound) + length, 0)])
    activation = _activation(bundle, task, iter([continued]), flush=False)
    around = np.pad(activation, ((0, 0), (1, 1)))
    highest = np.maximum.reduce([around[:, :-2], around[:, 1:-1], around[:, 2:]])
    detectors = events.label.map(task.detectors.index).to_numpy(dtype=int)
    thresholds = np.array([bundle.about.decoding[f"threshold_{d}"] for d in task.detectors])
    found: np.ndarray = highest[detectors, at - first] >= thresholds[detectors]
    return found


def decode(
    task: Transcription, activation: np.ndarray, bundle: Bundle, hop_seconds: float
) -> pd.DataFrame:
    """Peaks above the thresholds, in the order of time.

    Args:
        activation: (detectors, frames).
    """
    parts = []
    for index, detector in enumerate(task.detectors):
        threshold = bundle.about.decoding[f"threshold_{detector}"]
        times = peak_times(activation[index], threshold, hop_seconds)
        frames = np.rint(times / hop_seconds).astype(int)
        confidence = activation[index, frames].astype(float)
        parts.append(
            pd.DataFrame({"time_seconds": times, "label": detector, "confidence": confidence})
        )
    heard = pd.concat(parts, ignore_index=True)
    return heard.sort_values(["time_seconds", "label"], ignore_index=True)


def _notes(meter: Meter, duration_seconds: float, window_seconds: float) -> tuple[str, ...]:
    if meter.silent:
        return (f"{meter.silence}, so no events",)
    if duration_seconds < window_seconds:
        return (f"shorter than one window of {window_seconds:.1f} s, continued with silence",)
    return ()
