"""The eight-bit copy of a packed network, and how long both take."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from mirtrim.deploy.latency import interleaved, onnx_call
from mirtrim.deploy.onnx_network import OnnxNetwork
from mirtrim.deploy.quantising import quantise_onnx
from mirtrim.listening.about import FP32, INT8, ONNX_ENDINGS, beside, read_description
from mirtrim.listening.bundle import file_entry, write_description
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.store import FeatureStore
from mirtrim.utils.provenance import machine
from mirtrim.utils.seeds import numpy_generator

# As the costs have it: fewer cost precision, many more let one outlier stretch the ranges.
CALIBRATION_EXAMPLES = 512
TIMED_SECONDS = 0.5  # for each file


def pack(
    base: Path,
    task_block: Mapping[str, Any],
    store: FeatureStore,
    seed: int,
    timed_seconds: float = TIMED_SECONDS,
) -> None:
    """Write the int8 network of a bundle, score it on test, time both, and say so.

    Ranges of activations are chosen on training data; decoding stays that of the bundle.

    Args:
        base: the bundle, without an ending.
        task_block: the task's block of the configuration.
        store: the task's features.
        seed: of the calibration examples.
    """
    description = read_description(base)
    about, task = description.about, get_task(description.about.task)
    plain, quantised = (beside(base, ONNX_ENDINGS[name]) for name in (FP32, INT8))
    quantise_onnx(plain, quantised, _calibration(task_block, store, task, seed))
    predictions = task.predict(OnnxNetwork(quantised), store, "test", about.features)
    pieces = task.score(predictions, store, about.features, about.decoding)
    test_error = 1 - task.summarise(pieces)[task.main_score]
    inputs = [task.example_input(about.features).numpy()]
    calls = {name: onnx_call(file, inputs) for name, file in ((FP32, plain), (INT8, quantised))}
    latencies = interleaved(calls, seconds=timed_seconds)
    files: dict[str, dict[str, Any]] = {FP32: file_entry(plain), INT8: file_entry(quantised)}
    for name, latency in latencies.items():
        files[name] |= {"milliseconds": round(latency.median_ms, 4), "machine": machine()}
    files[INT8]["test_error"] = round(float(test_error), 6)
    write_description(base, replace(description, files=files))


def _calibration(
    task_block: Mapping[str, Any], store: FeatureStore, task: Any, seed: int
) -> Iterator[Tensor]:
    training = {**task_block["features"], **task_block["training"]}
    examples = 0
    for inputs, _ in task.batches(store, training, numpy_generator(seed, "calibration", 0)):
        if examples >= CALIBRATION_EXAMPLES:
            return
        examples += len(inputs)
        yield inputs
