"""The description of a bundled network, read without torch.

A bundle has one name: `.safetensors` and `.json` (weights and widths, as `mirtrim.units.storage`
has them), `.onnx` and perhaps `.int8.onnx` (what listens), and `.model.json`, which describes them
all and is written last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol, get_origin

import numpy as np

from mirtrim.listening.needs import is_number, problem_of_hearing
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import read_json

FORMAT = "mirtrim model"
VERSION = 3
ENDING = ".model.json"
REMEDY = "collect or download it again"
FP32, INT8 = "fp32", "int8"
ONNX_ENDINGS: Mapping[str, str] = {FP32: ".onnx", INT8: ".int8.onnx"}
ENDINGS = (ENDING, ".json", ".safetensors", ".int8.onnx", ".onnx", ".md")


@dataclass(frozen=True)
class About:
    """What is known of a bundled network.

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
class Manner:
    """How outputs of a network become an answer, as its task had it when it was packed.

    Attributes:
        kind: one of `FORMATS`.
        formats: what can be written, the usual one first.
        detectors: of events, in the order of the outputs.
        says: the end of the sentence "from audio it …".
        limits: what a person must not expect, a sentence each.
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
        ArtefactError: it is missing, damaged, of another version or says what cannot be.
    """
    path, content = beside(base_of(path), ENDING), read_content(path)
    about = about_part(content)
    problem = _problem(about) or _problem_of_files(content)
    manner = None
    if problem is None and content["manner"] is not None:
        manner = _manner(content["manner"])
        problem = problem_of_hearing(content)
    if problem:
        raise ArtefactError(f"{path}: {problem}; {REMEDY}")
    return Description(About(**about), content["weights_sha256"], manner, content["files"])


def about_part(content: Mapping[str, Any]) -> dict[str, Any]:
    """What of a description belongs to `About`."""
    return {key: value for key, value in content.items() if key not in OWN_KEYS}


def _manner(given: Mapping[str, Any]) -> Manner:
    lists = ("formats", "detectors", "limits")
    return Manner(
        kind=given["kind"], says=given["says"], **{key: tuple(given[key]) for key in lists}
    )


NAMES: Mapping[Any, str] = {Mapping: "object", str: "text", int: "integer", float: "number"}
OWN_KEYS = ("format", "version", "weights_sha256", "manner", "files")


def _problem(content: Mapping[str, Any]) -> str | None:
    """What is wrong with the fields of an `About`; whether they suit the task is not asked."""
    kinds: dict[Any, Any] = {Mapping: dict, str: str, int: int, float: (int, float)}
    for field in fields(About):
        name, kind = field.name, get_origin(field.type) or field.type
        if name not in content:
            return f"{name!r} is a required property"
        value = content[name]
        if not isinstance(value, kinds[kind]) or isinstance(value, bool):
            return f"{name}: {value!r} is no {NAMES[kind]}"
        if kind in (int, float) and not is_number(value):
            return f"{name}: {value!r} is no number"
    odd = sorted(set(content) - {field.name for field in fields(About)})
    return f"{odd[0]!r} is not known" if odd else None


def _problem_of_files(content: Mapping[str, Any]) -> str | None:
    if not isinstance(content.get("weights_sha256"), str):
        return "weights_sha256 is missing"
    files = content.get("files")
    if not isinstance(files, dict) or not all(
        name in ONNX_ENDINGS and isinstance(of, dict) and isinstance(of.get("sha256"), str)
        for name, of in files.items()
    ):
        return "files: does not describe ONNX files"
    manner = content.get("manner", "")
    keys = {field.name for field in fields(Manner)}
    if manner is not None and not (
        isinstance(manner, dict)
        and set(manner) == keys
        and all(isinstance(manner[key], list) for key in ("formats", "detectors", "limits"))
        and all(isinstance(of, str) for of in (manner["kind"], manner["says"], *manner["limits"]))
        and manner["formats"]
    ):
        return "manner: does not say how to listen"
    return None
