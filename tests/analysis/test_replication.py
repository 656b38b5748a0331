"""The page says what was run and what came out, beside what others have said."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mirtrim.analysis.conditions import conditions_of
from mirtrim.analysis.hypotheses.loading import load_hypotheses
from mirtrim.analysis.recorded import load_recorded
from mirtrim.analysis.replication import (
    CHOSEN,
    LOWEST,
    _of_tasks,
    _rules,
    _what_is_left,
    write_replication,
)
from mirtrim.analysis.verdict_tables import read_verdicts
from mirtrim.analysis.verdicts import write_verdicts
from mirtrim.utils.errors import ConfigError
from tests.analysis.worlds import GLOBAL, KEPT, MASK, TRIM, about, world

CONFIG = Path(__file__).parents[2] / "config"
RECORDED, CURVES = CONFIG / "recorded.yaml", CONFIG / "recorded_curves.yaml"
HYPOTHESES = f"""
- id: H1
  sentence: Nothing is lost.
  computation: not_worse
  family: claims
  settings: {{run: {TRIM}, against: dense, ratios: [4]}}
- id: H1k
  twin: H1
  sentence: The same, weights kept.
  computation: not_worse
  family: claims
  settings: {{run: {KEPT}, against: dense, ratios: [4]}}
- id: H1'
  sentence: Little is lost.
  computation: not_worse
  family: claims
  settings: {{run: {TRIM}, against: dense, ratios: [4], times: 1.1}}
- id: H2
  sentence: Light is better.
  computation: lower_at_best_ratio
  family: claims
  settings: {{run: {TRIM}, against: [dense], highest_ratio: 6}}
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
        (KEPT, 4): about(0.25),
        (MASK, 4): about(0.199, step=0.002),
    }
    validation = {("dense", 1): 0.20, (TRIM, 2): 0.19, (TRIM, 4): 0.30, (MASK, 4): 0.2}
    rows, pieces = world(networks, validation, corpus={key: "mini_groove" for key in networks})
    table = tmp_path / "hypotheses.yaml"
    table.write_text(HYPOTHESES)
    paths = [tmp_path / f"verdicts.{ending}" for ending in ("csv", "md", "tex")]
    verdicts = write_verdicts(rows, pieces, table, *paths, rng_seed=0)
    path = tmp_path / "REPLICATION.md"
    block = {
        "corpus": "mini_groove", "rewind_epoch": 2, "network": {"channels": 8},
        "training": {"epochs": 8, "optimizer": "adam"},
    }  # fmt: skip
    conditions = conditions_of({"onset": block}, {"onset": {"network": {"channels": 256}}})
    # Another profile has another task as well, and lacks a run.
    longer = {**block, "training": {"epochs": 40, "optimizer": "sgd"}}
    better = [
        world({("dense", 1): about(0.20), (TRIM, 4): about(0.15)}, task=task)
        for task in ("onset", "drums")
    ]
    other = write_verdicts(
        *(pd.concat(tables) for tables in zip(*better, strict=True)),
        table,
        *(tmp_path / f"other.{ending}" for ending in ("csv", "md", "tex")),
        rng_seed=0,
        conditions=conditions_of({"onset": longer, "drums": longer}),
    )
    others = {"longer": other[~other.hypothesis.isin(["H1'", "H2"])]}
    write_replication(rows, pieces, verdicts, RECORDED, CURVES, path, conditions, others)
    return path.read_text()


def test_what_was_run(page: str) -> None:
    assert " | 2 | 4 | 3 | 100 | 1,000 | 0.200 ± 0.001 | 4 | 15 |" in page
    assert "mini_groove: rendered for this project" in page


def test_what_came_out(page: str) -> None:
    """Each under the heading of its verdict, what was claimed beside it, and said once."""
    parts = dict(part.split("\n", 1) for part in page.split("\n## ")[1:])
    lost = parts["What does not hold at this width and length"]
    assert "* **H1** (refuted on 1) Nothing is lost." in lost
    assert "Refuted: onset +0.100 (+0.100 to +0.100). Numbers: difference of errors" in lost
    assert "Claimed [A]: Up to 90 %" in lost
    assert page.count("Claimed [A]: Up to 90 %") == 1
    assert "Claimed or recorded: see H1 as well." in lost
    undecided = parts["What is undecided at this width and length"]
    assert "* **H4** (undecided on 1) Masks lose nothing." in undecided
    assert re.search(r"Seeds needed to decide: onset \d+ \(now 3\)", undecided)
    assert "missing: trim (global)." in parts["What was not run"]
    assert not any(heading.startswith("What holds") for heading in parts)


def test_width_length_and_corpus_stand_under_every_heading(page: str) -> None:
    about = "1/32 of the published widths, 8 epochs of Adam, rewound to epoch 2, mini_groove"
    parts = page.split("\n## ")[1:]
    judged = [part for part in parts if part.startswith(("What does", "What is undecided"))]
    assert len(judged) == 2
    for part in judged:
        assert part.split("\n\n")[1] == f"*{about}.*"
    assert (
        "| onset | mini_groove | channels 8 (published 256) | Adam, 8 epochs | 2 | 4 | 3 |" in page
    )


def test_the_page_says_where_validation_chose_the_edge(page: str) -> None:
    assert "Validation chose 2 on every task, the lowest that was run" in page


def test_rewound_and_kept_stand_side_by_side(page: str) -> None:
    part = page.split("## Rewound, and with the weights kept")[1].split("\n## ")[0]
    assert "| H1 | rewound | refuted on 1 | refuted +0.100 |" in part
    assert "| H1k | kept | refuted on 1 | refuted +0.050 |" in part


def test_another_profile_is_told_beside_the_same_hypothesis(page: str) -> None:
    """Of the same task alone, with what its networks are, and not where it was not run."""
    beside = [line for line in page.splitlines() if "In profile" in line]
    assert beside == [
        "  * In profile longer (channels 8; SGD, 40 epochs; rewound to epoch 2; "
        "mini_groove): supported on onset −0.050 (−0.050 to −0.050)."
    ]
    lost = page.split("\n## What does not hold")[1]
    assert lost.index("**H1**") < lost.index("In profile") < lost.index("**H1k**")


def test_beside_the_record(page: str) -> None:
    """Recorded for onset trims at ratio 4: 1.02; at true ratio 4 their masks never arrived."""
    assert "| onset | trim | 4.00 | 1.500 ± 0.003 | 1.02 |" in page
    assert "| onset | mask | 4.00 | 0.995 ± 0.005 | – |" in page
    assert "| onset | Best | 50.0% | 1.02 | 85.0% |" in page
    assert "| onset | Small | 75.0% | 1.50 | 94.5% |" in page


def test_every_heading_and_every_source_is_there(page: str) -> None:
    headings = [line for line in page.splitlines() if line.startswith("#")]
    assert headings == [
        "# Replication, profile test",
        "## What was run",
        "## What does not hold at this width and length",
        "## What is undecided at this width and length",
        "## What was not run",
        "## Rewound, and with the weights kept",
        "## Side by side with profile longer",
        "## Error along the ratios, beside the record",
        "## Smallest good networks, beside the record",
        "## Sources",
    ]
    sources = page.split("\n## Sources\n\n")[1].splitlines()
    known = yaml.safe_load(RECORDED.read_text())["sources"]
    assert sources == [f"* [{tag}] {text}." for tag, text in known.items()]


def test_the_record_is_of_hypotheses_that_exist() -> None:
    recorded = load_recorded(RECORDED)
    names = {hypothesis.id for hypothesis in load_hypotheses(CONFIG / "hypotheses.yaml")}
    told = [name for entry in (*recorded.claims, *recorded.records) for name in entry["hypotheses"]]
    assert set(told) <= names
    assert any("drums 0.935" in line for line in recorded.statements("H2"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claims": [{"hypotheses": ["H1"], "source": "Z", "text": "x"}]}, "no source 'Z'"),
        (
            {"claims": [{"hypotheses": ["H1"], "source": "A"}]},
            "key claims.0: 'text' is a",
        ),
        ({"points": {}}, "key points: 'source' is a required property"),
        ({"other": 1}, "'other' was unexpected"),
    ],
)
def test_a_bad_record_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "recorded.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(RECORDED.read_text()), **change}))
    with pytest.raises(ConfigError) as caught:
        load_recorded(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_claim_says_on_which_tasks_it_was_run_and_on_which_not() -> None:
    lines = {
        "task": ["chord", "drums", "onset", "pitch", "overall"],
        "verdict": ["refuted", "not run", "undecided", "undecided", "refuted"],
        "compared": ["a − b"] * 5,
        "measure": ["difference of errors"] * 5,
        "effect": [0.1, float("nan"), 0.01, 0.02, float("nan")],
        "low": [0.05, float("nan"), -0.01, -0.01, float("nan")],
        "high": [0.15, float("nan"), 0.03, 0.05, float("nan")],
        "counted": [False] * 5,
        "seeds": [3, 0, 2, 3, 0],
        "note": [""] * 5,
        "seeds_needed": [float("nan"), float("nan"), 12, float("nan"), float("nan")],
        "seeds_do_not_help": [False, False, False, True, False],
    }
    assert list(_of_tasks(pd.DataFrame(lines))) == [
        "Refuted: chord +0.100 (+0.050 to +0.150)",
        "Undecided: onset +0.010 (−0.010 to +0.030), pitch +0.020 (−0.010 to +0.050)",
        "Numbers: difference of errors, a − b",
        "Seeds needed to decide: onset 12 (now 2)",
        "More seeds alone would not decide: pitch",
        "Not run on drums",
    ]


def test_trainings_that_are_left_are_told() -> None:
    left = {
        "chord": {"chord": ["trim_seed0", "trim_seed2", "dense_seed0"], "chord-width_2": ["a"]},
        "drums": {"drums": [], "drums-width_2": []},
        "onset": {"onset-width_2": ["a", "b"], "onset-width_4": ["c"]},
        "pitch": {"pitch": ["dense_seed1"]},
    }
    assert list(_what_is_left(left))[4:] == [
        "| chord | `trim` (0, 2); `dense` (0) | 1 |",
        "| onset | – | 3 |",
        "| pitch | `dense` (1) | 0 |",
        "",
    ]
    assert list(_what_is_left({"drums": left["drums"]})) == []


def test_simple_rules_stand_beside_the_dense_networks() -> None:
    known = {
        "task": "onset", "baseline": "flux", "error": 0.25, "dense": 0.125, "difference": -0.125,
        "low": -0.2, "high": -0.05, "clusters": 3, "cluster_kind": "drummer",
    }  # fmt: skip
    alone = known | {"low": float("nan"), "high": float("nan"), "difference": 0.5}
    lines = list(_rules(pd.DataFrame([known, alone])))
    assert lines[4:] == [
        "| onset | flux | 0.250 | 0.125 | −0.125 | −0.200 to −0.050 | 3 drummers |",
        "| onset | flux | 0.250 | 0.125 | +0.500 | – | 3 drummers |",
    ]


def test_what_validation_chose_is_told_of_each_task_if_it_chose_differently() -> None:
    lines = {
        "task": ["chord", "onset"], "verdict": "supported", "compared": "a − b",
        "measure": "difference of errors", "effect": -0.1, "low": -0.2, "high": -0.05,
        "counted": False, "seeds": 3, "ratios": ["2", "4"],
        "note": [f"{CHOSEN}; {LOWEST}", CHOSEN], "seeds_needed": float("nan"),
        "seeds_do_not_help": False,
    }  # fmt: skip
    table = pd.DataFrame(lines)
    assert "Validation chose chord 2 (the lowest that was run), onset 4" in list(_of_tasks(table))
    same = table.assign(ratios="2", note=f"{CHOSEN}; {LOWEST}")
    assert "Validation chose 2 on every task, the lowest that was run" in list(_of_tasks(same))
    nothing = list(_of_tasks(table.assign(note="")))
    assert not any("Validation" in text for text in nothing)


def test_verdicts_stand_in_the_order_of_their_first_task() -> None:
    lines = {
        "task": ["chord", "drums", "onset"],
        "verdict": ["undecided", "refuted", "undecided"],
        "compared": ["a − b", "a − b", "a − c"],
        "measure": ["difference of errors", "quotient", "difference of errors"],
        "effect": [0.01, 0.1, 0.02],
        "low": [-0.01, 0.05, -0.01],
        "high": [0.03, 0.15, 0.05],
        "counted": [False, True, False],
        "seeds": [3, 3, 1],
        "note": [""] * 3,
        "seeds_needed": [float("nan")] * 3,
        # Nobody asked how many seeds chord would need: its p is none of Student's t.
        "seeds_do_not_help": [False] * 3,
    }
    # Two measures are told with each effect, and what was counted has no interval.
    assert list(_of_tasks(pd.DataFrame(lines))) == [
        "Undecided: chord difference of errors +0.010 (−0.010 to +0.030), "
        "onset difference of errors +0.020 (−0.010 to +0.050)",
        "Refuted: drums quotient 0.100",
        "One seed, which decides nothing: onset",
    ]


COMMITTED = Path(__file__).parents[2] / "results"
ELSEWHERE = re.compile(r"  \* In profile (\w+).*: ([a-z ]+) on (\w+) [^a-z]*?(?:\(.*\))?\.$")


@pytest.mark.parametrize("profile", ["default", "published", "feedback"])
def test_what_a_committed_page_says_of_other_profiles_is_what_they_say_themselves(
    profile: str,
) -> None:
    """Pages name each other's verdicts, so none may be older than the others' tables."""
    told, hypothesis = set(), ""
    for line in (COMMITTED / profile / "REPLICATION.md").read_text().splitlines():
        claim = re.match(r"\* \*\*(\S+)\*\*", line)
        hypothesis = claim[1] if claim else hypothesis
        if found := ELSEWHERE.match(line):
            told.add((found[1], hypothesis, found[3], found[2]))
    own = read_verdicts(COMMITTED / profile / "verdicts.csv")
    asked = set(zip(own.hypothesis, own.task, strict=True))
    true = set()
    for name in {name for name, *_ in told}:
        table = read_verdicts(COMMITTED / name / "verdicts.csv")
        table = table[(table.task != "overall") & (table.verdict != "not run")]
        lines = zip(table.hypothesis, table.task, table.verdict, strict=True)
        true |= {(name, *line) for line in lines if line[:2] in asked}
    assert told
    assert told == true
