"""Checks of what is documented: columns, scores, settings, tests, sources."""

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

import pandas as pd

from mirtrim.analysis.checks.outcomes import Material, Outcome, check, outcome
from mirtrim.runs.rows import PIECE_KEYS


@check
def filled(material: Material, *, columns: list[str], positive: bool = False) -> Outcome:
    """Every row has a value in all `columns`, and (if so asked) one above 0."""
    wrong = []
    for column in columns:
        values = material.rows[column]
        if pd.api.types.is_numeric_dtype(values):
            bad = ~values.map(isfinite) | (positive & (values <= 0))
        else:
            bad = values.isna() | (values.astype(str).str.strip() == "")
        if bad.any():
            wrong.append(f"{column} is empty in {int(bad.sum())} rows")
    return outcome(wrong, f"{', '.join(columns)} in all {len(material.rows)} rows")


@check
def several_scores(material: Material, *, at_least: int, except_names: list[str]) -> Outcome:
    """Every task is told in so many scores; decoding settings do not count."""
    wrong: list[str] = []
    right: list[str] = []
    for task, part in material.rows.groupby("task"):
        names = set.intersection(*(set(json.loads(text)) for text in part.scores))
        names = {n for n in names if not n.startswith(tuple(except_names))}
        (right if len(names) >= at_least else wrong).append(f"{task}: {len(names)} scores")
    return outcome(wrong, "; ".join(right))


@check
def one_software(material: Material) -> Outcome:
    """One set of versions for all rows, and one state of the data per task and run's seed."""
    versions = sorted(set(material.rows.versions))
    wrong = [f"{len(versions)} sets of versions"] if len(versions) > 1 else []
    data = material.rows.groupby("task").data_digest.nunique()
    wrong += [f"{task}: {n} states of the data" for task, n in data[data > 1].items()]
    return outcome(
        wrong or ["no rows"] * (not versions),
        f"{''.join(versions)}; one state of the data per task",
    )


@check
def configured(material: Material, *, keys: list[str]) -> Outcome:
    """Every task's configuration has these keys (dots go down), and none is empty."""
    wrong = []
    for task, block in material.config["tasks"].items():
        for key in keys:
            value: Any = block
            for part in key.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
            if value is None or value in ("", {}, []):
                wrong.append(f"tasks.{task}.{key} is not set")
    return outcome(wrong, f"{', '.join(keys)} of every task")


@check
def pieces_scored(material: Material) -> Outcome:
    """Every network of the rows has scores of single pieces."""
    keys = [key for key in PIECE_KEYS if key != "track_id"]
    scored = material.pieces.groupby(keys).size().index
    of_rows = pd.MultiIndex.from_frame(material.rows[keys])
    lacking = int((~of_rows.isin(scored)).sum())
    return lacking == 0, (
        f"{lacking} networks have none" if lacking else f"{len(material.pieces):,} scores of pieces"
    )


@check
def verdicts_tested(material: Material) -> Outcome:
    """Every verdict that rests on more than counts has a corrected p from two seeds or more."""
    if material.verdicts is None:
        return None, "no table of verdicts was given"
    table = material.verdicts
    tested = table[(table.task != "overall") & (table.verdict != "not run") & ~table.counted]
    wrong = tested[tested.p_corrected.isna() | (tested.seeds < 2)]
    texts = [f"{row.hypothesis} on {row.task} has no test" for row in wrong.itertuples()]
    return outcome(
        texts, f"{len(tested)} tests, paired over seeds and clusters of pieces, corrected"
    )


@check
def source_linked(material: Material) -> Outcome:
    """The citation file says where the source is."""
    if material.citation is None:
        return None, "no citation file was given"
    link = material.citation.get("repository-code") or material.citation.get("url")
    return bool(link), str(
        link
        or "the citation file has no repository-code; whoever publishes the source writes its "
        "address into the line that CITATION.cff keeps for it"
    )


@check
def judged(material: Material, *, where: str) -> Outcome:
    """What no computation can check."""
    return None, f"a person judges this: {where}"
