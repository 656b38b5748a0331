"""Fundamental frequencies: annotations at other times, bins of 20 cents, scores."""

import warnings

import numpy as np
import torch
from torch import Tensor

from mirtrim.models.crepe import BINS

LOWEST_HZ = 32.703  # C1, the first bin
CENTS_PER_BIN = 20.0
BLUR_CENTS = 25.0
NEIGHBOURS = 4
# Neighbouring annotations further apart belong to two notes.
LARGEST_STEP_OCTAVES = 1 / 12
SMALLEST_HZ = 1e-3
LARGEST_GAP_HOPS = 2.5  # neighbours that are two hops apart are still neighbours
ROUNDING = 1e-6  # of times that are written in decimals


def f0_at(times: np.ndarray, f0_hz: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Annotated f0 at other times, (len(at),), 0 in silence.

    Between two sounding values that belong to one note log f0 is interpolated; elsewhere the
    nearest value counts. Where values are more than two hops apart, a hop being the usual
    distance, each counts for one hop, and between them there is silence, as before the first
    and behind the last one.

    Args:
        times: rising, in seconds, (values,), two at least.
        f0_hz: 0 in silence, (values,).
        at: seconds.
    """
    right = np.clip(np.searchsorted(times, at), 1, len(times) - 1)
    left = right - 1
    share = np.clip((at - times[left]) / (times[right] - times[left]), 0, 1)
    nearest = np.where(share < 0.5, f0_hz[left], f0_hz[right])
    low, high = (np.maximum(f0_hz[side], SMALLEST_HZ) for side in (left, right))
    between = low ** (1 - share) * high**share
    both_sound = (f0_hz[left] > 0) & (f0_hz[right] > 0)
    same_note = both_sound & (np.abs(np.log2(high / low)) < LARGEST_STEP_OCTAVES)
    hop_seconds = float(np.median(np.diff(times)))
    filled = np.where(same_note, between, nearest)
    distance = np.minimum(np.abs(at - times[left]), np.abs(at - times[right]))
    outside = (at < times[0]) | (at > times[-1])
    apart = outside | (times[right] - times[left] > LARGEST_GAP_HOPS * hop_seconds)
    return np.where(apart & (distance > (1 + ROUNDING) * hop_seconds), 0.0, filled)


def bin_cents() -> Tensor:
    """Cents of the bins above `LOWEST_HZ`, (360,)."""
    return CENTS_PER_BIN * torch.arange(BINS, dtype=torch.float32)


def pitch_targets(f0_hz: Tensor) -> Tensor:
    """Gaussian around the pitch, 1 at its top; zeros in silence: (batch,) → (batch, 360)."""
    cents = 1200 * torch.log2(f0_hz.clamp(min=SMALLEST_HZ) / LOWEST_HZ)
    distance = (bin_cents() - cents[:, None]) / BLUR_CENTS
    return torch.exp(-0.5 * distance.square()) * (f0_hz > 0)[:, None]


def decode(activation: Tensor) -> Tensor:
    """Pitch in Hz and highest activation of each frame, (frames, 360) → (2, frames)."""
    highest, centre = activation.max(dim=1)
    offsets = torch.arange(-NEIGHBOURS, NEIGHBOURS + 1)
    index = centre[:, None] + offsets
    inside = (index >= 0) & (index < BINS)
    index = index.clamp(0, BINS - 1)
    weight = activation.gather(1, index) * inside
    cents = (weight * bin_cents()[index]).sum(1) / weight.sum(1).clamp(min=1e-12)
    return torch.stack([LOWEST_HZ * 2 ** (cents / 1200), highest])


def melody_scores(
    reference_hz: np.ndarray, estimate_hz: np.ndarray, sounding: np.ndarray
) -> dict[str, float]:
    """mir_eval melody scores of one track, all arrays (frames,).

    Args:
        reference_hz: 0 in silence.
        estimate_hz: a pitch in every frame, because pitch is scored separately from voicing.
        sounding: whether the estimate marks the frame as voiced.

    A track without a sounding frame has no pitch to get wrong: its pitch scores are 1, as is
    the recall; mir_eval gives 0.
    """
    import mir_eval  # not at the top: see `onset_scores`

    times = np.arange(len(reference_hz), dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # nothing sounds in one of the two
        reference_voicing, reference_cents, voicing, cents = mir_eval.melody.to_cent_voicing(
            times, reference_hz.astype(float), times, np.where(sounding, 1, -1) * estimate_hz
        )
        recall, false_alarm = mir_eval.melody.voicing_measures(reference_voicing, voicing)
        scores = {
            "raw_pitch": mir_eval.melody.raw_pitch_accuracy,
            "raw_chroma": mir_eval.melody.raw_chroma_accuracy,
            "overall_accuracy": mir_eval.melody.overall_accuracy,
        }
        result = {
            name: float(score(reference_voicing, reference_cents, voicing, cents))
            for name, score in scores.items()
        }
    if not (reference_hz > 0).any():
        result |= {"raw_pitch": 1.0, "raw_chroma": 1.0}
        recall = 1.0
    return {**result, "voicing_recall": float(recall), "voicing_false_alarm": float(false_alarm)}
