"""Listening with the task `chord`."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain

import numpy as np

from mirtrim.listening.about import Network
from mirtrim.listening.audio import AudioFile, Progress, mono_blocks, share
from mirtrim.listening.blocks import framed, outputs_of
from mirtrim.listening.features import (
    LEVEL_RMS,
    SILENCE_RMS,
    as_images,
    log_constant_q,
    log_softmax,
)
from mirtrim.listening.meter import Meter
from mirtrim.listening.needs import BINS_PER_OCTAVE
from mirtrim.listening.results import Chords
from mirtrim.tasks.chord_labels import LABELS, NO_CHORD, segments, smoothest_path
from mirtrim.tasks.hearing import Features

BLOCK_SECONDS = 30.0
REST_SECONDS = 0.5


def hear_chords(network: Network, audio: AudioFile, progress: Progress) -> Chords:
    """Chords of a file, as the task decodes them.

    The file is read twice: features are computed at a common level (`tasks.audio.at_level`),
    and the level of a file is known at its end.
    """
    features = network.about.features
    rate, hop, around = features["sample_rate"], features["hop"], features["window_frames"]
    meter = Meter(rate, hop)
    for _ in meter.through(mono_blocks(audio, rate, share(progress, 0, 2))):
        pass
    if meter.silent:
        return Chords(
            duration_seconds=audio.duration_seconds,
            notes=(f"{meter.silence}, so no chord",),
            intervals=np.array([[0.0, audio.duration_seconds]]),
            labels=(LABELS[NO_CHORD],),
        )
    gain = np.float32(LEVEL_RMS / max(meter.rms, SILENCE_RMS))
    blocks = (gain * block for block in mono_blocks(audio, rate, share(progress, 1, 2)))
    frames = framed(
        blocks,
        hop,
        margin_frames(features),
        int(BLOCK_SECONDS * rate / hop),
        partial(_constant_q, features=features),
    )
    step = features["score_every_frames"]  # the cost of a change was chosen for this step
    rows = _surrounded(frames, around // 2, around - 1 - around // 2)
    parts = [
        log_softmax(outputs)
        for outputs, _ in outputs_of(network, rows, around, step, as_images, flush=False)
    ]
    path = smoothest_path(np.concatenate(parts), network.about.decoding["change_penalty"])
    path[silent_frames(meter, len(path), step, rate / hop)] = NO_CHORD
    intervals, labels = segments(path, step * hop / rate)
    intervals[-1, 1] = audio.duration_seconds
    shortest_seconds = margin_frames(features) * hop / rate
    note = f"shorter than {shortest_seconds:.1f} s, padded with silence"
    return Chords(
        duration_seconds=audio.duration_seconds,
        notes=(note,) if audio.duration_seconds < shortest_seconds else (),
        intervals=intervals,
        labels=tuple(labels),
    )


def silent_frames(meter: Meter, count: int, step: int, hops_per_second: float) -> np.ndarray:
    """Which of `count` frames, `step` hops apart, lie in a rest without any sound, (count,).

    Rests shorter than `REST_SECONDS` are part of how a chord is played.
    """
    hops = np.arange(count * step)
    sounds = meter.sounds_at(hops, 1, 1)
    edges = np.flatnonzero(np.diff(np.concatenate([[True], sounds, [True]]).astype(int)))
    silent = np.zeros(len(hops), dtype=bool)
    for begin, end in edges.reshape(-1, 2):
        silent[begin:end] = end - begin >= REST_SECONDS * hops_per_second
    return silent[::step]


def margin_frames(features: Features) -> int:
    """How far a constant-Q frame sees to each side, in hops.

    The longest filter is Q periods of the lowest bin, Q = 1 / (2^(1 / bins per octave) − 1). Its
    Fourier window is the next power of two, less than twice as long, and so reaches less than
    one length of the filter to each side of its centre. The second length is for the
    half-band filters that take the signal down octave by octave. At 55 Hz and 24 bins per
    octave that is 1.24 s; from 0.77 s on, frames of noise differ from those of the whole file
    by the rounding of 32 bits (1e-5) and by no more if the margin is doubled.
    """
    q = 1 / (2 ** (1 / BINS_PER_OCTAVE) - 1)
    longest_seconds = q / features["lowest_hz"]
    return int(np.ceil(2 * longest_seconds * features["sample_rate"] / features["hop"]))


def _constant_q(samples: np.ndarray, features: Features) -> np.ndarray:
    """Constant-Q frames, (1 + samples // hop, bins).

    A whole file shorter than the margin is padded with silence, as its filters are longer
    than itself; stretches of longer ones never are.
    """
    hop = features["hop"]
    short = margin_frames(features) * hop - len(samples)
    padded = np.pad(samples, (0, max(short, 0)))
    settings = (features[key] for key in ("sample_rate", "hop", "lowest_hz", "bins", "gain"))
    frames = log_constant_q(padded, *settings)
    return frames if short <= 0 else frames[: 1 + len(samples) // hop]


def _surrounded(frames: Iterable[np.ndarray], before: int, behind: int) -> Iterator[np.ndarray]:
    """Silence around a track, so that its first and last frames are centres of patches too."""
    frames = iter(frames)
    first = next(frames)
    silence = np.zeros((max(before, behind), first.shape[1]), first.dtype)
    yield from chain([silence[:before], first], frames, [silence[:behind]])
