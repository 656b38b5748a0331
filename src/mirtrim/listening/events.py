"""Listening with the tasks that find events in time."""

from functools import partial

import numpy as np
import pandas as pd
import torch

from mirtrim.listening.activations import outputs_of
from mirtrim.listening.audio import AudioFile, Meter, Progress, mono_blocks
from mirtrim.listening.blocks import at_least, framed
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
    meter = Meter(rate)
    blocks = meter.through(mono_blocks(audio, rate, progress))
    # A frame sees half a Fourier window to each side.
    frames = framed(blocks, hop, -(-(window // 2) // hop), BLOCK_FRAMES, compute)
    length = task.window_rows(features)
    silence = np.full(features["mel_bands"], np.log(1e-5), dtype=np.float32)
    batches = list(
        outputs_of(
            bundle,
            task,
            "frames",
            at_least(frames, length, silence),
            length // 2,  # windows overlap by half, as in `Transcription.predicted_starts`
            flush=True,
        )
    )
    outputs, starts = (torch.cat(parts) for parts in zip(*batches, strict=True))
    activation = task.activation(outputs, starts, int(starts[-1]) + length)
    heard = decode(task, activation, bundle, hop / rate)
    # A file shorter than a window is continued with silence; nothing sounds behind its end.
    heard = heard[heard.time_seconds <= audio.duration_seconds]
    return Events(
        duration_seconds=audio.duration_seconds,
        notes=_notes(meter, audio.duration_seconds, length * hop / rate),
        table=heard.iloc[:0] if meter.silent else heard,
        detectors=task.detectors,
    )


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
