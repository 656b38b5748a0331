"""The recording around what is played: room, noise, level.

Everything is drawn from a stream named by the track, so a track sounds the same whatever
else is rendered, and in whatever order.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import irfft, next_fast_len, rfftfreq
from scipy.signal import lfilter, oaconvolve, resample_poly

from mirtrim.corpora.rendering.audio import SAMPLE_RATE
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE
from mirtrim.utils.seeds import numpy_generator

Range = tuple[float, float]


@dataclass(frozen=True)
class Scene:
    """How one piece is recorded. Levels are root-mean-square, relative to what is played.

    Attributes:
        room_db: level of the reverberation for a unit impulse, or None for a dry recording.
        decay_seconds: time in which the reverberation falls by 60 dB.
        noise_db: level of the noise, or None without it.
        noise_slope: its power falls with frequency to this power.
        peak_db: largest sample relative to full scale.
    """

    room_db: float | None = None
    decay_seconds: float = 0.3
    noise_db: float | None = None
    noise_slope: float = 1.0
    peak_db: float = -1.0


def draw_scene(
    rng: np.random.Generator,
    room_share: float,
    room_db: Range,
    decay_seconds: Range,
    noise_db: Range,
    noise_slope: Range = (0.5, 2.0),
    peak_db: Range = (-12.0, -1.0),
) -> Scene:
    """A scene within these ranges.

    Args:
        room_share: of recordings that have a room.
        noise_db: level of what is played above the noise.
    """
    return Scene(
        room_db=rng.uniform(*room_db) if rng.random() < room_share else None,
        decay_seconds=rng.uniform(*decay_seconds),
        noise_db=-rng.uniform(*noise_db),
        noise_slope=rng.uniform(*noise_slope),
        peak_db=rng.uniform(*peak_db),
    )


def take(
    mix: np.ndarray, seconds: float, level_rms: float, scene: Scene, seed: int, track_id: str
) -> np.ndarray:
    """Put a mix at 48 kHz into the room of `scene`; mono int16 at 16 kHz.

    Args:
        mix: (round(48000 · seconds),).
        level_rms: level of what is being recorded, to which that of the noise refers.
        seed, track_id: name the streams of room and noise.
    """
    samples = resample_poly(mix, SAMPLE_RATE, RENDERER_RATE)[: round(seconds * SAMPLE_RATE)]
    if scene.room_db is not None:
        room = room_response(
            scene.decay_seconds, scene.room_db, numpy_generator(seed, "room", track_id)
        )
        samples = oaconvolve(samples, room)[: len(samples)]
    if scene.noise_db is not None:
        noise = coloured_noise(
            len(samples), scene.noise_slope, numpy_generator(seed, "noise", track_id)
        )
        samples = samples + amplitude(scene.noise_db) * level_rms * noise
    samples = samples * (amplitude(scene.peak_db) / np.abs(samples).max())
    return np.rint(32767 * samples).astype(np.int16)


def room_response(decay_seconds: float, level_db: float, rng: np.random.Generator) -> np.ndarray:
    """Impulse response of a small room at 16 kHz: the direct sound, then decaying noise.

    The direct sound stands at sample 0, so onsets do not move. `level_db` is the energy of
    the reverberation relative to the direct sound; it begins 4 to 12 ms later.
    """
    time = np.arange(round(decay_seconds * SAMPLE_RATE)) / SAMPLE_RATE
    # A pole between 0.3 and 0.7 damps the high frequencies, as walls and air do.
    pole = rng.uniform(0.3, 0.7)
    tail = lfilter([1 - pole], [1, -pole], rng.normal(size=len(time)))
    tail *= 10 ** (-3 * time / decay_seconds)
    tail *= amplitude(level_db) / np.sqrt(np.sum(tail**2))
    gap = np.zeros(round(rng.uniform(0.004, 0.012) * SAMPLE_RATE))
    return np.concatenate([[1.0], gap, tail])


def coloured_noise(count: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """Noise of unit root-mean-square whose power falls as frequency ** -slope, (count,)."""
    length = next_fast_len(count, real=True)
    frequency = rfftfreq(length, 1 / SAMPLE_RATE)
    shape = np.maximum(frequency, 40.0) ** (-slope / 2)
    spectrum = shape * (rng.normal(size=len(shape)) + 1j * rng.normal(size=len(shape)))
    noise = irfft(spectrum, length)[:count]
    return noise / rms(noise)


def amplitude(level_db: float) -> float:
    """Factor of a level in decibels."""
    return float(10 ** (level_db / 20))


def rms(samples: np.ndarray) -> float:
    """Root mean square of all samples."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
