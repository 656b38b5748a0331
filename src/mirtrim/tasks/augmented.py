"""Tasks with audio augmentation: training examples are altered again in every epoch.

`training.augmentation` says how (`mirtrim.sound.chain`). For tasks that train on samples, a chain
of effects alters them; tasks with precomputed frames blur these frames. Validation and test are
unchanged. Random numbers come from the stream of the batches, so two methods with one seed see the
same examples.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.sound.chain import Blurring, Chain
from mirtrim.tasks.chord import Chord
from mirtrim.tasks.classification import at_unit_level
from mirtrim.tasks.drums import Drums, DrumsFive
from mirtrim.tasks.f0 import pitch_targets
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.pitch import FULL_SCALE, Pitch, normalised
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Batch, Parameters, Task
from mirtrim.tasks.windowed import WindowedTask
from mirtrim.tasks.windows import gather
from mirtrim.utils.errors import ConfigError

# Context before and after a window, in samples: for reverberation and detuning.
LEAD, TAIL = 1536, 64


class BlurredFrames(WindowedTask):
    """Frames of every training batch are blurred."""

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        blurring, own = Blurring.of(training["augmentation"]), rng.spawn(1)[0]
        for inputs, targets in super().batches(store, training, rng):
            blurred = torch.from_numpy(blurring.blur(inputs.numpy(), own))
            # In the layout that convolutions take.
            yield torch.empty_like(inputs).copy_(blurred), targets


class AugmentedOnset(BlurredFrames, Onset):
    """Onsets in blurred frames."""


class AugmentedDrums(BlurredFrames, Drums):
    """Drums in blurred frames."""


class AugmentedDrumsFive(BlurredFrames, DrumsFive):
    """Five drums in blurred frames."""


class AugmentedChord(BlurredFrames, Chord):
    """Chords in blurred frames."""


class PlayedSamples(WindowedTask):
    """Samples of every training batch are played through a chain of effects."""

    def played(
        self,
        store: FeatureStore,
        training: Parameters,
        rng: np.random.Generator,
        array: str,
        hop: int,
    ) -> Iterator[tuple[Tensor, Tensor, np.ndarray]]:
        """Starts (batch,), samples as heard (batch, samples), and their detuning in cents (batch,).

        Args:
            array: name of the samples in the store, whose rows have `hop` of them.
        """
        chain, own = Chain.of(training["augmentation"]), rng.spawn(1)[0]
        length, before, after = self.window_rows(training), -(-LEAD // hop), -(-TAIL // hop)
        cut = slice(before * hop, (before + length) * hop)
        tracks = store.of_split("train")
        for starts in self.drawn_starts(store, training, rng):
            wide = with_context(store.arrays[array], tracks, starts, length, before, after)
            samples = (wide.flatten(1).float() / FULL_SCALE).numpy()
            heard, cents = chain.play(samples, int(training["sample_rate"]), own, cut)
            yield starts, torch.from_numpy(heard), cents


class AugmentedPitch(PlayedSamples, Pitch):
    """Pitch of frames that were recorded differently; a detuned one has another pitch."""

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        f0_hz = store.arrays["f0_hz"]
        parts = self.played(store, training, rng, "blocks", int(training["hop"]))
        for starts, heard, cents in parts:
            # As a file would hold it.
            pulses = heard.mul(FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE)
            retuned = f0_hz[starts] * torch.from_numpy(2 ** (cents / 1200)).float()
            yield normalised(pulses), pitch_targets(retuned)


class AugmentedInstrument(PlayedSamples, Instrument):
    """Instruments in windows that were recorded differently."""

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        targets = self.targets(store, training)
        for starts, heard, _ in self.played(store, training, rng, "samples", 1):
            yield at_unit_level(heard), targets(starts)


AUGMENTED: dict[type[Task], type[Task]] = {
    Onset: AugmentedOnset,
    Drums: AugmentedDrums,
    DrumsFive: AugmentedDrumsFive,
    Chord: AugmentedChord,
    Pitch: AugmentedPitch,
    Instrument: AugmentedInstrument,
}


def augmented_kind(kind: type[Task]) -> type[Task]:
    """The task that is evaluated like `kind` and trains on altered examples.

    Raises:
        ConfigError: nothing is known to alter its examples.
    """
    if kind not in AUGMENTED:
        known = ", ".join(sorted(one.name for one in AUGMENTED))
        raise ConfigError(
            f"task {kind.name}: training.augmentation is for {known}; leave it out there"
        )
    return AUGMENTED[kind]


def with_context(
    array: Tensor, tracks: Any, starts: Tensor, length: int, before: int, after: int
) -> Tensor:
    """Windows of `array` with context from their own track, zeros beyond its ends.

    Args:
        array: (rows, …).
        tracks: rows of a store's table, whose tracks the windows lie in.
        starts: first rows of the windows, (windows,).

    Returns:
        (windows, before + length + after, …).
    """
    whole = before + length + after
    low = (starts - before).clamp(0, len(array) - whole)
    found = gather(array, low, whole)
    # Windows near the ends of the array were moved; move their content back.
    moved = low - (starts - before)
    for index in torch.nonzero(moved).flatten().tolist():
        found[index] = found[index].roll(int(moved[index]), 0)
    first = torch.tensor(tracks["first"].tolist())
    end = first + torch.tensor(tracks["count"].tolist())
    track = torch.searchsorted(first, starts, right=True) - 1
    place = starts[:, None] - before + torch.arange(whole)
    outside = (place < first[track][:, None]) | (place >= end[track][:, None])
    found[outside] = 0
    return found
