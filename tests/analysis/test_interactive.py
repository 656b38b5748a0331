"""The page to hover over: its numbers, nothing from elsewhere, the same bytes."""

from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest

from mirtrim.analysis.interactive import draw, write
from mirtrim.utils.errors import ArtefactError
from tests.analysis.figures.rows import DENSE, REINIT, ROWS, table, trimmed

LATENCY = pd.DataFrame(
    [
        ("onset", "dense", 1.0, 0, "torch", 2.0),
        ("onset", "trim_magnitude_local_rewind", 2.0, 0, "torch", 0.5),
    ],
    columns=["task", "run", "target_ratio", "seed", "runtime", "median_ms"],
)
SHUFFLED = table(trimmed(0, 0.5, order="shuffled"))
ALL = pd.concat([ROWS, REINIT, SHUFFLED], ignore_index=True)


class Loads(HTMLParser):
    """Collects what a browser would fetch, and the page's policy."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.fetched += [str(values[k]) for k in ("src", "href", "data", "action") if k in values]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(values["content"])


def points(figure: go.Figure, run: str) -> go.Scatter:
    (found,) = (t for t in figure.data if t.mode == "markers" and t.name == run)
    return found


def test_points_are_networks_with_their_numbers() -> None:
    trim = points(draw(ALL, LATENCY), "trim")
    assert sorted(trim.x) == [2.0, 2.1, 4.1, 4.3]
    text = trim.text[trim.x.index(2.0)]
    for part in (
        "<b>trim</b>, onset, seed 0, round 1",
        "ratio 2.00 (target 2)",
        "test error 0.3000, 1.50 times the dense one",
        "50 of 50 parameters not zero, 350 bytes (gzip)",
        "250 MACs, 4.00 times fewer than dense",
        "latency 0.5 ms, 4.00 times as fast as dense (torch)",
    ):
        assert part in text
    assert trim.y[trim.x.index(2.0)] == 1.5
    # Not every network has been timed.
    assert "latency" not in trim.text[trim.x.index(2.1)]


def test_lines_are_means_over_seeds() -> None:
    figure = draw(ALL)
    lines = {t.legendgroup: t for t in figure.data if t.mode == "lines"}
    assert lines["trim"].x == (1.0, 2.05, 4.2)
    assert lines["trim"].y == (1.0, 1.75, 2.5)


def test_the_axis_has_ticks_from_the_lowest_to_the_highest_error() -> None:
    """Quotients from 0.5 to 3, a twentieth more on both sides: from 0.475 to 3.15."""
    assert draw(ALL).layout.yaxis.tickvals == (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)


def test_side_runs_wait_in_the_legend() -> None:
    figure = draw(ALL)
    assert points(figure, "trim (reinit)").visible is True
    assert points(figure, "trim (shuffled)").visible == "legendonly"
    ranked = sorted((t for t in figure.data if t.mode == "markers"), key=lambda t: t.legendrank)
    assert [t.name for t in ranked] == ["dense", "mask", "trim", "trim (reinit)", "trim (shuffled)"]


def test_each_name_stands_once_in_the_legend() -> None:
    both = pd.concat([ROWS, ROWS.assign(task="drums")], ignore_index=True)
    figure = draw(both)
    shown = [t.name for t in figure.data if t.showlegend]
    assert sorted(shown) == ["dense", "mask", "trim"]
    assert {note.text for note in figure.layout.annotations} == {"drums", "onset"}


def test_the_page_fetches_nothing_and_uploads_nothing(tmp_path: Path) -> None:
    write(draw(ALL, LATENCY), tmp_path / "a.html", "a < b")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    loads = Loads()
    loads.feed(page)
    assert loads.fetched == []
    assert loads.policy.startswith("default-src 'none';")
    assert "http" not in loads.policy
    assert "@import" not in page
    assert '"showSendToCloud": false' in page
    assert '"responsive": true' in page
    assert '"displaylogo": false' in page
    # What draws it is in it.
    assert "Plotly.newPlot(" in page
    assert len(page) > 1_000_000
    assert "<title>a &lt; b</title>" in page
    assert page.count('id="mirtrim-curves"') == 1


def test_the_same_bytes_twice(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write(draw(ALL, LATENCY), tmp_path / name, "curves")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_dense_networks_alone_are_no_page() -> None:
    with pytest.raises(ArtefactError, match="no rows but those of dense networks"):
        draw(table(*DENSE))
