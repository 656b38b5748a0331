"""A bundle: a trained network with everything that is needed to use it (`listening.about`)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import torch
from torch import nn

from mirtrim.counting.operations import run_for_one_pass
from mirtrim.deploy.onnx_export import export_onnx
from mirtrim.listening.about import (
    ENDING,
    FORMAT,
    FP32,
    ONNX_ENDINGS,
    REMEDY,
    VERSION,
    About,
    Description,
    Manner,
    about_part,
    base_of,
    beside,
    described_file,
    read_content,
    read_description,
)
from mirtrim.listening.decoding import decoding_names, hearing_of, names_classes
from mirtrim.listening.needs import SURE_FROM
from mirtrim.pruning.settings import COLUMN_DEFAULTS
from mirtrim.runs.rows import RUN_KEYS
from mirtrim.tasks.hearing import Hearing
from mirtrim.tasks.registry import TASKS, get_task
from mirtrim.tasks.task import Task
from mirtrim.units import storage
from mirtrim.utils.errors import ArtefactError, ConfigError
from mirtrim.utils.files import sha256_of_file, write_json

TEXT = {"type": "string", "minLength": 1}
NUMBER = {"type": "number"}
SHARE = {"type": "number", "minimum": 0, "maximum": 1}
RATIO = {"type": "number", "minimum": 1}
COUNT = {"type": "integer", "minimum": 1}


@dataclass(frozen=True)
class Bundle:
    """A network in evaluation mode, its task, and what is known of it.

    `path` is that of its files, without their endings.
    """

    path: Path
    about: About
    task: Task
    network: nn.Module

    @property
    def manner(self) -> Manner:
        """How it is listened with; a `ConfigError` if its task does not say."""
        return manner_of(hearing_of(self.task), self.about)

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """(batch, …) → (batch, …), in torch."""
        with torch.no_grad():
            outputs: np.ndarray = self.network(torch.from_numpy(inputs)).numpy()
        return outputs


def manner_of(hearing: Hearing, about: About) -> Manner:
    """How a network of a task that is listened with is."""
    names = hearing.decoding if hearing.kind == "events" else ()
    return Manner(
        hearing.kind,
        tuple(hearing.formats),
        tuple(name.removeprefix("threshold_") for name in names),
        hearing.says(about.features),
        tuple(hearing.limits(about.features)),
    )


def write_bundle(folder: Path, name: str, network: nn.Module, about: About) -> Path:
    """Write the files of a bundle, all but an int8 network; returns their path without endings.

    Raises:
        ArtefactError: `about` is not what a bundle may say, or is of another network.
    """
    base = folder / name
    task = _task_of(asdict(about), base)
    _check_network(network, about, task, base)
    storage.save(network, base)
    file = beside(base, ONNX_ENDINGS[FP32])
    export_onnx(network, task.example_input(about.features), file)
    weights = sha256_of_file(beside(base, ".safetensors"))
    manner = manner_of(task.hearing, about) if task.hearing else None
    write_description(base, Description(about, weights, manner, {FP32: file_entry(file)}))
    return base


def file_entry(file: Path) -> dict[str, Any]:
    """The entry of an ONNX file in a description."""
    return {"sha256": sha256_of_file(file), "bytes": file.stat().st_size}


def write_description(base: Path, description: Description) -> None:
    """Write the description of a bundle whose other files are there."""
    content = asdict(description)
    about = content.pop("about")
    write_json(beside(base, ENDING), {"format": FORMAT, "version": VERSION, **content, **about})


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle by the path of any of its files, or without an ending.

    Raises:
        ArtefactError: a file is missing, damaged, of another version or of another bundle.
    """
    base = base_of(path)
    # The whole schema first: it says more exactly what is wrong.
    task = _task_of(about_part(read_content(base)), base)
    description = read_description(base)
    about = description.about
    about = replace(about, features=_features(task, about.features))
    described_file(base, ".safetensors", description.weights_sha256)
    try:
        network = storage.load(base, lambda: task.network(about.features, about.network))
    except ConfigError as error:
        raise ArtefactError(f"{base}{ENDING}: {error}; {REMEDY}") from error
    _check_network(network, about, task, base)
    return Bundle(base, about, task, network.eval())


def _features(task: Task, told: Mapping[str, Any]) -> dict[str, Any]:
    """With the defaults of features that a network is older than."""
    known = task.schema["features"].items()
    return dict(told) | {k: of["default"] for k, of in known if "default" in of and k not in told}


def _task_of(content: Mapping[str, Any], base: Path) -> Task:
    """The task, after everything in the description has been checked."""
    problem = problem_of(content)
    if problem:
        raise ArtefactError(f"{base}{ENDING}: {problem}; {REMEDY}")
    return get_task(content["task"])


def _check_network(network: nn.Module, about: About, task: Task, base: Path) -> None:
    """The network has the size of its description, and takes the features named there."""
    parameters = sum(parameter.numel() for parameter in network.parameters())
    if parameters != about.parameters:
        raise ArtefactError(
            f"{base}: has {parameters} parameters, not {about.parameters} as described; {REMEDY}"
        )
    try:
        with run_for_one_pass(network):
            network(task.example_input(about.features))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ArtefactError(f"{base}: does not fit its features ({reason}); {REMEDY}") from error


def problem_of(content: Mapping[str, Any]) -> str | None:
    """The first problem with the fields of an `About`, in one line; None if there is none."""
    name = content.get("task")
    if name not in TASKS:
        return f"task {name!r} is unknown; known: {', '.join(sorted(TASKS))}"
    task = get_task(str(name))
    errors = jsonschema.Draft202012Validator(_schema(task)).iter_errors(content)
    first = min(errors, key=lambda error: [str(part) for part in error.absolute_path], default=None)
    if first is None:
        return _problem_of_statistics(task, content)
    key = ".".join(str(part) for part in first.absolute_path)
    return f"{key}: {first.message}" if key else first.message


def _schema(task: Task) -> dict[str, Any]:
    """JSON schema of the fields of an `About` for one task."""
    per_column = {"type": "array", "items": NUMBER, "minItems": 1}
    above_zero = {**per_column, "items": {"type": "number", "exclusiveMinimum": 0}}
    statistics = {"mean": per_column, "deviation": above_zero}
    return _object(
        **dict.fromkeys(("task", "corpus", "profile", "licence", "versions"), TEXT),
        **dict.fromkeys(("parameters", "nonzeros", "macs"), COUNT),
        **dict.fromkeys(("target_ratio", "ratio"), RATIO),
        **dict.fromkeys(("validation_error", "test_error"), SHARE),
        # As a configuration has them. Packed networks may be older than some features; none of
        # the keys that decide sizes is left to a default.
        features={
            **_object(**task.schema["features"]),
            "required": [k for k, of in task.schema["features"].items() if "default" not in of],
        },
        network=_object(**task.schema["network"]),
        statistics=_object(**(statistics if task.normalised_array else {})),
        decoding=_decoding(task),
        pruning={
            **_object(**dict.fromkeys(RUN_KEYS, TEXT)),
            # Packed networks may be older than some columns.
            "required": [name for name in RUN_KEYS if name not in COLUMN_DEFAULTS],
        },
        seed={"type": "integer", "minimum": 0},
        scores={"type": "object", "additionalProperties": NUMBER, "required": [task.main_score]},
    )


def _decoding(task: Task) -> dict[str, Any]:
    decoding = _object(**{name: NUMBER for name in decoding_names(task)})
    if names_classes(task):
        decoding["properties"][SURE_FROM] = SHARE
    return decoding


def _object(**properties: Any) -> dict[str, Any]:
    """JSON schema of an object with exactly these keys."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _problem_of_statistics(task: Task, content: Mapping[str, Any]) -> str | None:
    """Statistics are those of the columns of a patch, (batch, 1, columns, rows)."""
    if not task.normalised_array:
        return None
    columns = task.example_input(_features(task, content["features"])).shape[2]
    for name, values in content["statistics"].items():
        if len(values) != columns:
            return f"statistics.{name}: {len(values)} numbers for {columns} columns"
    return None
