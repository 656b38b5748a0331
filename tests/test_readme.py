"""The README's numbers are those of the committed rows."""

import re
from pathlib import Path

import pandas as pd
import pytest

from mirtrim.analysis.markup import mean_and_deviation
from mirtrim.runs.labels import label_of
from mirtrim.runs.rows import RUN_KEYS, read_rows

ROOT = Path(__file__).resolve().parents[1]
# Head of the table → its profile, and the seeds of every run in it.
TABLES = {
    "test error": ("default", [0, 1, 2, 3, 4]),
    "at published width": ("published", [0, 1, 2]),
}


def cells_of(heading: str) -> list[list[str]]:
    """The cells of the table whose first head is `heading`, without head and rule."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith(f"| {heading} "))
    table = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return [table[0], *table[2:]]


@pytest.mark.parametrize("heading", TABLES)
def test_every_number_of_a_table_stands_in_the_rows(heading: str) -> None:
    profile, seeds = TABLES[heading]
    folder = ROOT / "results" / profile / "rows"
    head, *lines = cells_of(heading)
    tasks = [line[0].split(" ")[0] for line in lines]
    tables = [folder / f"{task}.csv" for task in tasks]
    if not all(table.is_file() for table in tables):
        pytest.skip(f"results of the profile {profile} are not here")
    rows = read_rows([], tables=tables)
    rows = rows[rows.seed.isin(seeds)].copy()
    rows["label"] = [label_of(keys) for keys in rows[RUN_KEYS].to_dict("records")]
    for task, line in zip(tasks, lines, strict=True):
        of_task = rows[rows.task == task]
        for column, cell in zip(head[1:], line[1:], strict=True):
            label, ratio = re.fullmatch(r"([a-z ()]+?)(?:, ([\d.]+)x)?", column).groups()
            chosen = of_task[of_task.label == label]
            if ratio:
                chosen = chosen[chosen.target_ratio == float(ratio)]
            errors = chosen.test_error
            assert len(errors) == len(seeds), (task, column)
            assert cell == mean_and_deviation(errors.mean(), errors.std(ddof=1)), (task, column)


SETS = {
    "onset, 10 pieces on one piano": "piano",
    "onset, 6 drum kits": "kits",
    "drums, 6 kits": "drums",
}
SETS |= {"chord, 1 song": "songs", "pitch, 118 notes": "notes"}


def test_scores_on_recordings_are_those_of_the_committed_networks() -> None:
    scores = pd.read_csv(ROOT / "results" / "listening" / "recordings.csv")
    head, *lines = cells_of("on recordings")
    assert [line[0].split(" (")[0] for line in lines] == list(SETS)
    for line in lines:
        of_set = scores[scores.set == SETS[line[0].split(" (")[0]]]
        of_set = of_set[of_set.measure.isin(["f_measure", "majmin", "raw_pitch"])]
        assert f"{of_set.recordings.iloc[0]}" in line[0]
        networks = of_set[of_set.kind != "rule"]
        for column, cell in zip(head[1:5], line[1:5], strict=True):
            ending = "-dense" if column == "dense" else f"-ratio-{column.removesuffix('x')}"
            chosen = networks[networks.estimator.str.endswith(ending)]
            # Of two networks of a ratio, the one that is offered: the better one when rendered.
            best = chosen.sort_values("rendered").iloc[-1]
            assert cell == f"{best.score:.3f}", (line[0], column)
        rules = of_set[of_set.kind == "rule"].sort_values("score")
        assert line[5] == f"{rules.score.iloc[-1]:.3f} {rules.estimator.iloc[-1]}"


def test_the_first_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
