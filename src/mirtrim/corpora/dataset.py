"""mirdata's loaders for any folder, with an index file at any path."""

from pathlib import Path
from typing import Any

import mirdata

from mirtrim.corpora import layout
from mirtrim.utils import files


def open_dataset(loader: str, home: Path, index: Path, version: str | None = None) -> Any:
    """Dataset over the folder `home`; touches neither the network nor the audio.

    Args:
        version: of the loader, in mirdata's words; None for its default.

    Returns:
        A mirdata dataset, named like the corpus (mini_...) where the pieces are generated.

    Raises:
        CorpusError: there is no index, or it is damaged.
    """
    layout.read_index(index)
    dataset = mirdata.initialize(loader, data_home=str(home), version=version or "default")
    dataset.index_path = str(index)
    plan = home / layout.PLAN_NAME
    if plan.exists():
        dataset.name = files.read_json(plan).get("corpus", loader)
    return dataset
