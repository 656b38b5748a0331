"""Dense networks compared with simple rules on the same pieces."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirtrim.analysis.statistics import compare
from mirtrim.corpora.clusters import clusters_of
from mirtrim.runs.tables_on_disk import check_columns, check_finite, read_tables
from mirtrim.utils.errors import ArtefactError

TEXTS = ("task", "corpus", "baseline", "track_id", "data_digest")


def read_rules(paths: Sequence[Path]) -> pd.DataFrame:
    """Read scores of `runs.jobs.baselines.measure`; damage is an `ArtefactError`."""
    return read_tables(paths, TEXTS, _check, "scores of simple rules")


def _check(table: pd.DataFrame) -> None:
    check_columns(table, [*TEXTS, "score"])
    check_finite(table, "score")


def dense_beside_rules(
    pieces: pd.DataFrame,
    rules: pd.DataFrame,
    corpora: Mapping[str, Mapping[str, Any]],
    rng_seed: int,
) -> pd.DataFrame:
    """Error of the dense networks less that of the rule, over the same pieces.

    Args:
        pieces: scores of networks on every test piece.
        rules: as `read_rules` returns them.
        corpora: settings of the corpora, which say what pieces belong together.
        rng_seed: of the bootstraps.

    Returns:
        A line per task: task, baseline, error (of the rule), dense, difference, low, high
        (interval that holds 95 %), clusters, cluster_kind.

    Raises:
        ArtefactError: rule and networks were scored on different pieces.
    """
    found = []
    for (task, name), rule in rules.groupby(["task", "baseline"]):
        of_task = pieces[(pieces.task == task) & (pieces.method == "dense")]
        if of_task.empty:
            continue
        dense = 1 - of_task.pivot(index="seed", columns="track_id", values="score")
        alone = 1 - rule.set_index("track_id").score
        if set(alone.index) != set(dense.columns):
            raise ArtefactError(
                f"{task}: {name} was scored on other pieces than the networks; run "
                "`snakemake baselines` again"
            )
        ids = [str(track_id) for track_id in dense.columns]
        clusters = clusters_of(ids, corpora.get(rule.corpus.iloc[0]))
        first = dense.to_numpy()
        second = np.tile(alone.loc[ids].to_numpy(), (len(first), 1))
        result = compare(
            first,
            second,
            np.random.default_rng(rng_seed),
            clusters=np.array([clusters.of_piece[track_id] for track_id in ids]),
        )
        found.append(
            {
                "task": task,
                "baseline": name,
                "error": float(second.mean()),
                "dense": float(first.mean()),
                "difference": result.difference,
                "low": result.difference_interval[0],
                "high": result.difference_interval[1],
                "clusters": result.clusters,
                "cluster_kind": clusters.kind,
            }
        )
    return pd.DataFrame(found)
