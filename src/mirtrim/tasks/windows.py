"""Cutting fixed windows out of long feature arrays, and joining their outputs again."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor


def random_starts(
    tracks: pd.DataFrame, window_frames: int, count: int, rng: np.random.Generator
) -> Tensor:
    """First frames of `count` random windows, (count,).

    Every admissible position of every track is equally likely. Tracks shorter than the
    window are not used; feature extraction pads them, so there are none.
    """
    room = (tracks["count"].to_numpy() - window_frames + 1).clip(min=0)
    ends = np.cumsum(room)
    draw = rng.integers(ends[-1], size=count)
    track = np.searchsorted(ends, draw, side="right")
    return torch.from_numpy(tracks["first"].to_numpy()[track] + draw - (ends - room)[track])


def tiled_starts(first: int, count: int, window_frames: int, hop_frames: int) -> Tensor:
    """First frames of windows that cover `count` frames from `first`, the last one flush."""
    starts = list(range(first, first + count - window_frames + 1, hop_frames))
    last = first + count - window_frames
    if not starts or starts[-1] != last:
        starts.append(last)
    return torch.tensor(starts)


def spaced_starts(first: int, count: int, window_frames: int, hop_frames: int) -> Tensor:
    """First frames of whole windows every `hop_frames` of the `count` frames from `first`."""
    return torch.arange(first, first + count - window_frames + 1, hop_frames)


def gather(array: Tensor, starts: Tensor, window_frames: int) -> Tensor:
    """Windows of `array` (frames, …) that begin at `starts`, (windows, window_frames, …).

    Raises:
        IndexError: a window reaches beyond the array.
    """
    # A view of all windows, which overlap, so that each is copied as a whole: up to six times as
    # fast as copying row by row.
    size = (len(array) - window_frames + 1, window_frames, *array.shape[1:])
    windows = array.as_strided(size, (array.stride(0), *array.stride()))
    return windows.index_select(0, starts)


def as_images(windows: Tensor) -> Tensor:
    """Windows (windows, frames, bands) as convolutions take them, (windows, 1, bands, frames).

    Laid out with the channels last, which every layer passes on: on a processor, pooling is then
    four times and a narrow convolution a third faster.
    """
    return windows.transpose(1, 2).contiguous().unsqueeze(-1).permute(0, 3, 1, 2)


def overlap_mean(windows: np.ndarray, starts: np.ndarray, count: int) -> np.ndarray:
    """Mean over overlapping windows.

    Args:
        windows: (windows, channels, window_frames).
        starts: first frame of each window relative to the track, (windows,).
        count: frames of the track.

    Returns:
        (channels, count).
    """
    total = np.zeros((windows.shape[1], count), dtype=np.float32)
    visits = np.zeros(count, dtype=np.float32)
    for window, start in zip(windows, starts, strict=True):
        total[:, start : start + windows.shape[2]] += window
        visits[start : start + windows.shape[2]] += 1
    return total / visits
