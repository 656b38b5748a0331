"""Listening with the task `pitch`: one fundamental every hop."""

from collections.abc import Iterable, Iterator

import numpy as np

from mirtrim.listening.about import Network
from mirtrim.listening.audio import AudioFile, Progress, mono_blocks
from mirtrim.listening.blocks import in_multiples, outputs_of
from mirtrim.listening.features import FULL_SCALE, fundamental, normalised_frames, sigmoid
from mirtrim.listening.meter import Meter
from mirtrim.listening.results import PitchCurve
from mirtrim.listening.steady import steady_paths


def hear_pitch(network: Network, audio: AudioFile, progress: Progress) -> PitchCurve:
    """The fundamental of a monophonic file, at every hop.

    Scoring may skip frames to save time (`score_every_frames`); the frames do not depend on
    each other, so a listener gets them all.
    """
    features = network.about.features
    rate, hop = features["sample_rate"], features["hop"]
    per_frame = features["frame_samples"] // hop
    meter = Meter(rate, hop)
    samples = meter.through(mono_blocks(audio, rate, progress))
    rows = hops(samples, hop, per_frame)
    activations = (
        sigmoid(outputs)
        for outputs, _ in outputs_of(network, rows, per_frame, 1, _inputs, flush=False)
    )
    parts = [fundamental(block, centre) for block, centre in steady_paths(activations)]
    frequency_hz, confidence = np.concatenate(parts, axis=1)
    # A network also has some activation without any pitch. Values around the centre decide.
    sounds = meter.sounds_at(np.arange(len(confidence)), 1, 1)
    return PitchCurve(
        duration_seconds=audio.duration_seconds,
        notes=(f"{meter.silence}, so nothing is voiced",) if meter.silent else (),
        times_seconds=np.arange(len(frequency_hz)) * hop / rate,
        frequency_hz=frequency_hz,
        confidence=confidence,
        voiced=(confidence >= network.about.decoding["threshold"]) & sounds,
    )


def _inputs(windows: np.ndarray) -> np.ndarray:
    """Windows of hops, (windows, hops, hop), as frames."""
    return normalised_frames(windows.reshape(len(windows), -1))


def hops(blocks: Iterable[np.ndarray], hop: int, per_frame: int) -> Iterator[np.ndarray]:
    """Rows of `hop` samples as `Pitch.recording` keeps them, int16, (rows, hop).

    Half a frame of silence is added before the first sample and as much as needed after the last
    one, so that frame i is centred on sample i · hop.
    """
    yield np.zeros((per_frame // 2, hop), dtype=np.int16)
    silent_rows = per_frame // 2
    for block in in_multiples(blocks, hop):
        pulses = np.rint(FULL_SCALE * block.clip(-1, 1)).astype(np.int16)
        if len(pulses) % hop:  # the last one
            pulses = np.pad(pulses, (0, -len(pulses) % hop))
            silent_rows -= 1
        yield pulses.reshape(-1, hop)
    yield np.zeros((silent_rows, hop), dtype=np.int16)
