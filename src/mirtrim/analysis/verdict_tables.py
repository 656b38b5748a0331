"""The table of verdicts for readers: one page in Markdown, one tabular in LaTeX."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from mirtrim.analysis.markup import (
    Cell,
    View,
    interval,
    latex_table,
    markdown_table,
    number,
    write_table,
)
from mirtrim.analysis.spread import LEVEL, MOST_SEEDS, POWER
from mirtrim.analysis.statistics import DRAWS
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import write_text

LETTERS = {"supported": "S", "refuted": "R", "undecided": "?", "not run": "–"}
ROUNDING = 1e-5  # of the scores of pieces, which are written with six digits


def write_verdict_tables(
    table: pd.DataFrame, gaps: Mapping[str, float], csv: Path, markdown: Path, latex: Path
) -> None:
    """Write all of it as CSV, the reader's page as Markdown, the overview as a LaTeX tabular.

    Args:
        table: a line per hypothesis and task, and per hypothesis overall.
        gaps: per task, the largest difference between an error and the mean over its pieces.
    """
    write_table(table, csv, markdown, reader_page(table, gaps))
    write_text(latex, to_latex(table))


TEXTS = (
    "hypothesis", "sentence", "family", "task", "verdict", "compared", "ratios", "measure",
    "cluster_kind", "note", "twin", "conditions",
)  # fmt: skip


# Columns that were added later. Tables of other profiles may lack them and can still be read.
LATER = {
    "p_signs": float("nan"), "clusters": 0, "cluster_kind": "", "twin": "", "conditions": "",
    "seeds_do_not_help": False,
}  # fmt: skip


def read_verdicts(path: Path) -> pd.DataFrame:
    """Read the table that `write_verdict_tables` wrote; a damaged file is an `ArtefactError`."""
    try:
        table = pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str) | {"seeds_needed": "Int64"})
        table = table.assign(**{k: v for k, v in LATER.items() if k not in table.columns})
        table[list(TEXTS)] = table[list(TEXTS)].fillna("")
        return table.astype({"counted": bool, "seeds_do_not_help": bool})
    except (ValueError, KeyError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = " ".join(str(error).split())
        raise ArtefactError(
            f"{path} does not hold verdicts ({reason}); delete it and run again"
        ) from error


def reader_page(table: pd.DataFrame, gaps: Mapping[str, float]) -> list[str]:
    """Overview, then each hypothesis with its numbers, then how they were computed."""
    tasks = _tasks(table)
    head = ["", "claim", "overall", *tasks]
    overview = []
    for name, part in table.groupby("hypothesis", sort=False):
        of_task = part.set_index("task")
        cells = [str(of_task.verdict.get(task, "")) for task in tasks]
        overview.append([str(name), part.sentence.iloc[0], f"**{overall_text(part)}**", *cells])
    lines = ["# Verdicts", "", *markdown_table(head, overview, len(head))]
    lines += ["", *_conditions(table), *_notes(table, gaps)]
    for name, part in table.groupby("hypothesis", sort=False):
        lines += ["", f"## {name}", "", part.sentence.iloc[0], ""]
        lines += _view(part).markdown(part)
        measures = [m for m in dict.fromkeys(part.measure) if m]
        if measures:
            lines += ["", f"Effect: {'; '.join(measures)}. Family: {part.family.iloc[0]}."]
    return lines


def _tasks(table: pd.DataFrame) -> list[str]:
    return sorted(set(table.task) - {"overall"})


def overall_text(part: pd.DataFrame) -> str:
    """The number of tasks with each verdict: "supported on 1, refuted on 2".

    Args:
        part: the lines of one hypothesis.
    """
    kinds = list(part.verdict[part.task != "overall"])
    return ", ".join(f"{kind} on {kinds.count(kind)}" for kind in LETTERS if kind in kinds)


def _conditions(table: pd.DataFrame) -> list[str]:
    """What was run on each task, if it is known."""
    known = table[(table.task != "overall") & (table.conditions != "")]
    known = known.groupby("task").conditions.first()
    if known.empty:
        return []
    lines = [f"* {task}: {told}." for task, told in known.items()]
    return ["These verdicts are about:", "", *lines, ""]


def _notes(table: pd.DataFrame, gaps: Mapping[str, float]) -> list[str]:
    kinds = table[table.clusters > 1].groupby("task")[["cluster_kind", "clusters", "pieces"]].max()
    clusters = [
        f"{task} {row.clusters} {row.cluster_kind}s of {row.pieces} pieces"
        for task, row in kinds.iterrows()
        if row.cluster_kind != "piece"
    ]
    notes = [
        "Error of a run: mean of 1 − score over test pieces and seeds, paired with the other run "
        "by seed and piece. Tested with Student's t on the variance of seeds and of clusters of "
        "pieces, crossed (Hillis 2007), two-sided; p (Holm) is corrected over all tests of the "
        f"family, on all tasks. A verdict needs p (Holm) below {LEVEL:g}; the side of the margin "
        "on which the effect lies says which. Intervals are not corrected: bootstrap over seeds "
        f"and clusters ({DRAWS} draws), widened to the tails of t, as few seeds vary too little.",
        "",
        "A cluster is a group of similar pieces, such as those of one player, drawn and tested as "
        f"a whole: {'; '.join(clusters) or 'here every piece is its own cluster'}. p (signs) flips "
        "the signs of whole clusters with the seeds fixed. It decides nothing: with n clusters it "
        "cannot be below 2^(1 − n).",
        "",
        "Counts are exact and the same for every seed; they are decided without a test.",
        "",
        "Overall: the number of tasks with each verdict. Would decide: seeds with which the t "
        f"test, at the strictest step of Holm, has a power of {POWER:.0%}, given the observed "
        f"effect, variances and clusters; – if {MOST_SEEDS} seeds would not suffice or nothing is "
        "tested.",
    ]
    odd = [f"{task} by {gap:.4f}" for task, gap in gaps.items() if gap > ROUNDING]
    if odd:
        notes += [
            "",
            "Errors here are means over pieces. On some tasks the error in rows weights pieces by "
            f"their scored time; the largest differences: {', '.join(odd)}.",
        ]
    return notes


def effect_text(row: pd.Series) -> str:
    """The effect, signed if it is a difference."""
    if row.measure.startswith("networks"):
        return number(row.effect, ".0f")
    sign = "+" if "difference" in row.measure or "− 1" in row.measure else ""
    return number(row.effect, f"{sign}.3f")


def verdict_cell(row: pd.Series) -> str:
    """The verdict and the effect: "refuted +0.259"."""
    return row.verdict if row.verdict == "not run" else f"{row.verdict} {effect_text(row)}"


def interval_text(row: pd.Series) -> str:
    """The interval, "counted" where nothing is estimated."""
    if row.counted:
        return "counted"
    return interval(row.low, row.high, "+.3f" if "difference" in row.measure else ".3f")


def _p_text(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value, ".3f")


def _view(part: pd.DataFrame) -> View:
    """What a reader sees of the lines of one hypothesis."""
    overall = f"**{overall_text(part)}**"
    columns: dict[str, Cell] = {
        "task": "{task}",
        "verdict": lambda row: overall if row.task == "overall" else row.verdict,
        "compared": "{compared}",
        "ratio": "{ratios}",
        "effect": effect_text,
        "95 % interval": interval_text,
        "p": lambda row: _p_text(row.p_value),
        "p (Holm)": lambda row: _p_text(row.p_corrected),
        "p (signs)": lambda row: _p_text(row.p_signs),
        "seeds": lambda row: str(row.seeds or "–"),
        "clusters": lambda row: str(row.clusters or "–"),
        "would decide": "{seeds_needed:d}",
        "note": "{note}",
    }
    return View(columns, "", len(columns))


def to_latex(table: pd.DataFrame) -> str:
    """A line per hypothesis: overall, and per task the verdict's letter and the effect."""
    tasks = _tasks(table)
    head = ["", "overall", *tasks]
    lines = []
    for name, part in table.groupby("hypothesis", sort=False):
        of_task = part.set_index("task")
        cells = [_latex_cell(of_task.loc[t]) if t in of_task.index else "" for t in tasks]
        kinds = list(of_task.verdict.drop("overall"))
        overall = " ".join(
            f"{kinds.count(kind)}{letter}" for kind, letter in LETTERS.items() if kind in kinds
        )
        lines.append([str(name), overall, *cells])
    note = (
        "S supported, R refuted, ? undecided, -- or blank: not run; with the effect. The "
        "Markdown page has the claims."
    )
    return latex_table(head, lines, note, 2)


def _latex_cell(row: pd.Series) -> str:
    return "" if row.verdict == "not run" else f"{LETTERS[row.verdict]} {effect_text(row)}"
