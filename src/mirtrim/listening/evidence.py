"""Scores of networks on recordings, from the table `recordings.csv` next to them.

`snakemake recordings` writes it (`mirtrim.analysis.recordings.of_shelf`); cards show it, and
`mirtrim listen` uses it.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mirtrim.listening.about import Description
from mirtrim.listening.results import counted
from mirtrim.utils.errors import ArtefactError

TABLE = "recordings.csv"
DIGITS = 16  # of a digest of weights


@dataclass(frozen=True)
class Evidence:
    """One network on one set of recordings, compared with the best simple rule there.

    Attributes:
        set, task, measure: what was analysed and how it is scored.
        estimator, weights: name of the network and digest of its weights.
        recordings: how many.
        score, rule_score: means over them; `rendered` that on the network's own test split.
        rule, rule_library: "-" if there is none.
        rule_difference, rule_low, rule_high: score less rule_score, 95 %; NaN if unknown.
    """

    set: str
    task: str
    estimator: str
    weights: str
    measure: str
    recordings: int
    score: float
    rendered: float
    rule: str
    rule_library: str
    rule_score: float
    rule_difference: float
    rule_low: float
    rule_high: float

    @property
    def is_below(self) -> bool:
        """Whether the simple rule is better."""
        return self.score < self.rule_score

    @property
    def rule_name(self) -> str:
        """The rule, and the library that computes it."""
        return f"{self.rule} ({self.rule_library})" if self.rule_library != "-" else self.rule

    @property
    def sentence(self) -> str:
        """One line without a full stop."""
        where = f"on {counted(self.recordings, 'recording')} ({self.set})"
        return f"{where} it scores {self.score:.3f}, {self.rule_name} {self.rule_score:.3f}"


Key = tuple[str, str]
# Type of a field → how it is read from a cell.
READ: Mapping[Any, Callable[[str], Any]] = {
    str: str,
    int: int,
    float: lambda cell: float(cell or "nan"),
}


def read_evidence(folder: Path) -> dict[Key, list[Evidence]]:
    """(name, digest of weights) → what the network has scored; empty where nothing was measured.

    Raises:
        ArtefactError: the table is damaged.
    """
    path = folder / TABLE
    if not path.is_file():
        return {}
    found: dict[Key, list[Evidence]] = {}
    try:
        with open(path, encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                one = Evidence(**{of.name: READ[of.type](row[of.name]) for of in fields(Evidence)})
                found.setdefault((one.estimator, one.weights), []).append(one)
    except (KeyError, ValueError, TypeError, csv.Error) as error:
        raise ArtefactError(
            f"{path} does not hold scores on recordings ({type(error).__name__}: {error}); run "
            "`snakemake recordings` again, or delete it"
        ) from error
    return found


def evidence_of(
    evidence: Mapping[Key, Sequence[Evidence]], name: str, description: Description
) -> Sequence[Evidence]:
    """Scores of exactly these weights."""
    return evidence.get((name, description.weights_sha256[:DIGITS]), ())


def withheld(of_network: Iterable[Evidence]) -> Evidence | None:
    """Why a network is not offered: a simple rule is better on every set of recordings that it was
    measured on. None if it is offered; what was never measured is."""
    known = list(of_network)
    if known and all(one.is_below for one in known):
        return min(known, key=lambda one: one.score - one.rule_score)
    return None
