"""The trained networks that jobs have left, read back one after another."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pandas as pd
from torch import nn

from mirtrim.runs.jobs.dense import load_dense
from mirtrim.runs.jobs.setting import Setting
from mirtrim.units import storage
from mirtrim.utils.errors import ArtefactError

Count = Callable[[int, int], None]


def trained_networks(
    setting: Setting, rows: pd.DataFrame, networks: Path, count: Count = lambda done, total: None
) -> Iterator[tuple[pd.Series, nn.Module]]:
    """The row and the network, in evaluation mode, of every round of one run and seed.

    Args:
        rows: result rows of that run and seed.
        networks: what its job wrote: the file of a dense training or the folder of a chain.
        count: called with (networks done, networks in all).

    Raises:
        ArtefactError: a network is missing or damaged.
    """
    for done, (_, row) in enumerate(rows.sort_values("round").iterrows(), start=1):
        seed = int(row.seed)
        if row.method == "dense":
            network = setting.new_network(seed)
            network.load_state_dict(load_dense(networks).best)
        else:
            network = load_round(networks, row.target_ratio, partial(setting.new_network, seed))
        yield row, network.eval()
        count(done, len(rows))


def load_round(networks: Path, ratio: float, factory: Callable[[], nn.Module]) -> nn.Module:
    """The network of the round that asked for `ratio`, of those in the folder of one job.

    Raises:
        ArtefactError: it is missing or damaged.
    """
    try:
        return storage.load(networks / f"ratio-{ratio:g}", factory)
    except ArtefactError as error:
        what = str(error).rpartition(";")[0]
        raise ArtefactError(f"{what}; delete {networks} and run again") from error
