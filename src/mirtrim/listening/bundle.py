"""A bundle: a trained network with everything that is needed to use it (`listening.about`)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

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
    read_content,
    read_description,
)
from mirtrim.listening.bundle_schema import problem_of
from mirtrim.listening.decoding import decoding_names, hearing_of
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.task import Task
from mirtrim.units import storage
from mirtrim.utils.errors import ArtefactError, ConfigError
from mirtrim.utils.files import sha256_of_file, write_json


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
        hearing_of(self.task)
        manner = manner_of(self.task, self.about)
        assert manner is not None
        return manner

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """(batch, …) → (batch, …), in torch."""
        with torch.no_grad():
            outputs: np.ndarray = self.network(torch.from_numpy(inputs)).numpy()
        return outputs


def manner_of(task: Task, about: About) -> Manner | None:
    """How networks of a task are listened with; None if they are not."""
    hearing = task.hearing
    if hearing is None:
        return None
    names = decoding_names(task)
    return Manner(
        hearing.kind,
        tuple(hearing.formats),
        tuple(name.removeprefix("threshold_") for name in names if hearing.kind == "events"),
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
    was_training = network.training
    try:
        export_onnx(network.eval(), task.example_input(about.features), file)
    finally:
        network.train(was_training)
    weights = sha256_of_file(beside(base, ".safetensors"))
    write_description(
        base, Description(about, weights, manner_of(task, about), {FP32: file_entry(file)})
    )
    return base


def file_entry(file: Path) -> dict[str, Any]:
    """The entry of an ONNX file in a description."""
    return {"sha256": sha256_of_file(file), "bytes": file.stat().st_size}


def write_description(base: Path, description: Description) -> None:
    """Write the description of a bundle whose other files are there."""
    write_json(
        beside(base, ENDING),
        {
            "format": FORMAT,
            "version": VERSION,
            "weights_sha256": description.weights_sha256,
            "manner": asdict(description.manner) if description.manner else None,
            "files": {name: dict(of) for name, of in description.files.items()},
            **asdict(description.about),
        },
    )


def read_bundle(path: str | Path) -> Bundle:
    """Read a bundle by the path of any of its files, or without an ending.

    Raises:
        ArtefactError: a file is missing, damaged, of another version or of another bundle.
    """
    base = base_of(path)
    # The whole schema first: it says more exactly what is wrong.
    task = _task_of(about_part(read_content(base)), base)
    description = read_description(base)
    about, digest = description.about, description.weights_sha256
    weights = beside(base, ".safetensors")
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
    was_training = network.training
    try:
        with torch.no_grad():
            network.eval()(task.example_input(about.features))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ArtefactError(f"{base}: does not fit its features ({reason}); {REMEDY}") from error
    finally:
        network.train(was_training)
