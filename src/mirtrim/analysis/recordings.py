"""Scores of networks on recordings, compared with simple rules and with the dense network.

All estimators process the same recordings, so they are compared recording by recording. Intervals
are over recordings, or over clusters of them if a set defines clusters, such as instruments
(Student's t of the differences): a network is the one that is listened with, not a draw of seeds.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mirtrim.analysis.markup import View, markdown_table, number
from mirtrim.analysis.spread import by_cluster
from mirtrim.analysis.statistics import t_test
from mirtrim.runs.recording_rows import NETWORK, RULE
from mirtrim.runs.tables_on_disk import check_columns, read_tables, write_csv
from mirtrim.tasks.registry import get_task
from mirtrim.utils.errors import ConfigError
from mirtrim.utils.files import write_text

ANSWERED = 0.8  # of recordings, if the least sure fifth may stay without an answer
DENSE_RATIO = 1.0


def summarised(rows: pd.DataFrame, clusters: Mapping[str, str] | None = None) -> pd.DataFrame:
    """A line per set and estimator.

    Args:
        rows: as `runs.recording_rows` has them.
        clusters: set → regular expression; recordings in whose names it matches the same text are
            resampled and tested as a whole. Recordings of other sets are independent.

    Returns:
        Columns set, task, estimator, kind, library, ratio, weights, rendered, measure (the main
        score of the task), recordings, clusters, score (its mean), dense_difference with dense_low
        and dense_high (less the dense network of the set, 95 %), rule, rule_library, rule_score (of
        the best simple rule), rule_difference, rule_low, rule_high. Differences are NaN where there
        is nothing to subtract, intervals also where there is but one recording or cluster.

    Raises:
        ConfigError: the expression of a set does not match in the name of a recording.
    """
    lines = []
    for name, part in rows.groupby("set", sort=False):
        task = str(part.task.iloc[0])
        measure = get_task(task).main_score
        main = part[part.measure == measure]
        scores = {
            str(estimator): of.set_index("recording").value.sort_index()
            for estimator, of in main.groupby("estimator", sort=False)
        }
        known = main.drop_duplicates("estimator").set_index("estimator")
        rules = [e for e in scores if known.kind[e] == RULE]
        best = max(rules, key=lambda e: float(scores[e].mean()), default=None)
        dense = [e for e in scores if known.kind[e] == NETWORK and known.ratio[e] == DENSE_RATIO]
        names = sorted(set(main.recording))
        groups = clusters_of(str(name), names, (clusters or {}).get(str(name)))
        for estimator, values in scores.items():
            said = known.loc[estimator]
            line = {
                "set": name, "task": task, "estimator": estimator, "kind": said.kind,
                "library": said.library, "ratio": said.ratio, "weights": said.weights,
                "rendered": said.rendered, "measure": measure, "recordings": len(values),
                "clusters": groups[values.index].nunique(),
                "score": float(values.mean()), "rule": best or "-",
                "rule_library": known.library[best] if best else "-",
                "rule_score": float(scores[best].mean()) if best else np.nan,
            }  # fmt: skip
            network = said.kind == NETWORK
            against_dense = dense[0] if network and dense and estimator != dense[0] else None
            line |= _difference("dense", values, scores.get(str(against_dense)), groups)
            line |= _difference("rule", values, scores.get(str(best)) if network else None, groups)
            lines.append(line)
    return pd.DataFrame(lines)


def clusters_of(name: str, recordings: Sequence[str], pattern: str | None) -> pd.Series:
    """The cluster of each recording of a set: what `pattern` matches in its name, or the name.

    Args:
        name: of the set, for errors.
        pattern: a regular expression; its first group counts if it has one. None matches all.

    Raises:
        ConfigError: it is no expression, or does not match in a name.
    """
    try:
        expression = re.compile(pattern or ".*")
    except re.error as error:
        raise ConfigError(
            f"recordings: set {name}: cluster: {pattern} is no regular expression ({error})"
        ) from error
    found = {}
    for recording in recordings:
        match = expression.search(recording)
        if match is None:
            raise ConfigError(
                f"recordings: set {name}: cluster: {pattern} does not match in {recording}; give "
                "an expression that matches in the name of every recording"
            )
        found[recording] = match[1] if expression.groups else match[0]
    return pd.Series(found, dtype=object)


def _difference(
    name: str, first: pd.Series, second: pd.Series | None, clusters: pd.Series
) -> dict[str, float]:
    keys = (f"{name}_difference", f"{name}_low", f"{name}_high")
    if second is None:
        return dict.fromkeys(keys, np.nan)
    difference = (first - second).astype(float)
    values = by_cluster(difference.to_numpy()[None], clusters[difference.index].to_numpy(str))[0]
    mean, low, high, _ = t_test(values)
    if len(values) > 1 and np.isnan(low):  # the same on every recording
        low = high = mean
    return dict(zip(keys, (mean, low, high), strict=True))


def of_shelf(summary: pd.DataFrame) -> pd.DataFrame:
    """The table stored next to the networks, for cards and `mirtrim listen`: only networks."""
    columns = (
        "set", "task", "estimator", "weights", "measure", "recordings", "score", "rendered",
        "rule", "rule_library", "rule_score", "rule_difference", "rule_low", "rule_high",
    )  # fmt: skip
    return summary[summary.kind == NETWORK][list(columns)]


def order_survives(summary: pd.DataFrame) -> Iterator[str]:
    """Sentences: whether dense, then the lightly and the strongly trimmed are best on recordings.

    A step of the order is decided where the interval of a difference from the dense network leaves
    out 0.
    """
    for name, part in summary[summary.kind == NETWORK].groupby("set", sort=False):
        networks = part.sort_values("ratio", kind="stable")
        if len(networks) < 2:
            continue
        recorded, rendered = (networks[c].to_numpy(dtype=float) for c in ("score", "rendered"))
        pairs = [(a, b) for a in range(len(networks)) for b in range(a + 1, len(networks))]
        same = sum((recorded[a] - recorded[b]) * (rendered[a] - rendered[b]) > 0 for a, b in pairs)
        trimmed = networks[networks.ratio > DENSE_RATIO]
        worse = int((trimmed.dense_high < 0).sum())
        better = int((trimmed.dense_low > 0).sum())
        falls = "falls" if (np.diff(recorded) <= 0).all() else "does not fall"
        if trimmed.dense_difference.isna().all():
            beside = "there is no dense network to compare with"
        elif trimmed.dense_low.isna().all():
            beside = f"{_drawn(networks.iloc[0])}: too little for an interval"
        else:
            beside = (
                f"of {len(trimmed)} trimmed networks, {worse} are worse and {better} better than "
                "the dense one beyond the interval"
            )
        yield (
            f"{name} ({networks.task.iloc[0]}, {_drawn(networks.iloc[0])}): the "
            f"score {falls} from ratio to ratio; {same} of {len(pairs)} pairs of networks stand "
            f"in the order of rendered pieces; {beside}."
        )


def _drawn(line: pd.Series) -> str:
    """How many recordings, and clusters of them: "118 recordings in 8 clusters"."""
    several = f"{line.recordings} recording{'' if line.recordings == 1 else 's'}"
    if line.clusters == line.recordings:
        return several
    return f"{several} in {line.clusters} cluster{'' if line.clusters == 1 else 's'}"


def write_recordings(
    rows: pd.DataFrame,
    csv_path: Path,
    markdown: Path,
    shelf: Path,
    clusters: Mapping[str, str] | None = None,
) -> None:
    """Write the summary (`summarised`) as CSV and Markdown, and the table next to the networks."""
    summary = summarised(rows, clusters)
    write_csv(csv_path, summary)
    write_csv(shelf, of_shelf(summary))
    lines = ["# On recordings", ""]
    for name, part in summary.groupby("set", sort=False):
        first = part.iloc[0]
        lines += [
            f"## {name}: {first.task}, {_drawn(first)}",
            "",
            *VIEW.markdown(part),
            "",
            *_answered(rows[rows.set == name]),
            *_parts(rows[rows.set == name], str(first.measure)),
        ]
    lines += ["## Does the order survive on recordings?", ""]
    lines += [f"* {sentence}" for sentence in order_survives(summary)]
    lines += ["", VIEW.note]
    write_text(markdown, "\n".join(lines) + "\n")


def read_summary(path: Path) -> pd.DataFrame:
    """Read the CSV of `write_recordings`; a damaged file is an `ArtefactError`."""
    texts = ("set", "task", "estimator", "kind", "library", "weights", "measure", "rule")
    return read_tables([path], texts, _check_summary, "a summary of scores on recordings")


def _check_summary(table: pd.DataFrame) -> None:
    numbers = ("ratio", "rendered", "score", "recordings", "clusters", "dense_low", "dense_high")
    check_columns(table, ("set", "task", "kind", *numbers))
    table[list(numbers)].astype(float)


VIEW = View(
    {
        "estimator": lambda row: (
            f"{row.estimator} ({row.library})" if row.library != "-" else str(row.estimator)
        ),
        "ratio": lambda row: number(row.ratio, ".1f", ""),
        "rendered": lambda row: number(row.rendered, ".3f", ""),
        "recorded": "{score:.3f}",
        "minus dense": lambda row: _interval(row, "dense"),
        "minus best rule": lambda row: _interval(row, "rule"),
    },
    "Means over recordings; intervals hold 95 % (Student's t over the differences, recording "
    "by recording, or over clusters where a set has some) and are of this one network of each "
    "ratio. Rendered: the same score on the "
    "test split of the corpus that the network was trained on.",
)


def _answered(rows: pd.DataFrame) -> Iterator[str]:
    """Accuracy of a classifier's surer answers."""
    if "confidence" not in set(rows.measure):
        return
    wide = rows.pivot(index=["estimator", "recording"], columns="measure", values="value")
    networks = dict.fromkeys(rows[rows.kind == NETWORK].estimator)
    for estimator in networks:
        of = wide.loc[estimator].sort_values("confidence", ascending=False, kind="stable")
        kept = of.iloc[: max(1, round(ANSWERED * len(of)))]
        sure = of[of.sure > 0]
        alone = f"{sure.accuracy.mean():.3f}" if len(sure) else "none"
        yield (
            f"* {estimator}: {kept.accuracy.mean():.3f} of the surest {ANSWERED:.0%}; of the "
            f"{len(sure)} that it calls sure itself, {alone}."
        )
    yield ""


def _parts(rows: pd.DataFrame, measure: str) -> Iterator[str]:
    """Means of what the main score is made of: drums, registers."""
    names = [m for m in dict.fromkeys(rows.measure) if m.startswith(f"{measure}_")]
    if not names:
        return
    means = rows.groupby(["estimator", "measure"], sort=False).value.agg(["mean", "size"])
    sizes = {name: int(means["size"].xs(name, level=1).max()) for name in names}
    head = ("estimator", *(f"{n.removeprefix(measure + '_')} ({sizes[n]})" for n in names))
    cells = (
        (estimator, *(f"{means['mean'].get((estimator, name), np.nan):.3f}" for name in names))
        for estimator in dict.fromkeys(rows.estimator)
    )
    yield from (*markdown_table(head, cells), "")


def _interval(row: pd.Series, of: str) -> str:
    value, low, high = (row[f"{of}_{name}"] for name in ("difference", "low", "high"))
    if np.isnan(value):
        return ""
    return f"{value:+.3f}" + ("" if np.isnan(low) else f" [{low:+.3f}, {high:+.3f}]")
