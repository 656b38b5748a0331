"""Notes to samples with any SoundFont, in layers that are out of tune with each other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import resample_poly

from mirtrim.corpora.rendering import soundbank
from mirtrim.corpora.rendering.audio import SAMPLE_RATE
from mirtrim.corpora.rendering.scene import rms
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, Part
from mirtrim.corpora.rendering.varied.banks import Bank
from mirtrim.sound.effects import amplitude
from mirtrim.utils.errors import CorpusError

QUIETEST = 1e-5


@dataclass(frozen=True)
class Layer:
    """One sound of a layered instrument.

    Attributes:
        detune_cents: against the part.
        level_db: of this layer alone, against the first layer's level when both are equally loud.
    """

    bank: Bank
    detune_cents: float = 0.0
    level_db: float = 0.0


def render(parts: Sequence[Part], seconds: float, bank: Bank) -> np.ndarray:
    """Mono samples at 48 kHz without reverb or chorus, (round(48000 · seconds),) float32.

    As `rendering.soundbank.render`, with a bank of one's own.

    Raises:
        CorpusError: the bank cannot be played.
    """
    try:
        return soundbank.render(parts, seconds, bank.content())
    except RuntimeError as error:
        raise CorpusError(f"{bank.path}: {error}; take it out of `banks`") from error


def downsampled(mix: np.ndarray) -> np.ndarray:
    """A mix at 48 kHz, at 16 kHz, float32."""
    return resample_poly(mix, SAMPLE_RATE, RENDERER_RATE).astype(np.float32)


def mixed(
    layers: Iterable[tuple[np.ndarray, float]], seconds: float, quietest: float = 0.0
) -> np.ndarray:
    """The sum of layers, each (sound at 48 kHz, decibels relative to the first one's level).

    What is no louder than `quietest` is left out.
    """
    mix = np.zeros(round(seconds * RENDERER_RATE), dtype=np.float32)
    first = 0.0
    for samples, level_db in layers:
        level = rms(samples)
        if level > quietest:
            first = first or level
            mix += samples * np.float32(first / level * float(amplitude(level_db)))
    return mix


def layered(parts: Sequence[Part], seconds: float, layers: Sequence[Layer]) -> np.ndarray:
    """The same parts played by every layer, at one level each, mixed.

    The first layer has the level of its bank; the others are matched to it and then set to their
    `level_db`. A layer that is silent because its bank lacks the notes is left out.
    """

    def played(layer: Layer) -> list[Part]:
        return [
            replace(part, tuning_semitones=part.tuning_semitones + layer.detune_cents / 100)
            for part in parts
        ]

    sounds = ((render(played(layer), seconds, layer.bank), layer.level_db) for layer in layers)
    return mixed(sounds, seconds, QUIETEST)
