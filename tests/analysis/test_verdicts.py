"""Verdicts: planted effects are found, planted nulls are not, and the tables say so."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mirtrim.analysis.conditions import conditions_of
from mirtrim.analysis.hypotheses.finding import Finding
from mirtrim.analysis.hypotheses.loading import Hypothesis
from mirtrim.analysis.statistics import holm
from mirtrim.analysis.task_evidence import gather
from mirtrim.analysis.verdict_tables import (
    _view,
    effect_text,
    interval_text,
    overall_text,
    read_verdicts,
)
from mirtrim.analysis.verdicts import _line, verdicts, write_verdicts
from mirtrim.utils.errors import ArtefactError
from tests.analysis.worlds import GLOBAL, MASK, REINIT, TRIM, about, evidence, world


def claim(name: str, run: str = TRIM, **changes: object) -> Hypothesis:
    settings = {"run": run, "against": "dense", "ratios": [4], "margin": 0.01, **changes}
    return Hypothesis(name, "Nothing is lost.", "not_worse", "claims", settings)


BETTER, WORSE = about(0.25), about(0.40)
UNSURE = about(0.305, step=0.02)


def tasks(**trims: np.ndarray) -> list:  # type: ignore[type-arg]
    return [
        evidence({("dense", 1): about(0.30), (TRIM, 4): errors}, None, task)
        for task, errors in trims.items()
    ]


@pytest.mark.parametrize(
    ("trims", "overall"),
    [
        ({"a": BETTER, "b": BETTER}, "supported"),
        ({"a": WORSE, "b": WORSE}, "refuted"),
        # Both sides alike: what is undecided takes nothing from either.
        ({"a": WORSE, "b": UNSURE}, "refuted"),
        ({"a": BETTER, "b": UNSURE}, "supported"),
        ({"a": UNSURE, "b": UNSURE}, "undecided"),
        ({"a": BETTER, "b": WORSE, "c": UNSURE}, "mixed"),
    ],
)
def test_overall(trims: dict[str, np.ndarray], overall: str) -> None:
    lines = verdicts(tasks(**trims), [claim("H1")], 0)
    assert [line.task for line in lines] == [*trims, "overall"]
    assert lines[-1].verdict == overall


def test_the_overall_text_counts_both_sides() -> None:
    lines = verdicts(tasks(a=BETTER, b=WORSE, c=UNSURE, d=WORSE), [claim("H1")], 0)
    table = pd.DataFrame([vars(line) for line in lines])
    assert overall_text(table) == "supported on 1, refuted on 2, undecided on 1"


def test_pieces_of_one_player_are_one(tmp_path: Path) -> None:
    """Sixteen pieces by two drummers, of whom one gains and one loses: nothing is decided, and the
    tables say how many drummers there are."""
    errors = np.tile(np.repeat([0.20, 0.36], 8), (3, 1)) + 0.001 * np.arange(3)[:, None]
    rows, pieces = world({("dense", 1): np.full((3, 16), 0.30), (TRIM, 4): errors})
    pieces["track_id"] = [f"drummer{1 + n % 16 // 8}/{n % 16}" for n in range(len(pieces))]
    table = tmp_path / "hypotheses.yaml"
    entry = {k: v for k, v in vars(claim("H1", margin=0.04)).items() if k not in ("tasks", "twin")}
    table.write_text(yaml.safe_dump([entry]))
    paths = [tmp_path / f"verdicts.{ending}" for ending in ("csv", "md", "tex")]
    alone = write_verdicts(rows, pieces, table, *paths, rng_seed=1).iloc[0]
    corpora = {"mini": {"loader": "groove_midi", "mode": "embedded"}}
    line = write_verdicts(rows, pieces, table, *paths, rng_seed=1, corpora=corpora).iloc[0]
    assert (alone.verdict, alone.clusters, alone.cluster_kind) == ("supported", 16, "piece")
    assert (line.verdict, line.clusters, line.cluster_kind) == ("undecided", 2, "drummer")
    assert line.p_signs == 1.0  # one up, one down: no way to turn the signs is nearer
    assert line.effect == pytest.approx(alone.effect)
    assert line.high - line.low > 2 * (alone.high - alone.low)
    assert "onset 2 drummers of 16 pieces" in paths[1].read_text()


def test_what_was_run_stands_beside_every_verdict(tmp_path: Path) -> None:
    block = {
        "corpus": "mini", "rewind_epoch": 1, "network": {"channels": 8, "kernel": 3},
        "training": {"epochs": 4, "optimizer": "sgd"},
    }  # fmt: skip
    conditions = conditions_of({"a": block, "b": {**block, "rewind_epoch": 3}})
    lines = verdicts(tasks(a=BETTER, b=WORSE), [claim("H1")], 0, conditions)
    assert [line.conditions for line in lines] == [
        "channels 8; SGD, 4 epochs; rewound to epoch 1; mini",
        "channels 8; SGD, 4 epochs; rewound to epoch 3; mini",
        "4 epochs of SGD, rewound to epoch 1 to 3, mini",
    ]


def test_what_was_not_run_is_named() -> None:
    lines = verdicts(tasks(a=BETTER), [claim("H1", MASK), claim("H2")], 0)
    assert [(line.verdict, line.note) for line in lines[:2]] == [
        ("not run", "missing: mask"),
        ("not run", "not run on a; missing: mask"),
    ]
    assert lines[2].verdict == "supported"


HIGHER = f"{TRIM}_minimum_units_4"


@pytest.mark.parametrize(
    ("computation", "settings", "compared", "measure", "note"),
    [
        # The name of one run is the beginning of the other's.
        (
            "not_worse",
            {"run": HIGHER, "against": TRIM, "ratios": [4]},
            "trim (minimum units 4) − trim",
            "difference of errors",
            "",
        ),
        (
            "lower_error",
            {"run": TRIM, "against": [HIGHER, "dense"], "ratios": [4]},
            "trim − dense",
            "difference of errors",
            "beside trim (minimum units 4) −0.050",
        ),
        (
            "not_worse_and_cheaper",
            {
                "run": TRIM, "against": HIGHER, "ratios": [4], "margin": 0.1,
                "cost": "total_training_macs", "share": 0.5,
            },
            "trim − trim (minimum units 4)",
            "total_training_macs of trim / trim (minimum units 4)",
            "total_training_macs: 1.00 of trim (minimum units 4); difference of errors -0.050",
        ),
    ],
)  # fmt: skip
def test_texts_carry_labels(
    computation: str, settings: dict[str, object], compared: str, measure: str, note: str
) -> None:
    rows, pieces = world({("dense", 1): about(0.30), (TRIM, 4): about(0.30)})
    higher = [table.assign(minimum_units=4) for table in world({(TRIM, 4): about(0.35)})]
    evidence = gather(pd.concat([rows, higher[0]]), pd.concat([pieces, higher[1]]))
    hypothesis = Hypothesis("H1", "x", computation, "claims", settings)
    line = verdicts(evidence, [hypothesis], 0)[0]
    assert (line.compared, line.measure, line.note) == (compared, measure, note)


def test_what_is_missing_is_called_by_its_label_if_it_was_run_on_another_task() -> None:
    rows, pieces = zip(
        world({("dense", 1): about(0.3), (TRIM, 4): BETTER}, None, "a"),
        world({("dense", 1): about(0.3), (REINIT, 4): BETTER}, None, "b"),
        strict=True,
    )
    evidence = gather(pd.concat(rows), pd.concat(pieces))
    lines = verdicts(evidence, [claim("H1", REINIT), claim("H2", TRIM, ratios=[16])], 0)
    assert [line.note for line in lines] == [
        "missing: trim (reinit)",
        "",
        "supported on b; not run on a; missing: trim (reinit)",
        "missing: trim at ratio 16",
        "missing: trim",
        "not run on a, b; missing: trim at ratio 16; missing: trim",
    ]


@pytest.mark.parametrize(
    ("unknown", "label"),
    [
        (f"same_shape_reference_{TRIM}", "same shape (of trim)"),
        (f"{TRIM}_order_shuffled", "trim (shuffled)"),
        ("optimal_damage", "optimal damage"),  # of a method that there is not yet
    ],
)
def test_what_was_never_run_has_a_label_as_well(unknown: str, label: str) -> None:
    """Also where the name of another run is a part of its own."""
    line = verdicts(tasks(a=BETTER), [claim("H1", unknown)], 0)[0]
    assert line.note == f"missing: {label}"


def test_p_is_corrected_within_the_family_over_all_tasks() -> None:
    other = Hypothesis("H3", "x", "not_worse", "other", claim("H3").settings)
    parts = tasks(a=BETTER, b=UNSURE, c=about(0.35, step=0.01))
    lines = [
        line
        for line in verdicts(parts, [claim("H1"), claim("H2", margin=0.02), other], 0)
        if line.task != "overall"
    ]
    for family in ("claims", "other"):
        of_family = [line for line in lines if line.family == family]
        assert [line.p_corrected for line in of_family] == holm([f.p_value for f in of_family])
    assert len([line for line in lines if line.family == "claims"]) == 6


def test_a_verdict_rests_on_the_corrected_p() -> None:
    """p of one test is 0.024; among four of one family that is 0.097, and nothing is decided."""
    plain, other = about(0.30, seeds=5), about(0.345, seeds=5, step=0.015)
    worse = [evidence({("dense", 1): plain, (TRIM, 4): other}, None, task) for task in "abcd"]
    (alone, _) = verdicts(worse[:1], [claim("H1")], 0)
    assert 0.02 < alone.p_value == alone.p_corrected < 0.03
    assert alone.verdict == "refuted"
    for line in verdicts(worse, [claim("H1")], 0)[:4]:
        assert line.p_value == alone.p_value
        assert line.p_corrected == pytest.approx(4 * alone.p_value)
        assert line.verdict == "undecided"
    # Other families do not count.
    families = [replace(claim(f"H{n}"), family=f"family {n}") for n in range(4)]
    decided = [line for line in verdicts(worse[:1], families, 0) if line.task == "a"]
    assert [line.verdict for line in decided] == ["refuted"] * 4


@pytest.mark.parametrize(
    ("counted", "p_corrected", "verdicts_of_both_sides"),
    [
        (False, 0.0499, ("supported", "refuted")),
        (False, 0.05, ("undecided", "undecided")),
        (False, float("nan"), ("undecided", "undecided")),
        # Counts need no test.
        (True, float("nan"), ("supported", "refuted")),
    ],
)
def test_the_line_between_decided_and_undecided(
    counted: bool, p_corrected: float, verdicts_of_both_sides: tuple[str, str]
) -> None:
    for favourable, expected in zip((True, False), verdicts_of_both_sides, strict=True):
        finding = Finding("a − b", (2.0, 4.5), "share", 0.5, favourable, counted=counted)
        line = _line(claim("H1"), "chord", finding, p_corrected, 1)
        assert (line.verdict, line.ratios, line.seeds_needed) == (expected, "2, 4.5", None)


def test_an_undecided_verdict_says_how_many_seeds_would_decide() -> None:
    """0.005 from the line, seeds 0.02 apart: hundreds of seeds. 0.035 from it: 6 seeds."""
    lines = verdicts(tasks(a=UNSURE), [claim("H1")], 0)
    assert (lines[0].verdict, lines[0].seeds_needed) == ("undecided", None)
    lines = verdicts(tasks(a=about(0.345, step=0.02)), [claim("H1")], 0)
    # One test, so no correction: d = 0.035 / 0.02 = 1.75 needs 5 pairs (power 0.84; 4 have 0.66).
    assert (lines[0].verdict, lines[0].seeds_needed) == ("undecided", 5)
    assert lines[1].seeds_needed == 5
    table = pd.DataFrame([vars(lines[0])])
    assert _view(table).cells(table)[0][-2] == "5"
    # What is decided needs no more.
    decided = verdicts(tasks(a=about(0.5, step=0.02)), [claim("H1")], 0)[0]
    assert (decided.verdict, decided.seeds_needed) == ("refuted", None)
    # Beside three more tests it must reach 0.05 / 4.
    beside = tasks(a=about(0.345, step=0.02), b=UNSURE, c=UNSURE, d=UNSURE)
    assert verdicts(beside, [claim("H1")], 0)[0].seeds_needed == 7


LINE = {("dense", 1.0): 0.3, (TRIM, 4.0): 0.31}


def noisy(mean: float, random: np.random.Generator) -> pd.DataFrame:
    errors = about(mean, step=0) + 0.05 * random.standard_normal((3, 4))
    return pd.DataFrame(errors, columns=list("abcd"))


def test_planted_nulls_are_rarely_decided() -> None:
    """80 random worlds whose true effect lies on the line."""
    random = np.random.default_rng(3)
    (made,) = tasks(a=UNSURE)
    worlds = [
        replace(made, errors={key: noisy(mean, random) for key, mean in LINE.items()})
        for _ in range(80)
    ]
    lines = [verdicts([part], [claim("H1")], 0)[0] for part in worlds]
    decided = sum(line.verdict != "undecided" for line in lines)
    assert decided <= 8


def test_another_hypothesis_moves_no_interval() -> None:
    """The bootstrap's draws belong to the hypothesis and the task."""
    both = verdicts(tasks(a=UNSURE, b=WORSE), [claim("H0"), claim("H1")], 7)
    alone = verdicts(tasks(b=WORSE), [claim("H1")], 7)
    of_both = next(line for line in both if (line.hypothesis, line.task) == ("H1", "b"))
    assert (alone[0].low, alone[0].high) == (of_both.low, of_both.high)


def test_what_is_written_and_read_again(tmp_path: Path) -> None:
    """The same bytes twice; CSV, Markdown and LaTeX tell the same verdicts."""
    rows, pieces = world({("dense", 1): about(0.30), (TRIM, 4): WORSE, (MASK, 4): BETTER})
    table = tmp_path / "hypotheses.yaml"
    entries = [vars(claim("H1")), vars(claim("H1'", MASK)), vars(claim("H2", GLOBAL))]
    table.write_text(
        yaml.safe_dump(
            [{k: v for k, v in e.items() if k not in ("tasks", "twin")} for e in entries]
        )
    )
    texts = []
    for folder in ("one", "two"):
        paths = [tmp_path / folder / f"verdicts.{ending}" for ending in ("csv", "md", "tex")]
        write_verdicts(rows, pieces, table, *paths, rng_seed=1)
        texts.append([path.read_bytes() for path in paths])
    assert texts[0] == texts[1]
    found = read_verdicts(paths[0])
    assert list(found.verdict) == ["refuted"] * 2 + ["supported"] * 2 + ["not run"] * 2
    assert found.effect[0] == pytest.approx(0.1)
    assert found.note[0] == ""
    markdown = paths[1].read_text()
    assert "| H1 | Nothing is lost. | **refuted on 1** | refuted |" in markdown
    # Of four pieces two of the 2⁴ ways to turn the signs are as far; nobody asks for more seeds.
    assert (
        "| onset | refuted | trim − dense | 4 | +0.100 | +0.100 to +0.100 | < 0.001 | < 0.001 "
        "| 0.125 | 3 | 4 | – |  |"
    ) in markdown
    assert (
        "| overall | **refuted on 1** |  |  | – | – | – | – | – | 3 | – | – | refuted on onset |"
    ) in markdown
    nothing = "| onset | not run |  |  | – | – | – | – | – | – | – | – | missing: trim (global) |"
    assert nothing in markdown
    assert paths[0].read_text().startswith("hypothesis,")  # no numbers of lines
    assert "scored time" not in markdown  # here rows and pieces agree
    assert "These verdicts are about" not in markdown  # nobody said which
    latex = paths[2].read_text()
    assert r"H1 & 1R & R +0.100 \\" in latex
    assert r"H1$'$ & 1S & S $-$0.050 \\" in latex
    assert r"H2 & 1-- &  \\" in latex


def test_a_score_that_is_no_mean_over_pieces_is_told(tmp_path: Path) -> None:
    rows, pieces = world({("dense", 1): about(0.30), (TRIM, 4): WORSE})
    rows["test_error"] += 0.004
    table = tmp_path / "hypotheses.yaml"
    entry = {k: v for k, v in vars(claim("H1")).items() if k not in ("tasks", "twin")}
    table.write_text(yaml.safe_dump([entry]))
    paths = [tmp_path / f"verdicts.{ending}" for ending in ("csv", "md", "tex")]
    block = {
        "corpus": "mini", "rewind_epoch": 3, "network": {"channels": 8},
        "training": {"epochs": 4, "optimizer": "sgd"},
    }  # fmt: skip
    conditions = conditions_of({"onset": block})
    write_verdicts(rows, pieces, table, *paths, rng_seed=1, conditions=conditions)
    assert "the largest differences: onset by 0.0040." in paths[1].read_text()
    told = f"These verdicts are about:\n\n* onset: {conditions['onset']}.\n\n"
    assert told in paths[1].read_text()


def test_a_table_of_before_there_were_clusters_is_read(tmp_path: Path) -> None:
    """Another profile's may be older: two profiles that tell of each other must both be written."""
    line = verdicts(tasks(a=BETTER), [claim("H1")], 0)[0]
    later = ["p_signs", "clusters", "cluster_kind", "twin", "conditions"]
    path = tmp_path / "verdicts.csv"
    pd.DataFrame([vars(line)]).drop(columns=later).to_csv(path, index=False)
    found = read_verdicts(path).iloc[0]
    assert (found.verdict, found.conditions, found.clusters) == ("supported", "", 0)


def test_a_sign_stands_where_a_difference_is_told() -> None:
    def texts(effect: float, measure: str, counted: bool = False) -> tuple[str, str]:
        line = {"effect": effect, "measure": measure, "low": -0.5, "high": 2.0, "counted": counted}
        return effect_text(pd.Series(line)), interval_text(pd.Series(line))

    assert texts(0.25, "difference of errors") == ("+0.250", "−0.500 to +2.000")
    assert texts(-0.25, "ms of a / dense − 1", counted=True) == ("−0.250", "counted")
    assert texts(1.25, "ratio of errors") == ("1.250", "−0.500 to 2.000")
    assert texts(3.0, "networks within the budget", counted=True) == ("3", "counted")


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.csv"
    pd.DataFrame({"hypothesis": ["H1"]}).to_csv(path)
    with pytest.raises(ArtefactError, match=r"verdicts\.csv does not hold verdicts"):
        read_verdicts(path)


def test_gathering_keeps_tasks_apart() -> None:
    rows, pieces = zip(
        world({("dense", 1): about(0.3)}, None, "b"),
        world({("dense", 1): about(0.2)}, None, "a"),
        strict=True,
    )
    found = gather(pd.concat(rows), pd.concat(pieces))
    assert [part.task for part in found] == ["a", "b"]
    assert float(found[0].errors["dense", 1.0].to_numpy().mean()) == pytest.approx(0.2)
