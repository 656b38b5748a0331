"""The page says what was run and what came out, beside what others have said."""

from pathlib import Path

import pytest
import yaml

from mirtrim.analysis.hypotheses.loading import load_hypotheses
from mirtrim.analysis.recorded import load_recorded
from mirtrim.analysis.replication import write_replication
from mirtrim.analysis.verdicts import write_verdicts
from mirtrim.utils.errors import ConfigError
from tests.analysis.worlds import GLOBAL, MASK, TRIM, about, world

CONFIG = Path(__file__).parents[2] / "config"
RECORDED, CURVES = CONFIG / "recorded.yaml", CONFIG / "recorded_curves.yaml"
HYPOTHESES = f"""
- id: H1
  sentence: Nothing is lost.
  computation: not_worse
  family: claims
  settings: {{run: {TRIM}, against: dense, ratios: [4]}}
- id: H1'
  sentence: Little is lost.
  computation: not_worse
  family: claims
  settings: {{run: {TRIM}, against: dense, ratios: [4], times: 1.1}}
- id: H4
  sentence: Masks lose nothing.
  computation: not_worse
  family: claims
  settings: {{run: {MASK}, against: dense, ratios: [4]}}
- id: H6
  sentence: Locally is better.
  computation: lower_error
  family: claims
  settings: {{run: {TRIM}, against: [{GLOBAL}], ratios: [4]}}
"""


@pytest.fixture
def page(tmp_path: Path) -> str:
    networks = {
        ("dense", 1): about(0.20),
        (TRIM, 2): about(0.204),
        (TRIM, 4): about(0.30),
        (MASK, 4): about(0.199, step=0.002),
    }
    validation = {("dense", 1): 0.20, (TRIM, 2): 0.19, (TRIM, 4): 0.30, (MASK, 4): 0.2}
    rows, pieces = world(networks, validation, corpus={key: "mini_groove" for key in networks})
    table = tmp_path / "hypotheses.yaml"
    table.write_text(HYPOTHESES)
    paths = [tmp_path / f"verdicts.{ending}" for ending in ("csv", "md", "tex")]
    verdicts = write_verdicts(rows, pieces, table, *paths, rng_seed=0)
    path = tmp_path / "REPLICATION.md"
    write_replication(rows, pieces, verdicts, RECORDED, CURVES, path)
    return path.read_text()


def test_what_was_run(page: str) -> None:
    assert "| onset | mini_groove | 4 | 3 | 100 | 1,000 | 0.200 ± 0.001 | 3 | 12 |" in page
    assert "mini_groove: rendered for this project" in page


def test_what_came_out(page: str) -> None:
    """Each under the heading of its verdict, what was claimed beside it, and said once."""
    parts = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    lost = parts["What does not hold"]
    assert "* **H1** Nothing is lost." in lost
    assert "Refuted: onset +0.100 (+0.100 to +0.100). Numbers: difference of errors" in lost
    assert "Claimed [A]: Up to 90 %" in lost
    assert page.count("Claimed [A]: Up to 90 %") == 1
    assert "Claimed or recorded: see H1 as well." in lost
    assert "* **H4** Masks lose nothing." in parts["What is undecided"]
    assert "Seeds that would decide (now 3): onset" in parts["What is undecided"]
    assert "missing: trim (global)." in parts["What was not run"]
    assert "What holds" not in parts


def test_beside_the_record(page: str) -> None:
    """Recorded for onset trims at ratio 4: 1.02; at true ratio 4 their masks never arrived."""
    assert "| onset | trim | 4.00 | 1.500 ± 0.003 | 1.02 |" in page
    assert "| onset | mask | 4.00 | 0.995 ± 0.005 | – |" in page
    assert "| onset | Best | 50.0% | 1.02 | 85.0% |" in page
    assert "| onset | Small | 75.0% | 1.50 | 94.5% |" in page


def test_the_record_is_of_hypotheses_that_exist() -> None:
    recorded = load_recorded(RECORDED)
    names = {hypothesis.id for hypothesis in load_hypotheses(CONFIG / "hypotheses.yaml")}
    told = [name for entry in (*recorded.claims, *recorded.records) for name in entry["hypotheses"]]
    assert set(told) <= names
    assert any("drums 0.935" in line for line in recorded.said("H2"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claims": [{"hypotheses": ["H1"], "source": "Z", "text": "x"}]}, "no source 'Z'"),
        ({"claims": [{"hypotheses": ["H1"], "source": "A"}]}, "claims 1: key text: must be there"),
        ({"points": {}}, "points: key source: no source None"),
        ({"other": 1}, "key other: must have the keys"),
    ],
)
def test_a_bad_record_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "recorded.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(RECORDED.read_text()), **change}))
    with pytest.raises(ConfigError) as caught:
        load_recorded(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
