"""Tasks whose training examples are altered anew in every epoch, as recordings differ.

`training.augmentation` says how (`mirtrim.sound.chain`). Tasks that train on samples hear them
through a chain of effects; tasks whose frames have been computed once have these frames blurred.
Validation and test stay as they are. What is drawn follows from the stream of the batches, so two
methods with one seed see the same examples.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.sound.chain import Blurring, Chain
from mirtrim.tasks.chord import Chord
from mirtrim.tasks.classification import SMALLEST_RMS, class_indices
from mirtrim.tasks.drums import Drums, DrumsFive
from mirtrim.tasks.f0 import pitch_targets
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.pitch import FULL_SCALE, SMALLEST_DEVIATION, Pitch, blocks_per_frame
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Batch, Parameters, Task
from mirtrim.tasks.windowed import WindowedTask
from mirtrim.tasks.windows import gather, random_starts
from mirtrim.utils.errors import ConfigError

# Of what stands before and behind a window, in samples: rooms ring on, detuning reaches further.
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


class AugmentedPitch(Pitch):
    """Pitch of frames that were recorded differently; a detuned one has another pitch."""

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        chain, own = Chain.of(training["augmentation"]), rng.spawn(1)[0]
        hop, per_frame = int(training["hop"]), blocks_per_frame(training)
        before, after = -(-LEAD // hop), -(-TAIL // hop)
        cut = slice(before * hop, (before + per_frame) * hop)
        tracks = store.of_split("train")
        size = int(training["batch_size"])
        count = self.steps_per_epoch(store, training) * size
        starts = random_starts(tracks, per_frame, count, rng)
        blocks, f0_hz = store.arrays["blocks"], store.arrays["f0_hz"]
        for part in starts.split(size):
            wide = with_context(blocks, tracks, part, per_frame, before, after).flatten(1)
            heard, cents = chain.play(
                (wide.float() / FULL_SCALE).numpy(), int(training["sample_rate"]), own, cut
            )
            # As a file would hold it.
            pulses = torch.from_numpy(heard).mul(FULL_SCALE).round().clamp(-FULL_SCALE, FULL_SCALE)
            frames = pulses - pulses.mean(dim=1, keepdim=True)
            deviation = frames.square().mean(dim=1, keepdim=True).sqrt()
            frames = frames / deviation.clamp(min=SMALLEST_DEVIATION)
            retuned = f0_hz[part] * torch.from_numpy(2 ** (cents / 1200)).float()
            yield frames.unsqueeze(1), pitch_targets(retuned)


class AugmentedInstrument(Instrument):
    """Instruments in windows that were recorded differently."""

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        chain, own = Chain.of(training["augmentation"]), rng.spawn(1)[0]
        length = self.window_rows(training)
        tracks = store.of_split("train")
        size = int(training["batch_size"])
        count = self.steps_per_epoch(store, training) * size
        starts = random_starts(tracks, length, count, rng)
        classes = class_indices(store, store.tracks, training)
        firsts = torch.tensor(store.tracks["first"].tolist())
        for part in starts.split(size):
            wide = with_context(store.arrays["samples"], tracks, part, length, LEAD, TAIL)
            heard, _ = chain.play(
                (wide.float() / FULL_SCALE).numpy(),
                int(training["sample_rate"]),
                own,
                slice(LEAD, LEAD + length),
            )
            samples = torch.from_numpy(heard)
            level = samples.square().mean(1, keepdim=True).sqrt()
            inputs = (samples / level.clamp(min=SMALLEST_RMS)).unsqueeze(1)
            yield inputs, classes[torch.searchsorted(firsts, part, right=True) - 1]


AUGMENTED: dict[type[Task], type[Task]] = {
    Onset: AugmentedOnset,
    Drums: AugmentedDrums,
    DrumsFive: AugmentedDrumsFive,
    Chord: AugmentedChord,
    Pitch: AugmentedPitch,
    Instrument: AugmentedInstrument,
}


def augmented_kind(kind: type[Task]) -> type[Task]:
    """The task that hears like `kind` and trains on altered examples.

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
    """Windows of `array` with what stands around them in their own track, zeros beyond its ends.

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
