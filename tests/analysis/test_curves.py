"""Curves of one panel can be told from each other."""

import re
from pathlib import Path

import pandas as pd

from mirtrim.analysis.curves import draw_error_curve
from tests.analysis.figures.rows import ROWS


def strokes(path: Path) -> list[str]:
    """Colours and dashes of the curves in a figure."""
    styles = re.findall(r'<path d="[^"]*"[^>]*style="fill: none; ([^"]*)"', path.read_text())
    return [style for style in styles if "stroke-width: 1.5" in style]


def test_methods_without_a_look_of_their_own_differ(tmp_path: Path) -> None:
    trim = ROWS[ROWS.method == "trim"]
    others = [trim.assign(method=name) for name in ("gradual", "one_shot", "snip", "hard_gate")]
    rows = pd.concat([ROWS, *others])
    draw_error_curve(rows, [tmp_path / "a.svg"])
    found = strokes(tmp_path / "a.svg")
    assert len(set(found)) == len({"mask", "trim"}) + len(others)
