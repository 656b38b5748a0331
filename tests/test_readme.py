"""The README's numbers are those of the committed rows."""

import re
from pathlib import Path

import pytest

from mirtrim.analysis.tables import mean_and_deviation
from mirtrim.runs.labels import label_of
from mirtrim.runs.rows import RUN_KEYS, read_rows

ROOT = Path(__file__).resolve().parents[1]
ROWS = sorted((ROOT / "results" / "default" / "rows").glob("*.csv"))
SEEDS = [0, 1, 2, 3, 4]  # of every run in the table


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


@pytest.mark.skipif(not ROWS, reason="results of the default profile are not here")
def test_every_number_of_the_table_stands_in_the_rows() -> None:
    rows = read_rows([], tables=ROWS)
    rows = rows[rows.seed.isin(SEEDS)].copy()
    rows["label"] = [label_of(keys) for keys in rows[RUN_KEYS].to_dict("records")]
    head, *lines = cells_of("test error")
    assert {line[0].split(" ")[0] for line in lines} == set(rows.task)
    for line in lines:
        of_task = rows[rows.task == line[0].split(" ")[0]]
        for column, cell in zip(head[1:], line[1:], strict=True):
            label, ratio = re.fullmatch(r"([a-z ()]+?)(?:, ([\d.]+)x)?", column).groups()
            chosen = of_task[of_task.label == label]
            if ratio:
                chosen = chosen[chosen.target_ratio == float(ratio)]
            errors = chosen.test_error
            assert len(errors) == len(SEEDS), (line[0], column)
            assert cell == mean_and_deviation(errors.mean(), errors.std(ddof=1)), (line[0], column)
