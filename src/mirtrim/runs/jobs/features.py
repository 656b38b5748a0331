"""Running a task's feature extraction over a prepared corpus, one track in memory at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirtrim.corpora.annotations.chords import audio_path
from mirtrim.corpora.prepare import open_prepared
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.store import write_store
from mirtrim.utils.errors import CorpusError


def extract(
    task_name: str,
    corpus: Mapping[str, Any],
    corpus_folder: Path,
    store_folder: Path,
    features: Mapping[str, Any],
    count: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Write the feature store of a task.

    Args:
        corpus: the corpus' block of the configuration.
        features: the task's feature parameters.
        count: called with (tracks done, tracks in all).
    """
    task = get_task(task_name)
    dataset, rows = open_prepared(corpus, corpus_folder)

    def recordings() -> Iterator[tuple[Mapping[str, Any], Mapping[str, np.ndarray], pd.DataFrame]]:
        for done, row in enumerate(rows, start=1):
            track = dataset.track(row.track_id)
            if not Path(audio_path(track)).is_file():
                raise CorpusError(f"{audio_path(track)}: is missing; fetch or render it again")
            recording = task.recording(track, features)
            yield asdict(row), recording.arrays, recording.reference
            count(done, len(rows))

    write_store(store_folder, recordings(), task.normalised_array)
