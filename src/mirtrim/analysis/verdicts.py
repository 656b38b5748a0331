"""Verdicts: every hypothesis on every task, corrected for multiple testing, and overall."""

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mirtrim.analysis.conditions import Conditions, in_one_line
from mirtrim.analysis.hypotheses import COMPUTATIONS, Finding
from mirtrim.analysis.hypotheses.loading import Hypothesis, load_hypotheses
from mirtrim.analysis.spread import LEVEL, seeds_to_decide
from mirtrim.analysis.statistics import holm
from mirtrim.analysis.task_evidence import NotRun, TaskEvidence, gather, largest_gap
from mirtrim.analysis.verdict_tables import write_verdict_tables
from mirtrim.runs.labels import in_words, labels_in

OVERALL = "overall"
SUPPORTED, REFUTED, UNDECIDED = "supported", "refuted", "undecided"
MIXED, NOT_RUN = "mixed", "not run"
# The setting of a hypothesis that names the study of widths and lengths which it is about.
STUDY = "study"
# What a line of the table takes over from a finding.
OF_FINDING = (
    "compared", "measure", "effect", "low", "high", "counted", "p_value", "p_signs", "seeds",
    "pieces", "clusters", "note",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """One line of the table of verdicts; `overall` lines have no effect of their own.

    Attributes:
        hypothesis, sentence, family: what is claimed, and what it is corrected with.
        task: or "overall".
        verdict: supported, refuted, undecided, not run, and overall also mixed.
        compared, ratios, measure, effect, low, high, counted, p_value, p_signs, seeds, pieces,
            clusters, note: as in `Finding`.
        cluster_kind: what the pieces belong to; "piece" where every piece stands alone.
        p_corrected: after Holm, over all tests of the family.
        seeds_needed: seeds that would decide with a power of 80 %; empty if it is decided, if
            nothing was tested, or if 100 would not be enough.
        seeds_do_not_help: it is undecided, and 100 seeds would not be enough.
        twin: the hypothesis that claims the same of rewound weights.
        conditions: what the networks are, how they were trained, and on what; empty if it was not
            given, and where the claim is about several widths or lengths, which `note` names.
    """

    hypothesis: str
    sentence: str
    family: str
    task: str
    verdict: str
    compared: str = ""
    ratios: str = ""
    measure: str = ""
    effect: float = nan
    low: float = nan
    high: float = nan
    counted: bool = False
    p_value: float = nan
    p_corrected: float = nan
    p_signs: float = nan
    seeds: int = 0
    pieces: int = 0
    clusters: int = 0
    cluster_kind: str = ""
    seeds_needed: int | None = None
    seeds_do_not_help: bool = False
    note: str = ""
    twin: str = ""
    conditions: str = ""


def verdicts(
    evidence: Sequence[TaskEvidence],
    hypotheses: Sequence[Hypothesis],
    rng_seed: int,
    conditions: Mapping[str, Conditions] | None = None,
) -> list[Verdict]:
    """Compute every hypothesis on every task.

    If the corrected p-value of a tested hypothesis is below 5 %, the side of the effect decides
    between supported and refuted; otherwise it is undecided. A counted hypothesis is always
    decided. The overall verdict is symmetric: supported if so on at least one task and refuted on
    none, refuted if so on at least one and supported on none, mixed if both occur, undecided if no
    task decides. It comes with the number of tasks.

    Args:
        evidence: of each task. If only other widths or lengths of a task were trained, it has no
            rows and is used for the claims of such studies.
        conditions: task → what was run there.
    """
    known = conditions or {}
    found = [
        (hypothesis, part.task, _find(hypothesis, part, rng_seed))
        for hypothesis in hypotheses
        for part in evidence
        if not hypothesis.tasks or part.task in hypothesis.tasks
        if not part.rows.empty or STUDY in hypothesis.settings
    ]
    corrected: list[float] = [nan] * len(found)
    for family in dict.fromkeys(hypothesis.family for hypothesis in hypotheses):
        places = [n for n, (hypothesis, _, _) in enumerate(found) if hypothesis.family == family]
        tests = [f.p_value if isinstance(f := found[n][2], Finding) else nan for n in places]
        for place, p_value in zip(places, holm(tests), strict=True):
            corrected[place] = p_value
    tested = Counter(
        h.family for h, _, f in found if isinstance(f, Finding) and not isnan(f.p_value)
    )
    kinds = {part.task: part.cluster_kind for part in evidence}
    lines = [
        replace(
            _line(hypothesis, task, finding, p_corrected, max(tested[hypothesis.family], 1)),
            cluster_kind=kinds[task],
            twin=hypothesis.twin,
            conditions="" if STUDY in hypothesis.settings else str(known.get(task, "")),
        )
        for (hypothesis, task, finding), p_corrected in zip(found, corrected, strict=True)
    ]
    told = [known[part.task] for part in evidence if part.task in known and not part.rows.empty]
    ordered: list[Verdict] = []
    for hypothesis in hypotheses:
        of_this = [line for line in lines if line.hypothesis == hypothesis.id]
        overall = _overall(hypothesis, of_this)
        ordered += [*of_this, replace(overall, conditions=in_one_line(told) if told else "")]
    return ordered


def _find(hypothesis: Hypothesis, evidence: TaskEvidence, rng_seed: int) -> Finding | str:
    """A finding, or the name of the run that is missing."""
    # A separate generator, so that other hypotheses and tasks do not change its draws.
    stream = zlib.crc32(f"{hypothesis.id} {evidence.task}".encode())
    generator = np.random.default_rng([rng_seed, stream])
    labels = labels_in(hypothesis.settings)
    try:
        finding = COMPUTATIONS[hypothesis.computation](evidence, generator, **hypothesis.settings)
    except NotRun as missing:
        return in_words(str(missing), labels)
    return replace(
        finding,
        compared=in_words(finding.compared, labels),
        measure=in_words(finding.measure, labels),
        note=in_words(finding.note, labels),
    )


def _line(
    hypothesis: Hypothesis, task: str, finding: Finding | str, p_corrected: float, tests: int
) -> Verdict:
    blank = Verdict(hypothesis.id, hypothesis.sentence, hypothesis.family, task, NOT_RUN)
    if isinstance(finding, str):
        return replace(blank, note=f"missing: {finding}")
    decided = finding.counted or p_corrected < LEVEL
    needed, asked = None, not decided and finding.spread is not None
    if asked and finding.spread is not None:
        # Holm is strictest for the smallest p; the others may need fewer seeds.
        needed = seeds_to_decide(finding.distance, finding.spread, LEVEL / tests)
    verdict = (SUPPORTED if finding.favourable else REFUTED) if decided else UNDECIDED
    return replace(
        blank,
        verdict=verdict,
        ratios=", ".join(f"{ratio:g}" for ratio in finding.ratios),
        p_corrected=p_corrected,
        seeds_needed=needed,
        seeds_do_not_help=asked and needed is None,
        **{name: getattr(finding, name) for name in OF_FINDING},
    )


def _overall(hypothesis: Hypothesis, lines: Sequence[Verdict]) -> Verdict:
    run = [line for line in lines if line.verdict != NOT_RUN]
    kinds = {line.verdict for line in run}
    if not run:
        verdict = NOT_RUN
    elif {SUPPORTED, REFUTED} <= kinds:
        verdict = MIXED
    else:
        verdict = next((kind for kind in (SUPPORTED, REFUTED) if kind in kinds), UNDECIDED)
    counts = Counter(line.verdict for line in lines)
    tasks = [
        f"{kind} on {', '.join(line.task for line in lines if line.verdict == kind)}"
        for kind in (SUPPORTED, REFUTED, UNDECIDED, NOT_RUN)
        if counts[kind]
    ]
    needed = [line.seeds_needed for line in run if line.verdict == UNDECIDED]
    known = [number for number in needed if number is not None]
    missing = list(dict.fromkeys(line.note for line in lines if line.verdict == NOT_RUN))
    return Verdict(
        hypothesis.id,
        hypothesis.sentence,
        hypothesis.family,
        OVERALL,
        verdict,
        seeds=min((line.seeds for line in run), default=0),
        seeds_needed=max(known) if known and len(known) == len(needed) else None,
        note="; ".join([*tasks, *missing]),
        twin=hypothesis.twin,
    )


def write_verdicts(
    rows: pd.DataFrame,
    pieces: pd.DataFrame,
    hypotheses_path: Path,
    csv: Path,
    markdown: Path,
    latex: Path,
    rng_seed: int,
    costs: pd.DataFrame | None = None,
    latency: pd.DataFrame | None = None,
    corpora: Mapping[str, Mapping[str, Any]] | None = None,
    conditions: Mapping[str, Conditions] | None = None,
    variants: pd.DataFrame | None = None,
    barriers: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compute all verdicts and write them as CSV, Markdown and LaTeX; returns the table.

    Args:
        rows, pieces: of all tasks and runs.
        hypotheses_path: `config/hypotheses.yaml`.
        rng_seed: of the bootstraps and permutations.
        costs, latency: further measurements, see `task_evidence.gather`. Hypotheses name their
            columns, for instance latency_ms.
        corpora: settings of the corpora, see `task_evidence.gather`.
        conditions: task → what was run there.
        variants: rows of studies that vary the tasks, see `free_ratios.read_variants`.
        barriers: see `task_evidence.TaskEvidence`.
    """
    hypotheses = load_hypotheses(hypotheses_path)
    measures = [table for table in (costs, latency) if table is not None]
    gathered = gather(rows, pieces, measures, corpora)
    whole = {part.task for part in gathered}
    varied = [] if variants is None else sorted(set(variants.task) - whole)
    evidence = [
        replace(part, variants=variants, barriers=barriers)
        for part in (*gathered, *(TaskEvidence(task, rows.iloc[:0], {}) for task in varied))
    ]
    table = pd.DataFrame(
        [vars(verdict) for verdict in verdicts(evidence, hypotheses, rng_seed, conditions)],
        columns=list(Verdict.__dataclass_fields__),
    )
    table["seeds_needed"] = table.seeds_needed.astype("Int64")
    gaps = {part.task: largest_gap(part) for part in gathered}
    write_verdict_tables(table, gaps, csv, markdown, latex)
    return table
