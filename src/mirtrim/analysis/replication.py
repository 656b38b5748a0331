"""The replication on one page: what was run, what holds and what does not, with the record."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from mirtrim.analysis.beside_record import curves_beside, points_beside
from mirtrim.analysis.conditions import Conditions, in_one_line
from mirtrim.analysis.hypotheses.free_ratios import LEVELS
from mirtrim.analysis.markup import interval, markdown_table, mean_and_deviation, number
from mirtrim.analysis.recorded import Recorded, load_recorded
from mirtrim.analysis.recorded_curves import read_recorded_curves
from mirtrim.analysis.recordings import order_survives
from mirtrim.analysis.side_by_side import side_by_side
from mirtrim.analysis.verdict_tables import (
    effect_text,
    interval_text,
    overall_text,
    verdict_cell,
)
from mirtrim.runs.labels import with_labels
from mirtrim.utils.files import write_text

HEADINGS = {
    "supported": "What holds at this width and length",
    "refuted": "What does not hold at this width and length",
    "mixed": "What holds on some tasks and not on others, at this width and length",
    "undecided": "What is undecided at this width and length",
    "not run": "What was not run",
}
# What the notes of `hypotheses.errors.lower_at_best_ratio` say.
CHOSEN, LOWEST = "least validation error at ratio", "the lowest that was run"


def write_replication(
    rows: pd.DataFrame,
    pieces: pd.DataFrame,
    verdicts: pd.DataFrame,
    recorded_path: Path,
    curves_path: Path,
    markdown: Path,
    conditions: Mapping[str, Conditions] | None = None,
    others: Mapping[str, pd.DataFrame] | None = None,
    rules: pd.DataFrame | None = None,
    left: Mapping[str, Mapping[str, Sequence[str]]] | None = None,
    recordings: pd.DataFrame | None = None,
) -> None:
    """Write the page.

    Args:
        rows, pieces: of all tasks and runs of one profile.
        verdicts: as `verdicts.write_verdicts` returns or writes it.
        recorded_path: `config/recorded.yaml`.
        curves_path: `config/recorded_curves.yaml`.
        conditions: task → what was run there, shown with every heading.
        others: profile → its verdicts, shown next to those of this profile for the same hypothesis
            and task.
        rules: what rules without a network reach (`simple_rules.dense_beside_rules`).
        left: task → task or variant of it → trainings that have not been run yet
            ("dense_seed0"), where the page is of what there is so far.
        recordings: what networks score on recordings (`recordings.summarised`).
    """
    recorded = load_recorded(recorded_path)
    rows = with_labels(rows)
    profile = ", ".join(sorted(set(rows.profile)))
    lines = [
        f"# Replication, profile {profile}",
        "",
        "Of Esling, Bazin, Bitton, Carsault and Devis, “Ultra-light deep MIR by trimming lottery "
        "tickets” (2020), and of unit-wise pruning after Lin et al., “Dynamic model pruning with "
        "feedback” (2020). Numbers and verdicts are computed from rows. What is marked *claimed* "
        "or *recorded* is the authors', on other corpora and other networks.",
        "",
        "## What was run",
        "",
        *_what_was_run(rows, pieces, conditions or {}),
        "",
        *_what_is_left(left or {}),
        "A claim holds if it is supported on at least one task and refuted on none; it does not "
        "hold if it is refuted on at least one and supported on none.",
    ]
    if rules is not None and len(rules):
        lines += ["", "## Beside rules without a network", "", *_rules(rules)]
    about = in_one_line(list(conditions.values())) if conditions else ""
    first: dict[str, str] = {}
    for state, heading in HEADINGS.items():
        told = list(_told(verdicts, state, recorded, first, others or {}))
        if told:
            lines += ["", f"## {heading}", "", *([f"*{about}.*", ""] if about else []), *told]
    twins = list(_twins(verdicts))
    if twins:
        lines += ["", "## Rewound, and with the weights kept", "", *twins]
    for other, table in (others or {}).items():
        compared = list(side_by_side(verdicts, table, other))
        if compared:
            lines += ["", f"## Side by side with profile {other}", "", *compared]
    if recordings is not None and len(recordings):
        lines += ["", "## Does the order of the ratios survive on recordings?", ""]
        lines += [f"* {sentence}" for sentence in order_survives(recordings)]
    lines += ["", "## Error along the ratios, beside the record", ""]
    lines += curves_beside(rows, read_recorded_curves(curves_path))
    lines += [
        "",
        "## Smallest good networks, beside the record",
        "",
        *points_beside(rows, recorded),
    ]
    lines += ["", "## Sources", ""]
    lines += [f"* [{tag}] {text}." for tag, text in recorded.sources.items()]
    write_text(markdown, "\n".join(lines) + "\n")


def _what_is_left(left: Mapping[str, Mapping[str, Sequence[str]]]) -> Iterator[str]:
    """A table of trainings that have not been run yet; nothing where none is left."""
    if not any(jobs for parts in left.values() for jobs in parts.values()):
        return
    yield "**This page is written before all trainings are done.** Not trained yet:"
    yield ""
    yield "| task | runs (seeds) | trainings of other widths and lengths |"
    yield "| --- | --- | ---: |"
    for task, parts in left.items():
        seeds: dict[str, list[str]] = {}
        for job in parts.get(task, ()):
            run, _, seed = job.rpartition("_seed")
            seeds.setdefault(run, []).append(seed)
        runs = "; ".join(f"`{run}` ({', '.join(of)})" for run, of in seeds.items())
        others = sum(len(jobs) for name, jobs in parts.items() if name != task)
        if runs or others:
            yield f"| {task} | {runs or '–'} | {others} |"
    yield ""


def _what_was_run(
    rows: pd.DataFrame, pieces: pd.DataFrame, conditions: Mapping[str, Conditions]
) -> Iterator[str]:
    texts = ("task", "corpus", *(("width", "training", "rewound to epoch") if conditions else ()))
    numbers = (
        "test pieces", "seeds", "dense parameters", "dense MACs", "dense test error", "runs",
        "networks",
    )  # fmt: skip
    lines = []
    for task, part in rows.groupby("task"):
        dense = part[part.run == "dense"]
        cells = [
            str(task),
            ", ".join(sorted(set(part.corpus))),
            *_cells_of(conditions, str(task)),
            str(pieces[pieces.task == task].track_id.nunique()),
            str(dense.seed.nunique()),
            f"{dense.parameters.mean():,.0f}",
            f"{dense.macs.mean():,.0f}",
            mean_and_deviation(dense.test_error.mean(), dense.test_error.std(ddof=1)),
            str(part.run.nunique()),
            str(len(part)),
        ]
        lines.append(cells)
    yield from markdown_table((*texts, *numbers), lines, len(texts))
    hours = rows.train_seconds.sum() / 3600
    yield ""
    yield (
        f"{len(rows)} networks, {hours:.1f} hours of training; mean ± sample deviation over seeds. "
        "Every row is in what follows."
    )
    rendered = sorted({corpus for corpus in rows.corpus if corpus.startswith("mini_")})
    if rendered:
        yield ""
        yield (
            f"{', '.join(rendered)}: rendered for this project in the layout of the published "
            "corpora. What holds here need not hold on those."
        )


def _rules(rules: pd.DataFrame) -> Iterator[str]:
    yield (
        "Simple rules that learn little or nothing, scored on the same pieces. Where a rule is as "
        "good as the dense network, the trimmed networks started from a weak one."
    )
    yield ""
    yield "| task | rule | its error | dense error | dense − rule | 95 % interval | clusters |"
    yield "| --- | --- | ---: | ---: | ---: | --- | --- |"
    for _, row in rules.iterrows():
        errors = f"{row.error:.3f} | {row.dense:.3f} | {number(row.difference, '+.3f')}"
        sure = f"{interval(row.low, row.high)} | {row.clusters} {row.cluster_kind}s"
        yield f"| {row.task} | {row.baseline} | {errors} | {sure} |"


def _cells_of(conditions: Mapping[str, Conditions], task: str) -> tuple[str, ...]:
    """Width, training and rewind epoch of a task; empty if no task has conditions."""
    if not conditions:
        return ()
    of_task = conditions[task]
    return of_task.width_text, of_task.training_text, str(of_task.rewind_epoch)


def _told(
    verdicts: pd.DataFrame,
    state: str,
    recorded: Recorded,
    first: dict[str, str],
    others: Mapping[str, pd.DataFrame],
) -> Iterator[str]:
    """Every hypothesis in that state; shared statements appear under the `first` of them."""
    for name, part in verdicts.groupby("hypothesis", sort=False):
        overall = part[part.task == "overall"].iloc[0]
        if overall.verdict != state:
            continue
        yield f"* **{name}** ({overall_text(part)}) {overall.sentence}"
        if state == "not run":
            missing = dict.fromkeys(part[part.task != "overall"].note)
            yield f"  * {'; '.join(missing)}."
        else:
            yield f"  * {'. '.join(_of_tasks(part))}."
        yield from _elsewhere(part, others)
        said = recorded.statements(str(name))
        for line in said:
            if first.setdefault(line, str(name)) == name:
                yield f"  * {line}"
        elsewhere = dict.fromkeys(first[line] for line in said if first[line] != name)
        if elsewhere:
            yield f"  * Claimed or recorded: see {', '.join(elsewhere)} as well."


def _elsewhere(part: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """The same hypothesis on the same tasks, in other profiles, with what these are."""
    for profile, table in others.items():
        run = table[(table.hypothesis == part.hypothesis.iloc[0]) & (table.verdict != "not run")]
        for _, row in run[run.task.isin(set(part.task) - {"overall"})].iterrows():
            interval = "" if row.counted else f" ({interval_text(row)})"
            levels = row.note.removeprefix(LEVELS) if row.note.startswith(LEVELS) else ""
            about = f" ({row.conditions or levels})" if row.conditions or levels else ""
            yield (
                f"  * In profile {profile}{about}: {row.verdict} on {row.task} "
                f"{effect_text(row)}{interval}."
            )


def _twins(verdicts: pd.DataFrame) -> Iterator[str]:
    """Claims about trimming that are tested with rewound and with kept weights, line by line."""
    pairs = [
        (first, name)
        for (first, name), _ in verdicts.groupby(["twin", "hypothesis"], sort=False)
        if first
    ]
    if not pairs:
        return
    tasks = list(dict.fromkeys(verdicts.task[verdicts.task != "overall"]))
    lines = []
    for pair in pairs:
        for name, weights in zip(pair, ("rewound", "kept"), strict=True):
            part = verdicts[verdicts.hypothesis == name]
            of_task = part.set_index("task")
            cells = [verdict_cell(of_task.loc[t]) if t in of_task.index else "" for t in tasks]
            lines.append([name, weights, overall_text(part), *cells])
    head = ["", "weights", "overall", *tasks]
    yield from markdown_table(head, lines, len(head))


def _of_tasks(part: pd.DataFrame) -> Iterator[str]:
    """One clause per verdict, with the tasks and their effects; at the end how to decide."""
    run = part[(part.task != "overall") & (part.verdict != "not run")]
    measures = list(dict.fromkeys(run.measure))
    for verdict, same in run.groupby("verdict", sort=False):
        texts = []
        for _, row in same.iterrows():
            interval = "" if row.counted else f" ({interval_text(row)})"
            measure = f"{row.measure} " if len(measures) > 1 else ""
            texts.append(f"{row.task} {measure}{effect_text(row)}{interval}")
        yield f"{str(verdict).capitalize()}: {', '.join(texts)}"
    if len(measures) == 1:
        yield f"Numbers: {measures[0]}, {'; '.join(dict.fromkeys(run.compared))}"
    for _, row in run.iterrows():
        if row.note.startswith(LEVELS):
            yield f"Levels on {row.task}: {row.note.removeprefix(LEVELS)}"
    chosen = [
        f"{row.task} {row.ratios}{' (the lowest that was run)' if LOWEST in row.note else ''}"
        for _, row in run.iterrows()
        if CHOSEN in row.note
    ]
    if chosen and run.ratios.nunique() == 1 and all(LOWEST in note for note in run.note):
        yield f"Validation chose {run.ratios.iloc[0]} on every task, the lowest that was run"
    elif chosen:
        yield f"Validation chose {', '.join(chosen)}"
    undecided = run[run.verdict == "undecided"]
    known = undecided[undecided.seeds_needed.notna()]
    if len(known):
        needed = (f"{r.task} {int(r.seeds_needed)} (now {r.seeds})" for _, r in known.iterrows())
        yield f"Seeds needed to decide: {', '.join(needed)}"
    for which, words in (
        (undecided.seeds_do_not_help, "More seeds alone would not decide"),
        (undecided.seeds == 1, "One seed, which decides nothing"),
    ):
        if which.any():
            yield f"{words}: {', '.join(undecided.task[which])}"
    lacking = part[(part.task != "overall") & (part.verdict == "not run")]
    if len(lacking):
        yield f"Not run on {', '.join(lacking.task)}"
