"""When is trimming free? What the rows of studies that vary a task's dense training say.

A study such as `regimes` trains every task at several widths and lengths
(`runs.jobs.variants`); its rows carry the levels as columns `level_width`, `level_epochs`, … .
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirtrim.analysis.markup import markdown_table
from mirtrim.runs.labels import label_of_name
from mirtrim.runs.rows import read_rows, with_names
from mirtrim.runs.tables_on_disk import write_csv
from mirtrim.utils.files import write_text

DENSE = "dense"
TRIM = "trim_magnitude_local_rewind"
KEPT = "trim_magnitude_local_finetune"
RANDOM = "trim_magnitude_local_rewind_order_shuffled"
SCRATCH = f"same_shape_reference_{TRIM}"
LEVEL = "level_"
# Columns of the table of `write_free_ratios` for a margin of one point and a factor of 1.1.
FREE = ["free_within_a_point", "free_within_a_tenth"]
ENDS = ["point_is_last", "tenth_is_last"]


def read_variants(
    variants: Mapping[str, Mapping[str, Any]],
    tables: Sequence[Path],
    files: Sequence[Path] = (),
    runs: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """The rows of all variants that have some, with columns that identify them.

    Args:
        variants: as `runs.plan.Plan.variants`.
        tables: tables of rows, called by the task or variant whose they are.
        files: of jobs, in folders named after them; they take precedence over tables.
        runs: study → the runs it compares besides the dense network; other studies are left out.
            None for all studies and runs.

    Returns:
        Result rows with `run`, `study`, and a column `level_<dimension>` for every dimension (NaN
        where a study does not vary it). A row occurs once for every study and variant that it
        belongs to. Without rows, an empty table with these columns.
    """
    parts = []
    for variant in variants.values():
        own = [path for path in files if path.parent.name == variant["rows"]]
        table = [path for path in tables if path.name == f"{variant['rows']}.csv"]
        if not own and not table:
            continue
        rows, _ = with_names(read_rows(own, table))
        told = {f"{LEVEL}{name}": float(value) for name, value in variant["values"].items()}
        for study in (one for one in variant["study"] if runs is None or one in runs):
            chosen = rows if runs is None else rows[rows.run.isin([DENSE, *runs[study]])]
            parts.append(chosen.assign(study=study, variant=json.dumps(variant["values"]), **told))
    if not parts:
        return pd.DataFrame(columns=["study", "task", "run", "seed"])
    found = pd.concat(parts, ignore_index=True)
    return found.sort_values(["study", "task", *levels_in(found), "run", "seed", "round"])


def levels_in(rows: pd.DataFrame) -> list[str]:
    """Columns of levels, in the order of the study's table."""
    return [name for name in rows.columns if name.startswith(LEVEL)]


def varied(rows: pd.DataFrame) -> list[str]:
    """Dimensions that have levels in these rows, in the same order."""
    return [name.removeprefix(LEVEL) for name in levels_in(rows) if rows[name].notna().any()]


def levels_of(rows: pd.DataFrame, dimension: str) -> list[float]:
    """Levels of a dimension, rising."""
    name = f"{LEVEL}{dimension}"
    return sorted(map(float, rows[name].dropna().unique())) if name in rows else []


def levels_compared(rows: pd.DataFrame, dimension: str, run: str) -> str:
    """Where `run` has two levels of a dimension: "width 0.25, 0.5 at epochs 5; …".

    Args:
        rows: of one task.
    """
    others = [name for name in varied(rows) if name != dimension]
    texts = []
    for key, part in _by_level(rows[rows.run == run], others):
        levels = levels_of(part, dimension)
        if len(levels) > 1:
            where = " and ".join(f"{n} {v:g}" for n, v in zip(others, key, strict=True))
            text = f"{dimension} {', '.join(f'{level:g}' for level in levels)}"
            texts.append(f"{text} at {where}" if where else text)
    return "; ".join(texts)


def _by_level(rows: pd.DataFrame, dimensions: Sequence[str]) -> Iterable[tuple[Any, pd.DataFrame]]:
    """Levels of these dimensions, and the rows of each combination; all rows without dimensions."""
    names = [f"{LEVEL}{name}" for name in dimensions]
    return rows.groupby(names) if names else [((), rows)]


def at(rows: pd.DataFrame, **levels: float) -> pd.DataFrame:
    """The rows of one level of each dimension given."""
    for name, value in levels.items():
        rows = rows[rows[f"{LEVEL}{name}"] == value]
    return rows


def largest_free_ratio(
    rows: pd.DataFrame, run: str = TRIM, *, margin: float = 0.0, times: float = 1.0
) -> float:
    """The largest ratio at which a run has no more error than the dense networks allow.

    Args:
        rows: of one task at one level of each dimension, any seeds.
        margin, times: its mean test error is at most `times` that of the dense networks of the
            same seeds plus `margin`.

    Returns:
        The mean counted ratio; 1 where every trim has more error, NaN without rows of both.
    """
    trimmed, dense = rows[rows.run == run], rows[rows.run == DENSE]
    seeds = sorted(set(trimmed.seed) & set(dense.seed))
    if not seeds:
        return nan
    limit = times * dense[dense.seed.isin(seeds)].test_error.mean() + margin
    groups = trimmed[trimmed.seed.isin(seeds)].groupby("target_ratio")
    means = groups[["ratio", "test_error"]].mean()
    # Ratios that some of the seeds lack are not reported.
    means = means[groups.seed.nunique() == len(seeds)]
    # A float error must not decide at the very line.
    free = means[means.test_error <= limit + 1e-12]
    return float(free.ratio.max()) if len(free) else 1.0


def free_ratios(
    rows: pd.DataFrame,
    dimensions: Sequence[str],
    run: str = TRIM,
    *,
    margin: float = 0.0,
    times: float = 1.0,
) -> pd.DataFrame:
    """The same for every combination of levels.

    Returns:
        Columns of `dimensions`, `ratio`, `last` (whether no larger ratio was run, so that a larger
        one may be free as well), `seeds` (of both, which are compared), and of the dense networks
        of these seeds `parameters` and `dense_error`, as means.
    """
    found = []
    for levels, part in _by_level(rows, dimensions):
        ratio = largest_free_ratio(part, run, margin=margin, times=times)
        if not isnan(ratio):
            trimmed, dense = part[part.run == run], part[part.run == DENSE]
            dense = dense[dense.seed.isin(trimmed.seed)]
            trimmed = trimmed[trimmed.seed.isin(dense.seed)]
            largest = trimmed[trimmed.target_ratio == trimmed.target_ratio.max()].ratio.mean()
            found.append(
                [*levels, ratio, ratio >= largest, dense.seed.nunique(), dense.parameters.mean(),
                 dense.test_error.mean()]
            )  # fmt: skip
    columns = ["ratio", "last", "seeds", "parameters", "dense_error"]
    return pd.DataFrame(found, columns=[*dimensions, *columns])


def growth(
    rows: pd.DataFrame, dimension: str, others: Sequence[str], run: str = TRIM, **limits: float
) -> pd.Series:
    """How fast the largest free ratio grows with a dimension, for every seed.

    Returns:
        Doublings of the ratio per doubling of the dimension: slopes of least squares, averaged
        over the levels of `others`; by seed. Only seeds that have two levels or more.
    """
    slopes: dict[int, list[float]] = {}
    for seed, of_seed in rows.groupby("seed"):
        for _, part in _by_level(of_seed, others):
            table = free_ratios(part, [dimension], run, **limits)
            if len(table) >= 2:
                x, y = np.log2(table[dimension]), np.log2(table.ratio)
                slopes.setdefault(int(seed), []).append(float(np.polyfit(x, y, 1)[0]))
    return _means(slopes)


def _means(values: Mapping[int, Sequence[float]]) -> pd.Series:
    return pd.Series({seed: float(np.mean(of)) for seed, of in values.items()}, dtype=float)


def at_equal_size(rows: pd.DataFrame, run: str, others: Sequence[str]) -> pd.Series:
    """Error of trimmed networks minus that of networks which were trained at their size.

    The dense networks of all widths, with a line between neighbours over the logarithm of their
    parameters, say what training at a size gives; what is smaller or wider than all of them is
    left out, and so are trims of the narrowest width, which is wider than no other.

    Args:
        rows: of one task; widths are compared within the same levels of `others`.

    Returns:
        Means over trims, by seed.
    """
    differences: dict[int, list[float]] = {}
    keys = ["seed", *(f"{LEVEL}{name}" for name in others)]
    for key, part in rows.groupby(keys):
        seed = int(key[0])
        dense = part[part.run == DENSE].sort_values("parameters")
        if len(dense) < 2:
            continue
        sizes, errors = np.log(dense.parameters.astype(float)), dense.test_error
        for trimmed in part[part.run == run].itertuples():
            size = float(np.log(trimmed.parameters))
            if sizes.iloc[0] <= size <= sizes.iloc[-1]:
                trained = float(np.interp(size, sizes, errors))
                differences.setdefault(seed, []).append(float(trimmed.test_error) - trained)
    return _means(differences)


def write_free_ratios(rows: pd.DataFrame, csv: Path, markdown: Path) -> None:
    """Write dense errors and the largest free ratios of all tasks, runs and levels.

    Args:
        rows: of one study.
    """
    tables = []
    for task, of_task in rows.groupby("task"):
        dimensions = varied(of_task)
        for run in sorted(set(of_task.run) - {DENSE}):
            found = free_ratios(of_task, dimensions, run, margin=0.01)
            tenth = free_ratios(of_task, dimensions, run, times=1.1)
            found[FREE] = np.column_stack([found.ratio, tenth.ratio])
            found[ENDS] = np.column_stack([found["last"], tenth["last"]])
            tables.append(found.assign(task=task, run=run))
    table = pd.concat(tables, ignore_index=True)
    first = ["task", *varied(rows)]
    told = ["run", "seeds", "parameters", "dense_error", *FREE]
    table = table[[*first, *told, *ENDS]].sort_values([*first, "run"], ignore_index=True)
    write_csv(csv, table.round(6), digits=None)
    lines = []
    for row in table.to_dict("records"):
        row["run"] = label_of_name(str(row["run"]))
        row["parameters"] = f"{row['parameters']:,.0f}"
        ends = dict(zip(FREE, [row.pop(name) for name in ENDS], strict=True))
        cells = [
            f"{'≥ ' if ends.get(k) else ''}{v:.4g}" if isinstance(v, float) else str(v)
            for k, v in row.items()
        ]
        lines.append(["" if cell == "nan" else cell for cell in cells])
    says = (
        "Largest counted ratio at which the mean test error over seeds is at most one point above "
        "that of the dense networks of these seeds, and at most 1.1 times it; 1 where no trim is, "
        "≥ where no larger ratio was run."
    )
    shown = markdown_table([*first, *told], lines, len(first) + len(told))
    write_text(markdown, "\n".join([*shown, "", says]) + "\n")
