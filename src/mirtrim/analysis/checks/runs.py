"""Checks of what was run: tasks, runs, ratios, seeds, and what became of them."""

from mirtrim.analysis.checks.outcomes import Material, Outcome, check, outcome
from mirtrim.analysis.tables import with_relative_error


@check
def every_task_measured(material: Material) -> Outcome:
    """Every configured task has rows, which name corpus and scores."""
    found = material.rows.groupby("task").corpus.first()
    missing = [task for task in material.config["tasks"] if task not in found.index]
    pairs = ", ".join(f"{task} on {corpus}" for task, corpus in found.items())
    return outcome([f"no rows of {task}" for task in missing], pairs)


@check
def enough_pairs(material: Material, *, at_least: int) -> Outcome:
    """So many pairs of network and corpus; every task has its own network."""
    pairs = len(material.rows[["task", "corpus"]].drop_duplicates())
    return pairs >= at_least, f"{pairs} pairs of task (network) and corpus"


@check
def recorded_corpora(material: Material, *, at_least: int) -> Outcome:
    """So many corpora that are not rendered by this project."""
    modes = {name: block["mode"] for name, block in material.config["corpora"].items()}
    used = sorted(set(material.rows.corpus))
    real = [name for name in used if modes.get(name) != "embedded"]
    rendered = f"{len(used) - len(real)} of {len(used)} corpora are rendered for this project"
    return len(real) >= at_least, f"{rendered}; others: {', '.join(real) or 'none'}"


@check
def runs_everywhere(
    material: Material,
    *,
    runs: list[str],
    at_least: int | None = None,
    ratios: list[float] | None = None,
) -> Outcome:
    """On every task so many (None: all) of the runs exist, each at two of the `ratios` if given."""
    needed = len(runs) if at_least is None else at_least
    enough = 1 if ratios is None else min(2, len(ratios))
    complete: dict[str, list[str]] = {}
    lacking: dict[str, list[str]] = {}
    for task, part in material.rows.groupby("task"):
        chosen = part if ratios is None else part[part.target_ratio.isin(ratios)]
        reached = chosen.groupby("run").target_ratio.nunique()
        there = [run for run in runs if reached.get(run, 0) >= enough]
        if len(there) >= needed:
            complete.setdefault(", ".join(there), []).append(str(task))
        else:
            absent = ", ".join(run for run in runs if run not in there)
            text = f"{len(there)} of {needed} (without {absent})"
            lacking.setdefault(text, []).append(str(task))
    right = [f"{', '.join(tasks)}: {text}" for text, tasks in complete.items()]
    wrong = [f"{', '.join(tasks)}: {text}" for text, tasks in lacking.items()]
    return not wrong, "; ".join([*wrong, *right])


@check
def operating_range(
    material: Material, *, runs: list[str], at_least: int, lowest: float, highest: float
) -> Outcome:
    """Each of the runs has so many ratios, from `lowest` or less to `highest` or more."""
    wrong: list[str] = []
    right: list[str] = []
    for (task, run), part in material.rows[material.rows.run.isin(runs)].groupby(["task", "run"]):
        ratios = sorted(set(part.target_ratio))
        text = f"{task}, {run}: {', '.join(f'{ratio:g}' for ratio in ratios)}"
        fits = len(ratios) >= at_least and ratios[0] <= lowest and ratios[-1] >= highest
        (right if fits else wrong).append(text)
    return outcome(wrong, "; ".join(right)) if right or wrong else (False, "no such run")


@check
def seeds_everywhere(material: Material, *, at_least: int) -> Outcome:
    """Every run and ratio has so many seeds."""
    seeds = material.rows.groupby(["task", "run", "target_ratio"]).seed.nunique()
    few = seeds[seeds < at_least]
    wrong = [f"{task}, {run}, ratio {r:g}: {n}" for (task, run, r), n in few.head(5).items()]
    per_task = material.rows[material.rows.run == "dense"].groupby("task").seed.nunique()
    return outcome(wrong, ", ".join(f"{task}: {n} seeds" for task, n in per_task.items()))


@check
def seeds_differ(material: Material) -> Outcome:
    """Dense networks of different seeds are different networks: no two have the same errors."""
    dense = material.rows[material.rows.run == "dense"]
    wrong = [
        f"{task}: two seeds have the same errors"
        for task, part in dense.groupby("task")
        if part.duplicated(["validation_error", "test_error", "bytes_gzip"]).any()
    ]
    return outcome(wrong, f"{len(dense)} dense networks, all different")


@check
def falls_apart(material: Material, *, run: str, times: float) -> Outcome:
    """At its highest ratio the run has more than `times` the dense error, on every task."""
    wrong: list[str] = []
    right: list[str] = []
    for task, part in material.rows.groupby("task"):
        relative = with_relative_error(part)
        of_run = relative[relative.run == run]
        if of_run.empty:
            wrong.append(f"{task}: no {run}")
            continue
        last = of_run[of_run.target_ratio == of_run.target_ratio.max()]
        text = f"{task}: {last.relative_error.mean():.2f} at {last.target_ratio.max():g}"
        (right if last.relative_error.mean() > times else wrong).append(text)
    return outcome(wrong, "; ".join(right))


@check
def target_is_reached(material: Material, *, except_runs: list[str], tolerance: float) -> Outcome:
    """No network is larger than asked, but for a share of `tolerance`."""
    rows = material.rows[~material.rows.run.isin(except_runs)]
    short = rows[rows.ratio < rows.target_ratio * (1 - tolerance)]
    wrong = [
        f"{row.task}, {row.run}: {row.ratio:.2f} where the target is {row.target_ratio:g}"
        for row in short.head(5).itertuples()
    ]
    most = (rows.ratio / rows.target_ratio).max()
    return outcome(wrong, f"{len(rows)} networks; at most {most:.2f} times the target")


@check
def equivalence_holds(material: Material, *, at_most: float) -> Outcome:
    """Cut networks give the output of the gated ones, measured at every cut."""
    cut = material.rows[material.rows.equivalence_difference >= 0]
    worst = float(cut.equivalence_difference.max()) if len(cut) else float("nan")
    return bool(len(cut) and worst <= at_most), (
        f"largest difference of outputs {worst:.1e} in {len(cut)} cuts"
    )
