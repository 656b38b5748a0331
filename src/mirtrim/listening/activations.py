"""A network's outputs for all windows of a stream of rows, cut out as the task itself does it."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mirtrim.listening.blocks import windowed
from mirtrim.listening.bundle import Bundle
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.windowed import WindowedTask, outputs_at


def outputs_of(
    bundle: Bundle,
    task: WindowedTask,
    array: str,
    rows: Iterable[np.ndarray],
    step: int,
    *,
    flush: bool,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Outputs in evaluation mode, batch by batch.

    Args:
        array: name under which the task keeps such rows in a store.
        step: rows between windows.
        flush: whether a last window ends with the last row.

    Yields:
        Outputs (windows, …), and first rows of the windows in the file, (windows,).
    """
    features = bundle.about.features
    for held, first, starts in windowed(rows, task.window_rows(features), step, flush=flush):
        store = FeatureStore(
            arrays={array: torch.from_numpy(held)},
            tracks=pd.DataFrame(),
            reference=pd.DataFrame(),
            statistics=bundle.about.statistics,
            digest="",
        )
        within = torch.from_numpy(starts - first)
        outputs = outputs_at(bundle.network, task.inputs(store, features), within)
        yield outputs, torch.from_numpy(starts)
