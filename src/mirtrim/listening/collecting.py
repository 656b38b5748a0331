"""Bundles from the results of a replication, with int8 copies that are scored and timed."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn

from mirtrim.deploy.latency import interleaved, onnx_call
from mirtrim.deploy.onnx_network import OnnxNetwork
from mirtrim.deploy.quantising import quantise_onnx
from mirtrim.listening.about import FP32, INT8, ONNX_ENDINGS, About, beside, read_description
from mirtrim.listening.bundle import file_entry, write_bundle, write_description
from mirtrim.listening.card import write_cards
from mirtrim.listening.decoding import decoding_names, names_classes, sure_from
from mirtrim.listening.needs import SURE_FROM
from mirtrim.runs.jobs.dense import load_dense
from mirtrim.runs.rows import RUN_KEYS
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.store import FeatureStore
from mirtrim.units import storage
from mirtrim.utils.errors import ArtefactError, ConfigError
from mirtrim.utils.provenance import machine
from mirtrim.utils.seeds import numpy_generator

DENSE = "dense"
# As for the costs: fewer lose precision; with many more, one outlier would stretch the ranges.
CALIBRATION_EXAMPLES = 512
TIMED_SECONDS = 0.5  # for each file
# What a description copies from a row.
TAKEN_OVER: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("corpus", "profile", "versions"), str),
    **dict.fromkeys(("seed", "parameters", "nonzeros", "macs"), int),
    **dict.fromkeys(("target_ratio", "ratio", "validation_error", "test_error"), float),
}


def collect_bundles(
    task_block: Mapping[str, Any],
    row_tables: Mapping[str, pd.DataFrame],
    networks_folder: Path,
    store_statistics: Mapping[str, list[float]],
    target_folder: Path,
    runs: Sequence[str],
    ratios: Sequence[float],
    *,
    seed: int = 0,
    licence: str = "MIT",
    store: FeatureStore | None = None,
) -> list[Path]:
    """Write a bundle and a model card (`.md`) for every requested network.

    Args:
        task_block: the task's block of the configuration, defaults filled in.
        row_tables: name of a run → its result rows (`evidence.rows.read_rows`).
        networks_folder: what the jobs of the task wrote: `dense_seed0.safetensors`,
            `<run>_seed0/ratio-4.safetensors`, …
        store_statistics: `FeatureStore.statistics` of the task's features.
        runs: which runs; "dense" is one of them.
        ratios: target ratios. A run that has none of them is an error; a ratio that only some runs
            have gives bundles for these runs.
        licence: of the weights.
        store: the task's features; with them every network is also quantised to int8 and timed, and
            for classifiers the probability from which they are sure is chosen on validation.

    Returns:
        Paths of the bundles, without endings.

    Raises:
        ConfigError: no rows of a run are given, or none has one of the ratios.
        ArtefactError: a network is missing, damaged, or not the one that its row describes.
    """
    written = []
    for run in runs:
        if run not in row_tables:
            raise ConfigError(f"no rows of run {run!r} are given; given: {', '.join(row_tables)}")
        for row, network in _networks(
            run, row_tables[run], networks_folder, task_block, ratios, seed
        ):
            about = about_of(row, task_block, store_statistics, licence)
            about = replace(about, decoding={**about.decoding, **calibrated(network, about, store)})
            name = f"{about.task}-{run}" + ("" if run == DENSE else f"-ratio-{row.target_ratio:g}")
            base = write_bundle(target_folder, name, network, about)
            if store is not None:
                pack(base, task_block, store, seed)
            written.append(base)
    write_cards(target_folder)
    return written


def calibrated(network: nn.Module, about: About, store: FeatureStore | None) -> dict[str, float]:
    """From which probability on a classifier is sure, chosen on the validation split."""
    task = get_task(about.task)
    if store is None or not names_classes(task):
        return {}
    predictions = task.predict(network, store, "validation", about.features)
    label_of = store.reference.set_index("track_id").label
    true = {track: about.features["classes"].index(label_of[track]) for track in predictions}
    return {SURE_FROM: round(sure_from(predictions, true), 4)}


def about_of(
    row: Any, task_block: Mapping[str, Any], statistics: Mapping[str, list[float]], licence: str
) -> About:
    """What is known of the network of one result row."""
    scores: dict[str, float] = json.loads(row.scores)
    names = decoding_names(get_task(row.task))
    lacking = [name for name in names if name not in scores]
    if lacking:
        raise ArtefactError(f"the rows of task {row.task} lack {lacking[0]}; run the task again")
    return About(
        task=row.task,
        features=dict(task_block["features"]),
        network=dict(task_block["network"]),
        statistics=dict(statistics),
        decoding={name: scores[name] for name in names},
        licence=licence,
        pruning={key: str(getattr(row, key)) for key in RUN_KEYS},
        scores={name: value for name, value in scores.items() if name not in names},
        **{name: kind(getattr(row, name)) for name, kind in TAKEN_OVER.items()},
    )


def _networks(
    run: str,
    rows: pd.DataFrame,
    folder: Path,
    task_block: Mapping[str, Any],
    ratios: Sequence[float],
    seed: int,
) -> Iterator[tuple[Any, nn.Module]]:
    """Rows of a run and seed that are asked for, each with its network."""
    rows = rows[rows.seed == seed]
    if run != DENSE:
        rows = rows[rows.target_ratio.isin([float(ratio) for ratio in ratios])]
    if rows.empty:
        wanted = ", ".join(f"{ratio:g}" for ratio in ratios)
        raise ConfigError(f"run {run!r} has no rows of seed {seed} at ratios {wanted}")
    task = get_task(str(rows.task.iloc[0]))

    def dense() -> nn.Module:
        return task.network(task_block["features"], task_block["network"])

    for row in rows.itertuples():
        if run == DENSE:
            network, path = dense(), folder / f"dense_seed{seed}.safetensors"
            try:
                network.load_state_dict(load_dense(path).best)
            except RuntimeError as error:
                reason = " ".join(str(error).split())
                raise ArtefactError(f"{path}: does not fit its settings ({reason})") from error
            yield row, network
        else:
            path = folder / f"{run}_seed{seed}" / f"ratio-{row.target_ratio:g}"
            yield row, storage.load(path, dense)


def pack(base: Path, task_block: Mapping[str, Any], store: FeatureStore, seed: int) -> None:
    """Write the int8 network of a bundle, score it on test, time both, and record the results.

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
    latencies = interleaved(calls, seconds=TIMED_SECONDS)
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
