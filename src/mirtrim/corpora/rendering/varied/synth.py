"""Notes to samples with any SoundFont, in layers that are out of tune with each other."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import midirenderer
import mido
import numpy as np
import soundfile

from mirtrim.corpora.rendering.soundbank import (
    FULL_SCALE,
    RENDERER_RATE,
    TICKS_PER_BEAT,
    Part,
    _midi_track,
)
from mirtrim.corpora.rendering.varied.banks import Bank
from mirtrim.sound.effects import amplitude
from mirtrim.utils.errors import CorpusError

QUIETEST = 1e-5


@dataclass(frozen=True)
class Layer:
    """One sound of a layered instrument.

    Attributes:
        program: that plays; None leaves that of the part.
        detune_cents: against the part.
        level_db: of this layer alone, against the first layer's level when both are equally loud.
    """

    bank: Bank
    program: int | None = None
    detune_cents: float = 0.0
    level_db: float = 0.0


def render(parts: Sequence[Part], seconds: float, bank: Bank) -> np.ndarray:
    """Mono samples at 48 kHz without reverb or chorus, (round(48000 · seconds),) float32.

    As `rendering.soundbank.render`, with a bank of one's own.

    Raises:
        CorpusError: the bank cannot be played.
    """
    midi = mido.MidiFile(ticks_per_beat=TICKS_PER_BEAT)
    midi.tracks.extend(_midi_track(part, seconds) for part in parts)
    stream = io.BytesIO()
    midi.save(file=stream)
    try:
        wave = midirenderer.render_wave_from(bank.content(), stream.getvalue())
    except RuntimeError as error:
        raise CorpusError(f"{bank.path}: {error}; take it out of `banks`") from error
    samples, rate = soundfile.read(io.BytesIO(wave), dtype="int16", always_2d=True)
    if rate != RENDERER_RATE:
        raise ValueError(f"midirenderer gave {rate} Hz, not {RENDERER_RATE} Hz")
    mono = (samples[:, 0].astype(np.float32) + samples[:, 1]) / np.float32(2 * FULL_SCALE)
    count = round(seconds * RENDERER_RATE)
    return np.pad(mono[:count], (0, max(0, count - len(mono))))


def layered(parts: Sequence[Part], seconds: float, layers: Sequence[Layer]) -> np.ndarray:
    """The same parts played by every layer, at one level each, mixed.

    The first layer has the level that its bank gives it, the others are brought to it and then to
    their `level_db`; a layer that is silent, as its bank lacks the notes, is left out.
    """
    mix = np.zeros(round(seconds * RENDERER_RATE), dtype=np.float32)
    first = 0.0
    for layer in layers:
        played = [
            replace(
                part,
                program=part.program if layer.program is None else layer.program,
                tuning_semitones=part.tuning_semitones + layer.detune_cents / 100,
            )
            for part in parts
        ]
        samples = render(played, seconds, layer.bank)
        level = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
        if level < QUIETEST:
            continue
        first = first or level
        mix += samples * np.float32(first / level * float(amplitude(layer.level_db)))
    return mix
