"""What was measured on one task, by run: rows, and errors of every seed on every test piece.

A run is called by its identity (`pruning.settings.PruningSettings.name`), as its files are, for
instance "dense" or "trim_magnitude_local_reinit".
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirtrim.corpora.clusters import clusters_of
from mirtrim.pruning.settings import COLUMN_DEFAULTS
from mirtrim.runs.rows import PIECE_KEYS, PIECE_TEXTS, RUN_KEYS, read_jobs, with_names
from mirtrim.runs.tables_on_disk import check_columns, check_finite, completed
from mirtrim.utils.errors import ArtefactError

DENSE = "dense"
DENSE_RATIO = 1.0
# Columns that tell several measurements of one network apart.
KINDS = ("format", "runtime")
# From which factor sizes differ, and from which share of a ratio a run was aimed at it.
TOLD_APART = 1.05
ASKED = 0.97


class NotRun(Exception):
    """Says what would have to be run first; not an error, but the verdict "not run"."""


@dataclass(frozen=True)
class TaskEvidence:
    """Everything known about one task.

    Attributes:
        task: its name.
        rows: result rows with a column `run`.
        errors: for each run and target ratio 1 − score, seeds × pieces.
        cluster_kind: what the pieces belong to, for instance "player".
        cluster_of: piece → its cluster; a missing piece is its own cluster.
        variants: rows of studies that vary the task itself (`free_ratios.read_variants`), of all
            tasks; None where there are none.
        barriers: error barriers of tickets (`runs.measured_rows.Barrier`), of all tasks; None
            where none were measured.
    """

    task: str
    rows: pd.DataFrame
    errors: Mapping[tuple[str, float], pd.DataFrame]
    cluster_kind: str = "piece"
    cluster_of: Mapping[str, str] = field(default_factory=dict)
    variants: pd.DataFrame | None = None
    barriers: pd.DataFrame | None = None

    @cached_property
    def clusters(self) -> np.ndarray:
        """The cluster of each piece, in the order of the columns of `errors`."""
        pieces = next(iter(self.errors.values())).columns
        return np.array([self.cluster_of.get(str(piece), str(piece)) for piece in pieces])

    @cached_property
    def networks(self) -> dict[tuple[str, float], pd.DataFrame]:
        """For each run and asked ratio its rows, by seed."""
        by_seed = self.rows.set_index("seed").sort_index(kind="stable")
        groups = by_seed.groupby(["run", "target_ratio"], sort=False)
        return {(str(run), float(ratio)): part for (run, ratio), part in groups}


def read_pieces(
    paths: Sequence[Path],
    tables: Sequence[Path] = (),
    jobs: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """Read scores per test piece into one table, in a fixed order; as `runs.rows.read_rows`.

    Raises:
        ArtefactError: a file is damaged, or a wanted job is in none.
    """
    table = read_jobs(
        paths, tables, jobs, text=PIECE_TEXTS, check=_check_scores, what="scores of pieces"
    )
    return table.sort_values(PIECE_KEYS, ignore_index=True)


def _check_scores(table: pd.DataFrame) -> None:
    check_columns(table, [*PIECE_KEYS, "score", "target_ratio"])
    check_finite(table, "score")


def unequal_sizes(evidence: TaskEvidence, run: str, against: str, ratios: Sequence[float]) -> str:
    """Where two runs were to reach the same size and did not: "16x: run 20x, against 16x".

    A cut removes whole units, so a network may be smaller than its target. The sizes are the ratios
    reached, as means over seeds, if they differ by more than `TOLD_APART`. Runs that have another
    size on purpose, such as dense networks, do not count.
    """
    rows = evidence.rows
    own = rows[rows.run.isin([run, against]) & rows.target_ratio.isin(ratios)]
    reached = own.groupby(["target_ratio", "run"]).ratio.mean().unstack()
    told = []
    for target, sizes in reached.dropna().iterrows():
        low, high = sizes.min(), sizes.max()
        if len(sizes) == 2 and low >= ASKED * target and high > TOLD_APART * low:
            told.append(f"{target:g}x: {run} {sizes[run]:.3g}x, {against} {sizes[against]:.3g}x")
    return f"sizes differ at {', '.join(told)}" if told else ""


def gather(
    rows: pd.DataFrame,
    pieces: pd.DataFrame,
    measures: Sequence[pd.DataFrame] = (),
    corpora: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[TaskEvidence]:
    """Sort rows and pieces by task and run.

    Args:
        rows: result rows of any tasks.
        pieces: scores of the same networks on every test piece.
        measures: tables of further measurements, such as cost rows and latencies; each is joined
            to the rows by the columns that it shares with them (task, the run's settings or its
            name, seed, target_ratio), and its numbers become columns of the rows. Where a table has
            a column `format` or `runtime`, they are called by it: "weights_raw int8".
        corpora: settings of the corpora by name, which define the clusters of pieces; pieces of
            other corpora are treated as independent.

    Raises:
        ArtefactError: rows and pieces are not of the same networks, or a table of measurements does
            not identify its networks.
    """
    rows, _ = with_names(rows)
    pieces, _ = with_names(pieces)
    for table in measures:
        if len(table):  # columns without a line have no numbers
            rows = _joined(rows, table)
    found = []
    for task, of_task in rows.groupby("task", sort=True):
        errors = _errors(str(task), pieces[pieces.task == task])
        _check_same_networks(str(task), of_task, errors)
        track_ids = [str(piece) for piece in next(iter(errors.values())).columns]
        clusters = clusters_of(track_ids, (corpora or {}).get(str(of_task.corpus.iloc[0])))
        # Joining has left each column apart in memory; a copy brings them together.
        own = of_task.reset_index(drop=True).copy()
        found.append(TaskEvidence(str(task), own, errors, clusters.kind, clusters.of_piece))
    return found


def _errors(task: str, pieces: pd.DataFrame) -> dict[tuple[str, float], pd.DataFrame]:
    """For each run and asked ratio 1 − score, seeds × pieces."""
    place = ["run", "target_ratio", "seed", "track_id"]
    twice = pieces[pieces.duplicated(place)]
    if len(twice):
        where = f"{twice.run.iloc[0]}, ratio {twice.target_ratio.iloc[0]:g}"
        raise ArtefactError(
            f"pieces of {task}, {where}: a piece is scored twice for one seed; "
            "collect every job once"
        )
    found = {}
    # One table per run is several times faster than one per run and ratio.
    for run, part in pieces.groupby("run"):
        of_run = part.pivot(index=["target_ratio", "seed"], columns="track_id", values="score")
        for ratio in of_run.index.unique("target_ratio"):
            table = of_run.loc[ratio]
            if table.isna().to_numpy().any():
                raise ArtefactError(
                    f"pieces of {task}, {run}, ratio {ratio:g}: seeds were scored on different "
                    "pieces; run the task again"
                )
            found[str(run), float(ratio)] = 1 - table
    return found


def _joined(rows: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    if "method" in table.columns:  # the settings say whose it is, whatever it calls the run
        table = completed(table.drop(columns="run", errors="ignore"), COLUMN_DEFAULTS)
    keys = [k for k in ("task", "run", *RUN_KEYS, "seed", "target_ratio") if k in table.columns]
    says_run = "run" in keys or set(RUN_KEYS) <= set(keys)
    if not {"task", "target_ratio"} <= set(keys) or not says_run:
        raise ArtefactError(
            "a table of measurements needs the columns task, target_ratio, and run or "
            f"{', '.join(RUN_KEYS)}; it has {', '.join(map(str, table.columns))}"
        )
    kind = next((name for name in KINDS if name in table.columns), None)
    numbers = [
        name
        for name in table.columns
        if name not in keys and pd.api.types.is_numeric_dtype(table[name])
    ]
    if kind is None:
        numbers = [name for name in numbers if name not in rows.columns]
        means = table.groupby(keys, sort=False)[numbers].mean()
    else:
        means = table.pivot_table(index=keys, columns=kind, values=numbers, aggfunc="mean")
        means.columns = [f"{name} {of_kind}" for name, of_kind in means.columns]
    return rows.merge(means.reset_index(), on=keys, how="left", validate="many_to_one")


def _check_same_networks(
    task: str, rows: pd.DataFrame, errors: Mapping[tuple[str, float], pd.DataFrame]
) -> None:
    of_rows = set(zip(rows.run, rows.target_ratio.astype(float), rows.seed, strict=True))
    of_pieces = {(*key, seed) for key, table in errors.items() for seed in table.index}
    odd = sorted(of_rows ^ of_pieces)
    if odd:
        run, ratio, seed = odd[0]
        where = "pieces" if odd[0] in of_rows else "rows"
        raise ArtefactError(
            f"{task}: {run}, ratio {ratio:g}, seed {seed} is missing in {where}; "
            "collect rows and pieces of the same jobs"
        )


def ratios_of(evidence: TaskEvidence, run: str, ratios: Sequence[float] | None) -> list[float]:
    """The target ratios that a run has, of `ratios` or (None) of all.

    Raises:
        NotRun: the run is missing, or has none of the ratios.
    """
    has = sorted(ratio for name, ratio in evidence.networks if name == run)
    if not has:
        raise NotRun(run)
    chosen = has if ratios is None else [ratio for ratio in has if ratio in ratios]
    if not chosen:
        raise NotRun(f"{run} at ratio {' or '.join(f'{ratio:g}' for ratio in ratios or [])}")
    return chosen


def common_ratios(
    evidence: TaskEvidence, runs: Sequence[str], ratios: Sequence[float] | None
) -> list[float]:
    """The ratios at which all `runs` have networks; the dense network counts at every ratio.

    Raises:
        NotRun: a run is missing, or there is no common ratio.
    """
    compressed = [run for run in runs if run != DENSE]
    missing = [run for run in runs if run not in set(evidence.rows.run)]
    if missing:
        raise NotRun(", ".join(missing))
    sets = [set(ratios_of(evidence, run, ratios)) for run in compressed]
    common = sorted(set.intersection(*sets)) if sets else [DENSE_RATIO]
    if not common:
        raise NotRun(f"{' and '.join(compressed)} at a common ratio")
    return common


def paired_errors(
    evidence: TaskEvidence, runs: Sequence[str], ratios: Sequence[float]
) -> list[np.ndarray]:
    """Errors of all `runs` over the seeds that they share, as means over `ratios`.

    Returns:
        (seeds, pieces) per run; seeds and pieces in the same order.

    Raises:
        NotRun: the runs have no seed in common.
        ArtefactError: they were scored on different pieces.
    """
    tables = [
        [evidence.errors[run, DENSE_RATIO if run == DENSE else ratio] for ratio in ratios]
        for run in runs
    ]
    flat = [table for of_run in tables for table in of_run]
    seeds = sorted(set.intersection(*(set(table.index) for table in flat)))
    if not seeds:
        raise NotRun(f"{' and '.join(runs)} with a common seed")
    pieces = flat[0].columns
    for table in flat:
        if not table.columns.equals(pieces):
            raise ArtefactError(
                f"pieces of {evidence.task}: {' and '.join(runs)} were scored on different "
                "pieces; run the task again"
            )
    return [np.mean([t.loc[seeds].to_numpy() for t in of_run], axis=0) for of_run in tables]


def rows_of(evidence: TaskEvidence, run: str, ratio: float) -> pd.DataFrame:
    """Rows of one run at one target ratio, by seed; the dense network counts at every ratio.

    Raises:
        NotRun: there are none.
    """
    found = evidence.networks.get((run, DENSE_RATIO if run == DENSE else ratio))
    if found is None:
        raise NotRun(run if run == DENSE else f"{run} at ratio {ratio:g}")
    return found


def largest_gap(evidence: TaskEvidence) -> float:
    """Largest difference between a row's test error and the mean over its pieces.

    The cause is rounding, or a main score that weights pieces (chords: by their duration).
    """
    return max(
        float((part.test_error - evidence.errors[key].mean(axis=1)).abs().max())
        for key, part in evidence.networks.items()
    )
