"""A bundle: a trained network with everything that is needed to use it.

Three files with one name: `.safetensors` and `.json` (weights and widths, as
`mirtrim.units.storage` has them) and `.model.json`, which says what the network is and is
written last.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mirtrim.listening.bundle_schema import problem_of
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.task import Task
from mirtrim.units import storage
from mirtrim.utils.errors import ArtefactError, ConfigError
from mirtrim.utils.files import read_json, sha256_of_file, write_json

FORMAT = "mirtrim model"
VERSION = 2
ENDING = ".model.json"
REMEDY = "collect or download it again"


@dataclass(frozen=True)
class About:
    """What a bundle says of its network.

    Attributes:
        task: name of the task.
        features, network: the parameters that the task makes features and the network from.
        statistics: numbers measured on the training split, `FeatureStore.statistics`.
        decoding: numbers chosen on validation, `decoding_names`.
        corpus, profile: what it was trained on, at which widths and budgets.
        licence: of the weights.
        pruning: how it was made, the columns `RUN_KEYS` of its row.
        seed: of its training.
        target_ratio, ratio: compression ratio asked for and reached.
        parameters, nonzeros: entries of all parameters, and those that are not zero.
        macs: multiply-accumulates for one example.
        validation_error, test_error: 1 − main score.
        scores: every score on the test split.
        versions: libraries that trained it.
    """

    task: str
    features: Mapping[str, Any]
    network: Mapping[str, Any]
    statistics: Mapping[str, list[float]]
    decoding: Mapping[str, float]
    corpus: str
    profile: str
    licence: str
    pruning: Mapping[str, str]
    seed: int
    target_ratio: float
    ratio: float
    parameters: int
    nonzeros: int
    macs: int
    validation_error: float
    test_error: float
    scores: Mapping[str, float]
    versions: str


@dataclass(frozen=True)
class Bundle:
    """A network in evaluation mode, its task, and what is known of it.

    `path` is that of its files, without their endings.
    """

    path: Path
    about: About
    task: Task
    network: nn.Module


def write_bundle(folder: Path, name: str, network: nn.Module, about: About) -> Path:
    """Write the three files of a bundle; returns their path without endings.

    Raises:
        ArtefactError: `about` is not what a bundle may say, or is of another network.
    """
    base = folder / name
    task = _task_of(asdict(about), base)
    _check_network(network, about, task, base)
    storage.save(network, base)
    digest = sha256_of_file(_beside(base, ".safetensors"))
    write_json(
        _beside(base, ENDING),
        {"format": FORMAT, "version": VERSION, "weights_sha256": digest, **asdict(about)},
    )
    return base


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle by the path of any of its files, or without an ending.

    Raises:
        ArtefactError: a file is missing, damaged, of another version or of another bundle.
    """
    base = base_of(path)
    about, digest = _read(base)
    task = _task_of(asdict(about), base)
    weights = _beside(base, ".safetensors")
    if not weights.is_file():
        raise ArtefactError(f"{weights} is missing; {REMEDY}")
    if sha256_of_file(weights) != digest:
        raise ArtefactError(f"{weights} is not what {base.name}{ENDING} describes; {REMEDY}")
    try:
        network = storage.load(base, lambda: task.network(about.features, about.network))
    except ConfigError as error:
        raise ArtefactError(f"{base}{ENDING}: {error}; {REMEDY}") from error
    _check_network(network, about, task, base)
    return Bundle(base, about, task, network.eval())


def read_about(path: str | Path) -> About:
    """What a bundle says of its network, checked, without reading the network."""
    base = base_of(path)
    about, _ = _read(base)
    _task_of(asdict(about), base)
    return about


def base_of(path: str | Path) -> Path:
    """The path of a bundle without the ending of one of its files."""
    path = Path(path)
    for ending in (ENDING, ".json", ".safetensors"):
        if path.name.endswith(ending):
            return path.with_name(path.name.removesuffix(ending))
    return path


def _beside(base: Path, ending: str) -> Path:
    """File of a bundle; a name may have dots in it."""
    return base.with_name(base.name + ending)


def _read(base: Path) -> tuple[About, str]:
    path = _beside(base, ENDING)
    if not path.is_file():
        raise ArtefactError(f"{path} is missing; {REMEDY}")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ArtefactError(f"{path} does not describe a trained network; choose another file")
    if content.get("version") != VERSION:
        raise ArtefactError(
            f"{path} has version {content.get('version')!r}, this reads {VERSION}; {REMEDY}"
        )
    digest = content.get("weights_sha256")
    said = {k: v for k, v in content.items() if k not in ("format", "version", "weights_sha256")}
    problem = problem_of(said)
    if problem or not isinstance(digest, str):
        raise ArtefactError(f"{path}: {problem or 'weights_sha256 is missing'}; {REMEDY}")
    return About(**said), digest


def _task_of(said: Mapping[str, Any], base: Path) -> Task:
    """The task, once everything that is said of the network is what may be said."""
    problem = problem_of(said)
    if problem:
        raise ArtefactError(f"{base}{ENDING}: {problem}; {REMEDY}")
    return get_task(said["task"])


def _check_network(network: nn.Module, about: About, task: Task, base: Path) -> None:
    """The network has the size that is said, and takes the features that are said."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    if parameters != about.parameters:
        raise ArtefactError(
            f"{base}: has {parameters} parameters, said are {about.parameters}; {REMEDY}"
        )
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(task.example_input(about.features))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ArtefactError(f"{base}: does not fit its features ({reason}); {REMEDY}") from error
    finally:
        network.train(was_training)
