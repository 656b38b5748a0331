"""A chain of effects whose strengths are drawn anew for every row of samples.

In the order of a recording: instrument out of tune, room, the response of microphone and
loudspeaker, noise, overload, codec, level. The same chain serves whole rendered pieces and the
windows of one batch. Feature frames have a chain of their own (`Blurring`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from mirtrim.sound import effects
from mirtrim.sound.effects import Curve

ROOM_DB = (-20.0, 3.0)
SLOPES = (0.0, 2.0)
CLIPPED_SHARE = (0.15, 0.9)
CODEC_BITS = (5.0, 12.0)
ROOMS = 8  # of a batch: drawing one takes longer than playing in it
SILENCE_DB = (-90.0, -40.0)  # noise in rows that are almost silent, relative to full scale
SILENT = 1e-4


@dataclass(frozen=True)
class Chain:
    """How strong each effect can be; at its default every one of them is off.

    Attributes:
        tuning_cents: largest detuning.
        room: share of rows in a room.
        room_seconds: longest decay; the shortest is 0.08 s.
        tilt_db: steepest tilt, per octave.
        equaliser_db: highest of four resonances and notches.
        band_limit: share of rows without their lowest or highest frequencies.
        noise: share of rows with noise.
        noise_db: least and most level of a row above its noise.
        clipping: share of overloaded rows, half of them softly.
        codec: share of rows that are quantised coarsely, as by a small codec.
        level_db: lowest peak of a row, relative to full scale; 0 leaves levels as they are.
    """

    tuning_cents: float = 0.0
    room: float = 0.0
    room_seconds: float = 0.6
    tilt_db: float = 0.0
    equaliser_db: float = 0.0
    band_limit: float = 0.0
    noise: float = 0.0
    noise_db: tuple[float, float] = (10.0, 50.0)
    clipping: float = 0.0
    codec: float = 0.0
    level_db: float = 0.0

    @staticmethod
    def of(settings: Mapping[str, Any]) -> "Chain":
        """The chain of a block of the configuration; keys of other chains are passed over."""
        own = {k: v for k, v in settings.items() if k in Chain.__dataclass_fields__}
        if "noise_db" in own:
            low, high = own["noise_db"]
            own["noise_db"] = (float(low), float(high))
        return Chain(**own)

    def play(
        self,
        samples: np.ndarray,
        sample_rate: int,
        rng: np.random.Generator,
        cut: slice = slice(None),
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows of samples (full scale 1) through chains drawn for each of them.

        Args:
            samples: (rows, samples), float32.
            cut: the part that is kept; what stands before it is heard in the room.

        Returns:
            (rows, samples of the part), float32, and the detuning of every row in cents, (rows,).
        """
        rows, count = samples.shape
        first, last, _ = cut.indices(count)
        cents = np.zeros(rows)
        if self.tuning_cents:
            cents = rng.uniform(-self.tuning_cents, self.tuning_cents, (rows,))
            samples = effects.retuned(samples, cents[:, None], (first + last) // 2)
        samples = self._filtered(samples, sample_rate, rng)[:, cut]
        samples = self._with_noise(samples, sample_rate, rng)
        samples = self._overloaded(samples, rng)
        samples = self._coded(samples, rng)
        if self.level_db:
            level = rng.uniform(self.level_db, 0, (rows, 1))
            loud = np.abs(samples).max(-1, keepdims=True) > SILENT
            samples = np.where(loud, effects.at_level(samples, level), samples)
        return samples.astype(np.float32, copy=False), cents

    def curve(self, sample_rate: int, rng: np.random.Generator) -> Curve:
        """The response of one recording."""
        bumps = [
            (
                float(np.exp(rng.uniform(np.log(60), np.log(sample_rate / 2.2)))),
                float(rng.uniform(-self.equaliser_db, self.equaliser_db)),
                float(rng.uniform(0.15, 1.2)),
            )
            for _ in range(4 if self.equaliser_db else 0)
        ]
        tilt = float(rng.uniform(-self.tilt_db, self.tilt_db))
        lowest, highest = 0.0, float("inf")
        if rng.random() < self.band_limit:
            low = float(np.exp(rng.uniform(np.log(30), np.log(300))))
            high = float(np.exp(rng.uniform(np.log(2500), np.log(sample_rate / 2))))
            lowest, highest = (low, highest) if rng.random() < 0.5 else (lowest, high)
        return Curve(tilt, bumps, lowest, highest)

    def _filtered(
        self, samples: np.ndarray, sample_rate: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Room and response in one product of spectra."""
        rows, count = samples.shape
        if not (self.room or self.tilt_db or self.equaliser_db or self.band_limit):
            return samples
        longest = round(self.room_seconds * sample_rate) if self.room else sample_rate // 50
        length = next_fast_len(count + longest, real=True)
        frequency = rfftfreq(length, 1 / sample_rate)
        gain_db = np.stack([self.curve(sample_rate, rng).gain_db(frequency) for _ in range(rows)])
        spectrum = rfft(samples, length) * effects.amplitude(gain_db).astype(np.float32)
        if self.room:
            seconds = np.exp(rng.uniform(np.log(0.08), np.log(self.room_seconds), ROOMS))
            rooms = [
                effects.room(float(s), float(rng.uniform(*ROOM_DB)), sample_rate, rng)
                for s in seconds[: min(ROOMS, rows)]
            ]
            inside = np.flatnonzero(rng.random(rows) < self.room)
            which = rng.integers(len(rooms), size=len(inside))
            spectra = np.stack([rfft(one, length) for one in rooms])
            spectrum[inside] *= spectra[which]
        return irfft(spectrum, length)[:, :count]

    def _with_noise(
        self, samples: np.ndarray, sample_rate: int, rng: np.random.Generator
    ) -> np.ndarray:
        if not self.noise:
            return samples
        rows = len(samples)
        noisy = rng.random((rows, 1)) < self.noise
        slope = rng.uniform(*SLOPES, (rows, 1))
        ratio_db = rng.uniform(*self.noise_db, (rows, 1))
        alone_db = rng.uniform(*SILENCE_DB, (rows, 1))
        added = effects.noise(samples.shape, slope, sample_rate, rng)
        level = effects.rms(samples)
        level = np.where(
            level > SILENT, level * effects.amplitude(-ratio_db), effects.amplitude(alone_db)
        )
        return samples + (noisy * level).astype(np.float32) * added

    def _overloaded(self, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows = len(samples)
        chance, share = rng.random(rows), rng.uniform(*CLIPPED_SHARE, (rows, 1))
        for soft, hit in (
            (True, chance < self.clipping / 2),
            (False, (chance >= self.clipping / 2) & (chance < self.clipping)),
        ):
            if hit.any():
                samples[hit] = effects.clipped(samples[hit], share[hit], soft)
        return samples

    def _coded(self, samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rows = len(samples)
        hit, bits = rng.random(rows) < self.codec, rng.uniform(*CODEC_BITS, (rows, 1))
        if hit.any():
            samples[hit] = effects.quantised(samples[hit], bits[hit])
        return samples


@dataclass(frozen=True)
class Blurring:
    """Effects on frames of bands that have been computed once; all off at the defaults.

    Values are in deviations of their band, as networks take them.

    Attributes:
        band_gain: largest gain of a whole row, and of each of six bumps over the bands.
        frame_noise: largest deviation of noise on every value.
        masked_bands, masked_frames: most neighbouring bands or frames that are set to 0, the mean.
    """

    band_gain: float = 0.0
    frame_noise: float = 0.0
    masked_bands: int = 0
    masked_frames: int = 0

    @staticmethod
    def of(settings: Mapping[str, Any]) -> "Blurring":
        """That of a block of the configuration; keys of other chains are passed over."""
        return Blurring(**{k: v for k, v in settings.items() if k in Blurring.__dataclass_fields__})

    def blur(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Rows of images (rows, channels, bands, frames), float32, each in its own way."""
        rows, _, bands, frames = images.shape
        images = images.copy()
        if self.band_gain:
            place = np.arange(bands) / bands
            gain = rng.uniform(-self.band_gain, self.band_gain, (rows, 1))
            gain = gain + np.zeros((rows, bands))
            for _ in range(6):
                centre, width = rng.uniform(0, 1, (rows, 1)), rng.uniform(0.03, 0.3, (rows, 1))
                height = rng.uniform(-self.band_gain, self.band_gain, (rows, 1))
                gain += height * np.exp(-0.5 * ((place - centre) / width) ** 2)
            images += gain[:, None, :, None].astype(np.float32)
        if self.frame_noise:
            size = rng.uniform(0, self.frame_noise, (rows, 1, 1, 1)).astype(np.float32)
            images += size * rng.standard_normal(images.shape, dtype=np.float32)
        for most, axis, length in (
            (self.masked_bands, 2, bands),
            (self.masked_frames, 3, frames),
        ):
            if most:
                width = rng.integers(0, min(most, length) + 1, rows)
                start = (rng.random(rows) * (length - width + 1)).astype(int)
                index = np.arange(length)
                hidden = (index >= start[:, None]) & (index < (start + width)[:, None])
                shape = (rows, 1, bands, 1) if axis == 2 else (rows, 1, 1, frames)
                images *= ~hidden.reshape(shape)
        return images
