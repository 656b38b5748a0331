"""What every network and every simple rule scores on every recording."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mirtrim.corpora.reader import Making
from mirtrim.listening.about import base_of, read_description
from mirtrim.listening.decoding import hearing_of
from mirtrim.listening.listen import listen
from mirtrim.listening.recordings.folders import annotated_files
from mirtrim.listening.recordings.published import annotated_tracks
from mirtrim.listening.recordings.rules import RULES_OF_TASK, Scene, heard_by
from mirtrim.listening.recordings.scores import scores_of, within
from mirtrim.listening.recordings.truth import Annotated, ClassTruth, Truth
from mirtrim.listening.results import Heard
from mirtrim.listening.runtime import OnnxListener, open_listener
from mirtrim.listening.shelf import bundles_in
from mirtrim.runs.recording_rows import COLUMNS, NETWORK, RULE
from mirtrim.tasks.registry import get_task
from mirtrim.utils.errors import ConfigError, CorpusError, MirtrimError
from mirtrim.utils.files import sha256_of_file, sha256_of_value

DIGITS = 16


@dataclass(frozen=True)
class Estimator:
    """A network or a rule: how it analyses a file, and its entries in rows."""

    hear: Callable[[Path], Heard]
    said: Mapping[str, Any]


def networks_of(task: str, given: Sequence[Path]) -> list[Path]:
    """Bundles of a task, without endings; a folder stands for all its bundles.

    Raises:
        ConfigError: something given is neither a bundle nor a folder, or none is of the task.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            found += [base for base, about in bundles_in(path).items() if about.task == task]
        else:
            found += [base_of(path)] if read_description(path).about.task == task else []
    if not found:
        where = ", ".join(str(path) for path in given) or "no folder"
        raise ConfigError(f"{where} has no network of task {task}; run `snakemake models`")
    return found


def measure(
    block: Mapping[str, Any],
    networks: Sequence[Path],
    *,
    data_folder: Path,
    known: pd.DataFrame | None = None,
    code: str = "",
    making: Making | None = None,
    count: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Score networks and the task's simple rules on one set of recordings.

    Args:
        block: name, task, and folder (of plain files) or loader (of mirdata); `remove_shift`.
        networks: bundles or folders of them (`networks_of`).
        data_folder: where recordings that are fetched are kept.
        known: rows of an earlier measurement; those of the same digest are taken as they are.
        code: digest of the code that scores.
        count: called with (recordings done, recordings in total).

    Returns:
        Rows with `COLUMNS`, rules first, then networks by rising ratio.

    Raises:
        MirtrimError: names the recording, the annotation or the key that is wrong.
    """
    task = get_task(block["task"])
    kind = hearing_of(task).kind
    recordings = _annotated(block, kind, data_folder, making or Making())
    truths = {one.name: _truth(one) for one in recordings}
    bundles = [open_listener(path) for path in networks_of(task.name, networks)]
    bundles.sort(key=lambda bundle: (bundle.about.ratio, bundle.path.name))
    names = [bundle.path.name for bundle in bundles]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"two networks are called {twice}; rename the files of one")
    scene = _scene(task, bundles, list(truths.values()))
    _check_labels(recordings, truths, scene)
    estimators = [
        _estimator(partial(heard_by, rule, scene), rule.name, RULE, library=rule.library)
        for rule in RULES_OF_TASK.get(task.name, ())
    ] + [_network(bundle) for bundle in bundles]
    # The keys of a block that affect scores; the location of files does not.
    common = {"task": task.name, "remove_shift": bool(block.get("remove_shift")), "code": code}
    before = _by_digest(known)
    rows: list[dict[str, Any]] = []
    total, done = len(recordings) * len(estimators), 0
    contents = {one.name: _content(one, truths[one.name]) for one in recordings}
    for estimator in estimators:
        for one in recordings:
            said = {"set": block["name"], "task": task.name, "recording": one.name}
            said |= estimator.said
            digest = sha256_of_value([common, said, contents[one.name]])[:DIGITS]
            scores = before.get(digest)
            if scores is None:
                scores = _scored(one, truths[one.name], estimator, block)
            rows += [
                {**said, "measure": name, "value": value, "digest": digest}
                for name, value in scores.items()
            ]
            done += 1
            count(done, total)
    return pd.DataFrame(rows)[list(COLUMNS)].astype({"ratio": float, "rendered": float})


def _annotated(
    block: Mapping[str, Any], kind: str, data_folder: Path, making: Making
) -> list[Annotated]:
    if block.get("loader"):
        folder = data_folder / "recordings" / str(block["loader"])
        return annotated_tracks(block, block["task"], kind, folder, making)
    if not block.get("folder"):
        raise ConfigError(f"recordings {block['name']}: set `folder` or `loader`")
    return annotated_files(Path(block["folder"]).expanduser(), block["task"], kind)


def _truth(one: Annotated) -> Truth:
    try:
        return one.truth()
    except CorpusError:
        raise
    except MirtrimError as error:
        raise CorpusError(f"{one.audio}: {error}") from error


def _scene(task: Any, bundles: Sequence[OnnxListener], truths: Sequence[Truth]) -> Scene:
    classes = [name for b in bundles for name in b.about.features.get("classes", ())]
    return Scene(getattr(task, "detectors", ()), tuple(dict.fromkeys(classes)), truths)


def _check_labels(
    recordings: Sequence[Annotated], truths: Mapping[str, Truth], scene: Scene
) -> None:
    """Refuse a class that no network has: it is a mistake in the table."""
    known = {name.lower() for name in scene.classes}
    for one in recordings:
        truth = truths[one.name]
        if isinstance(truth, ClassTruth) and truth.label.lower() not in known:
            raise CorpusError(
                f"{one.audio}: no network has the class {truth.label!r}; they have "
                f"{', '.join(scene.classes)}; leave it out, or rename its class"
            )


def _estimator(hear: Callable[[Path], Heard], name: str, kind: str, **said: Any) -> Estimator:
    unknown = {"library": "-", "ratio": None, "weights": "-", "rendered": None}
    return Estimator(hear, {"estimator": name, "kind": kind, **unknown, **said})


def _network(bundle: OnnxListener) -> Estimator:
    return _estimator(
        lambda path: listen(path, bundle),
        bundle.path.name,
        NETWORK,
        ratio=round(bundle.about.ratio, 4),
        weights=bundle.description.weights_sha256[:DIGITS],
        rendered=round(1 - bundle.about.test_error, 6),
    )


def _content(one: Annotated, truth: Truth) -> str:
    """Digest of a recording and its annotation."""
    plain = [v.tolist() if hasattr(v, "tolist") else v for v in vars(truth).values()]
    return sha256_of_value([sha256_of_file(one.audio), repr(plain)])


def _scored(
    one: Annotated, truth: Truth, estimator: Estimator, block: Mapping[str, Any]
) -> dict[str, float]:
    heard = estimator.hear(one.audio)
    try:
        truth = within(truth, one.name, heard.duration_seconds)
        return scores_of(heard, truth, remove_shift=bool(block.get("remove_shift")))
    except CorpusError as error:
        raise CorpusError(f"{one.audio}: {error}") from error


def _by_digest(known: pd.DataFrame | None) -> dict[str, dict[str, float]]:
    if known is None or known.empty:
        return {}
    return {
        str(digest): dict(zip(part.measure, part.value.astype(float), strict=True))
        for digest, part in known.groupby("digest", sort=False)
    }
