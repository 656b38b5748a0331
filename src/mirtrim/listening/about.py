"""The description of a bundled network, read without torch.

The files of a bundle share a base name: `.safetensors` and `.json` (weights and widths, as in
`mirtrim.units.storage`), `.onnx` and optionally `.int8.onnx` (used for listening), and
`.model.json`, which describes them all and is written last.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, get_origin

import numpy as np

from mirtrim.listening.needs import is_number, problem_of_hearing
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import read_json, sha256_of_file

FORMAT = "mirtrim model"
VERSION = 3
ENDING = ".model.json"
REMEDY = "collect or download it again"
FP32, INT8 = "fp32", "int8"
ONNX_ENDINGS: Mapping[str, str] = {FP32: ".onnx", INT8: ".int8.onnx"}
ENDINGS = (ENDING, ".json", ".safetensors", ".int8.onnx", ".onnx", ".md")


@dataclass(frozen=True)
class About:
    """Metadata of a bundled network.

    Attributes:
        task: name of the task.
        features, network: the parameters that the task makes features and the network from.
        statistics: numbers measured on the training split, `FeatureStore.statistics`.
        decoding: numbers chosen on validation, `decoding_names`.
        corpus, profile: what it was trained on, at which widths and budgets.
        licence: of the weights.
        pruning: how it was made, the columns `RUN_KEYS` of its row.
        seed: of its training.
        target_ratio, ratio: target compression ratio, and the ratio reached.
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
class Manner:
    """How outputs of a network become a result, as its task defined it when it was packed.

    Attributes:
        kind: one of `FORMATS`.
        formats: what can be written, the usual one first.
        detectors: of events, in the order of the outputs.
        says: the end of the sentence "from audio it …".
        limits: what users must not expect, a sentence each.
    """

    kind: str
    formats: tuple[str, ...]
    detectors: tuple[str, ...]
    says: str
    limits: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """Everything in a `.model.json`.

    Attributes:
        weights_sha256: digest of the `.safetensors`.
        manner: None if its task cannot be listened with.
        files: number format (`FP32`, `INT8`) → sha256 and bytes of the ONNX file; int8 also
            test_error; milliseconds for one example and machine where it was timed.
    """

    about: About
    weights_sha256: str
    manner: Manner | None
    files: Mapping[str, Mapping[str, Any]]


class Network(Protocol):
    """What listens: a network in torch or in ONNX Runtime."""

    @property
    def path(self) -> Path:
        """Of its files, without their endings."""

    @property
    def about(self) -> About:
        """What is known of the network."""

    @property
    def manner(self) -> Manner:
        """How it is listened with."""

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """(batch, …) → (batch, …)."""


def base_of(path: str | Path) -> Path:
    """The path of a bundle without the ending of one of its files."""
    path = Path(path)
    for ending in ENDINGS:
        if path.name.endswith(ending):
            return path.with_name(path.name.removesuffix(ending))
    return path


def beside(base: Path, ending: str) -> Path:
    """File of a bundle; a name may have dots in it."""
    return base.with_name(base.name + ending)


def described_file(base: Path, ending: str, digest: str) -> Path:
    """File of a bundle whose sha256 its description gives.

    Raises:
        ArtefactError: it is missing or another one.
    """
    file = beside(base, ending)
    if not file.is_file():
        raise ArtefactError(f"{file} is missing; {REMEDY}")
    if sha256_of_file(file) != digest:
        raise ArtefactError(f"{file} is not what {base.name}{ENDING} describes; {REMEDY}")
    return file


def read_content(path: str | Path) -> dict[str, Any]:
    """The content of a description of this version.

    Raises:
        ArtefactError: it is missing, damaged, of another version or of something else.
    """
    path = beside(base_of(path), ENDING)
    if not path.is_file():
        raise ArtefactError(f"{path} is missing; {REMEDY}")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ArtefactError(f"{path} does not describe a trained network; choose another file")
    if content.get("version") != VERSION:
        raise ArtefactError(
            f"{path} has version {content.get('version')!r}, this reads {VERSION}; {REMEDY}"
        )
    return content


def read_description(path: str | Path) -> Description:
    """Read and check a description.

    Only what listening needs is checked; `mirtrim.listening.bundle` checks the rest.

    Raises:
        ArtefactError: it is missing, damaged, of another version or inconsistent.
    """
    path, content = beside(base_of(path), ENDING), read_content(path)
    about = about_part(content)
    problem = next(chain(_problems(about), _problems_of_files(content)), None)
    manner = content.get("manner")
    if problem is None and manner is not None:
        problem = problem_of_hearing(content)
    if problem:
        raise ArtefactError(f"{path}: {problem}; {REMEDY}")
    if manner is not None:
        lists = {key: tuple(manner[key]) for key in LISTS}
        manner = Manner(kind=manner["kind"], says=manner["says"], **lists)
    return Description(About(**about), content["weights_sha256"], manner, content["files"])


def about_part(content: Mapping[str, Any]) -> dict[str, Any]:
    """What of a description belongs to `About`."""
    return {key: value for key, value in content.items() if key not in OWN_KEYS}


OWN_KEYS = ("format", "version", "weights_sha256", "manner", "files")
# Type of a field → its types in JSON, and their name.
KINDS: Mapping[Any, tuple[Any, str]] = {
    Mapping: (dict, "an object"),
    str: (str, "text"),
    int: (int, "an integer"),
    float: ((int, float), "a number"),
}
LISTS = ("formats", "detectors", "limits")  # fields of a `Manner`


def _problems(content: Mapping[str, Any]) -> Iterator[str]:
    """Problems of the fields of an `About`; does not check whether they suit the task."""
    for field in fields(About):
        name, (kinds, noun) = field.name, KINDS[get_origin(field.type) or field.type]
        if name not in content:
            yield f"{name!r} is a required property"
        value = content[name]
        if not isinstance(value, kinds) or isinstance(value, bool):
            yield f"{name}: {value!r} is not {noun}"
        if field.type in (int, float) and not is_number(value):
            yield f"{name}: {value!r} is not a number"
    for odd in sorted(set(content) - {field.name for field in fields(About)}):
        yield f"{odd!r} is not known"


def _problems_of_files(content: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(content.get("weights_sha256"), str):
        yield "weights_sha256 is missing"
    files = content.get("files")
    if not isinstance(files, dict) or not all(
        name in ONNX_ENDINGS and isinstance(of, dict) and isinstance(of.get("sha256"), str)
        for name, of in files.items()
    ):
        yield "files: does not describe ONNX files"
    manner = content.get("manner", "")
    if manner is not None and not (
        isinstance(manner, dict)
        and set(manner) == {field.name for field in fields(Manner)}
        and all(isinstance(manner[key], list) for key in LISTS)
        and all(isinstance(of, str) for of in (manner["kind"], manner["says"], *manner["limits"]))
        and manner["formats"]
    ):
        yield "manner: does not say how to listen"
