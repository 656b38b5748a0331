"""Listening with the tasks that find events in time."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from mirtrim.listening.about import Network
from mirtrim.listening.audio import AudioFile, Progress, mono_blocks
from mirtrim.listening.blocks import at_least, framed, outputs_of
from mirtrim.listening.features import (
    MEL_FLOOR,
    as_images,
    log_mel,
    overlap_mean,
    peaks_of,
    sigmoid,
)
from mirtrim.listening.meter import Meter
from mirtrim.listening.results import Events, in_order

BLOCK_FRAMES = 500


def hear_events(network: Network, audio: AudioFile, progress: Progress) -> Events:
    """Events of a file, as the task decodes them."""
    features = network.about.features
    rate, window, hop = features["sample_rate"], features["window"], features["hop"]
    bands = [features[key] for key in ("mel_bands", "lowest_hz", "highest_hz")]

    def compute(samples: np.ndarray) -> np.ndarray:
        return log_mel(samples, rate, window, hop, *bands)

    meter = Meter(rate, hop)
    blocks = meter.through(mono_blocks(audio, rate, progress))
    # A frame sees half a Fourier window to each side.
    margin = -(-(window // 2) // hop)
    length = features["window_frames"]
    tail = Tail(3 * length)
    frames = tail.through(framed(blocks, hop, margin, BLOCK_FRAMES, compute))
    silence = np.full(features["mel_bands"], np.log(MEL_FLOOR), dtype=np.float32)
    activation = _activation(network, at_least(frames, length, silence), flush=True)
    heard = decode(network, activation, hop / rate)
    at = np.rint(heard.times_seconds * rate / hop).astype(int)
    whole = max(0, (meter.samples - window // 2) // hop + 1)  # frames that see no padding behind
    # A file shorter than a window is padded with silence; nothing sounds after its end.
    real = (heard.times_seconds <= audio.duration_seconds) & meter.sounds_at(at, 1, margin)
    judged = real & (at >= tail.seen - length - margin - 1)
    if judged.any():
        labels = heard.labels[judged]
        real[judged] &= _without_padding(network, tail, whole, labels, at[judged])
    return replace(
        heard,
        duration_seconds=audio.duration_seconds,
        notes=_notes(meter, audio.duration_seconds, length * hop / rate),
        times_seconds=heard.times_seconds[real],
        labels=heard.labels[real],
        confidence=heard.confidence[real],
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


def _activation(network: Network, rows: Iterable[np.ndarray], *, flush: bool) -> np.ndarray:
    """Activation of rows of log-mel frames, (detectors, frames)."""
    length = network.about.features["window_frames"]
    mean, deviation = (
        np.array(network.about.statistics[name], dtype=np.float32) for name in ("mean", "deviation")
    )

    def inputs(windows: np.ndarray) -> np.ndarray:
        return as_images((windows - mean) / deviation)

    # Windows overlap by half, as in `Transcription.predicted_starts`.
    batches = list(outputs_of(network, rows, length, length // 2, inputs, flush=flush))
    outputs, starts = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return overlap_mean(sigmoid(outputs), starts.tolist(), int(starts[-1]) + length)


def _without_padding(
    network: Network,
    tail: Tail,
    whole: int,
    labels: np.ndarray,
    at: np.ndarray,
) -> np.ndarray:
    """Which events near the end of a file are also detected if the sound continues, (events,).

    Files often end in the middle of a sound. The silence that is padded after the end is not part
    of the file, so detections that depend on it are not events. Therefore the last frame that does
    not reach into the padding is repeated, and windows keep their positions.

    Args:
        whole: frames of the file that see only the file.
        labels: of the events.
        at: their frames, (events,).
    """
    length = network.about.features["window_frames"]
    step = length // 2
    first = max(0, tail.seen - 2 * length) // step * step
    held = tail.rows[len(tail.rows) - (tail.seen - first) :]
    sound = held[: max(0, whole - first)]
    if not len(sound):
        return np.zeros(len(at), dtype=bool)
    continued = np.concatenate([sound, np.repeat(sound[-1:], len(held) - len(sound) + length, 0)])
    activation = _activation(network, iter([continued]), flush=False)
    around = np.pad(activation, ((0, 0), (1, 1)))
    highest = np.maximum.reduce([around[:, :-2], around[:, 1:-1], around[:, 2:]])
    names = network.manner.detectors
    detectors = np.array([names.index(label) for label in labels])
    thresholds = np.array([network.about.decoding[f"threshold_{name}"] for name in names])
    found: np.ndarray = highest[detectors, at - first] >= thresholds[detectors]
    return found


def decode(network: Network, activation: np.ndarray, hop_seconds: float) -> Events:
    """Peaks above the thresholds, in the order of time.

    Args:
        activation: (detectors, frames).
    """
    frames = {
        name: peaks_of(activation[index], network.about.decoding[f"threshold_{name}"])
        for index, name in enumerate(network.manner.detectors)
    }
    times, labels, confidence = in_order(
        {name: of * hop_seconds for name, of in frames.items()},
        {name: activation[index, of] for index, (name, of) in enumerate(frames.items())},
    )
    return Events(
        duration_seconds=activation.shape[1] * hop_seconds,
        times_seconds=times,
        labels=labels,
        confidence=confidence,
        detectors=network.manner.detectors,
    )


def _notes(meter: Meter, duration_seconds: float, window_seconds: float) -> tuple[str, ...]:
    if meter.silent:
        return (f"{meter.silence}, so no events",)
    if duration_seconds < window_seconds:
        return (f"shorter than one window of {window_seconds:.1f} s, padded with silence",)
    return ()
