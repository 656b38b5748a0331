"""Whole training epochs of ours beside a bare loop over one tensor, one thread.

python benchmarks/epoch.py [--published [TASK ...]]

Ours is what a job of the workflow does: batches cut out of a feature store on disk, masks of 90 %
after every step, the learning-rate schedule, a validation pass, the choice of the best epoch, a
resume file and a log line after every epoch. The bare loop indexes one tensor in memory and calls
zero_grad, forward, backward and the same fused optimiser; it validates too, as that is work and
no overhead, and has nothing else. The usual way, beside both, is a DataLoader over the same
tensors and `torch.nn.utils.prune`.

CPU time. The loops take turns, in another order every time. Shares of the bare loop come as the
median over the turns and as fastest over fastest; the bare loop is run twice in every turn, and
what the second one differs from 1 is noise.

With --published: the networks and batches of `config/published.yaml`, in bfloat16, on noise. The
bare loop is `torch.autocast` over batches in memory; the same in float32 is beside it. Ours has a
training pass and one validation batch. What it costs to compare every layer with float32 before a
training stands apart, in seconds and as a share of an epoch of the profile.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from masking import mlp
from plan import ROOT, read_config
from timing import print_table
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset

from mirtrim.models.spectral import SpectralCNN
from mirtrim.pruning.masking import MaskHook, Masks, apply_masks, full_masks
from mirtrim.runs.jobs.setting import Setting, TaskData
from mirtrim.tasks.onset import Onset
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.store import FeatureStore, open_store, write_store
from mirtrim.tasks.task import Parameters, Task
from mirtrim.tasks.windowed import EVALUATION_BATCH, Cut
from mirtrim.tasks.windows import gather
from mirtrim.training import EpochReport, FitSettings, fit
from mirtrim.training.guard import ways_in_bfloat16

EPOCHS = 2
REPEATS = 12
BATCH = 64
SPARSITY = 0.9
LEARNING_RATE = 1e-3
HEAD = ["loop", "examples per s", "of the bare loop, median", "of the bare loop, fastest"]
FRAMES, BANDS, PIXELS, CLASSES = 50, 64, 784, 10
# Of the published networks: a few seconds each.
STEPS = {"chord": 20, "pitch": 20, "instrument": 5, "onset": 4, "drums": 4}
PUBLISHED_REPEATS = 4
COMPARISON = "comparison with float32"


class Pixels(Onset):
    """Rows of 784 numbers, ten classes: a store that an MLP can learn from."""

    def window_rows(self, parameters: Parameters) -> int:
        return 1

    def inputs(self, store: FeatureStore, parameters: Parameters) -> Cut:
        return lambda starts: gather(store.arrays["frames"], starts, 1)[:, 0]

    def targets(self, store: FeatureStore, parameters: Parameters) -> Cut:
        return lambda starts: store.arrays["targets"][starts].long()

    def loss(self, outputs: Tensor, targets: Tensor, training: Parameters) -> Tensor:
        return nn.functional.cross_entropy(outputs, targets)


@dataclass(frozen=True)
class Case:
    """A network and the rows of its store.

    Attributes:
        rows: rows of the training and of the validation split.
        examples: training examples of an epoch.
    """

    task: Task
    network: Callable[[], nn.Module]
    rows: tuple[int, int]
    columns: int
    examples: int
    classes: int


CASES = {
    "spectral, 32 channels, hidden 128": Case(
        Onset(), lambda: SpectralCNN(channels=32, hidden=128), (20_000, 4_000), BANDS, 320, 0
    ),
    "MLP 784-300-100-10": Case(Pixels(), mlp, (12_800, 1_280), PIXELS, 12_800, CLASSES),
}


def setting_of(case: Case, folder: Path) -> Setting:
    """Random rows in a store, and the configuration of a training on them."""
    rng = np.random.default_rng(0)

    def recordings() -> Iterator[tuple[Mapping[str, Any], Mapping[str, np.ndarray], pd.DataFrame]]:
        for split, count in zip(("train", "validation"), case.rows, strict=True):
            targets = (
                rng.integers(case.classes, size=count)
                if case.classes
                else rng.random((count, 1)) > 0.9
            ).astype(np.uint8)
            frames = rng.standard_normal((count, case.columns)).astype(np.float32)
            row = {"track_id": split, "split": split, "source": split, "duration_seconds": 1.0}
            yield row, {"frames": frames, "targets": targets}, pd.DataFrame({"time_seconds": [0.0]})

    write_store(folder, recordings(), "frames")
    config = {
        "features": {"window_frames": FRAMES, "mel_bands": BANDS},
        "training": {
            "epochs": EPOCHS,
            "batch_size": BATCH,
            "examples_per_epoch": case.examples,
            "learning_rate": LEARNING_RATE,
            "weight_decay": 0.0,
            "schedule": "one_cycle",
            "positive_weight": 1,
        },
    }
    return Setting("benchmark", "noise", case.task, config, open_store(folder))


def masks_of(network: nn.Module) -> Masks:
    """Random masks that keep a tenth."""
    return {name: torch.rand(mask.shape) > SPARSITY for name, mask in full_masks(network).items()}


def ours(case: Case, setting: Setting, folder: Path) -> Callable[[], None]:
    """EPOCHS epochs as a job trains them."""
    log = logging.getLogger("mirtrim.benchmark")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(logging.FileHandler(folder / "log.txt"))
    resume_path = folder / "fit.safetensors"

    def report(epoch: EpochReport) -> None:
        log.info("epoch %d, %.4f, %.4f", epoch.epoch, epoch.train_loss, epoch.validation_loss)

    def run() -> None:
        network = case.network()
        masks = masks_of(network)
        apply_masks(network, masks)
        settings: FitSettings = setting.fit_settings
        fit(
            network,
            TaskData(setting, 0, "benchmark"),
            settings,
            0,
            hook=MaskHook(network, masks),
            resume_path=resume_path,
            report=report,
        )
        resume_path.unlink()

    return run


Tensors = tuple[Tensor, Tensor]
Loss = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def validate(network: nn.Module, validation: Tensors, loss: Loss) -> float:
    """Mean loss over one tensor."""
    network.eval()
    total = 0.0
    for inputs, targets in zip(*(v.split(EVALUATION_BATCH) for v in validation), strict=True):
        total += float(loss(network(inputs), targets)) * len(inputs)
    network.train()
    return total / len(validation[0])


def bare(case: Case, train: Tensors, validation: Tensors, loss: Loss) -> Callable[[], None]:
    """EPOCHS epochs over one tensor in memory."""

    def run() -> None:
        network = case.network()
        optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)
        for _ in range(EPOCHS):
            for index in torch.randperm(len(train[0])).split(BATCH):
                optimizer.zero_grad(set_to_none=True)
                loss(network(train[0][index]), train[1][index]).backward()
                optimizer.step()
            validate(network, validation, loss)

    return run


def usual(case: Case, train: Tensors, validation: Tensors, loss: Loss) -> Callable[[], None]:
    """EPOCHS epochs with a DataLoader and torch.nn.utils.prune."""
    loader = DataLoader(TensorDataset(*train), batch_size=BATCH, shuffle=True)

    def run() -> None:
        network = case.network()
        for name, mask in masks_of(network).items():
            layer, _, parameter = name.rpartition(".")
            prune.custom_from_mask(network.get_submodule(layer), parameter, mask)
        optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)
        for _ in range(EPOCHS):
            for inputs, targets in loader:
                optimizer.zero_grad(set_to_none=True)
                loss(network(inputs), targets).backward()
                optimizer.step()
            validate(network, validation, loss)

    return run


def seconds_of(actions: list[Callable[[], None]], repeats: int = REPEATS) -> np.ndarray:
    """CPU seconds of actions that take turns, (turns, actions); one turn warms up."""
    rng = np.random.default_rng(0)
    times = np.zeros((repeats + 1, len(actions)))
    for turn in times:
        for index in rng.permutation(len(actions)):
            started = time.process_time()
            actions[index]()
            turn[index] = time.process_time() - started
    return times[1:]


def noise(task: str, features: Mapping[str, Any], rows: int) -> dict[str, np.ndarray]:
    """Arrays of a recording of a task, full of noise."""
    rng = np.random.default_rng(0)
    if task == "pitch":
        blocks = rng.integers(-9999, 9999, (rows, features["hop"]), dtype=np.int16)
        return {"blocks": blocks, "f0_hz": rng.uniform(100, 900, rows).astype(np.float32)}
    if task == "instrument":
        return {"samples": rng.integers(-9999, 9999, rows, dtype=np.int16)}
    bands = features["bins"] if task == "chord" else features["mel_bands"]
    frames = rng.standard_normal((rows, bands)).astype(np.float32)
    if task == "chord":
        return {"frames": frames, "targets": rng.integers(0, 25, rows).astype(np.int8)}
    kinds = len(get_task(task).detectors)
    return {"frames": frames, "targets": (rng.random((rows, kinds)) > 0.9).astype(np.uint8)}


def published_setting(name: str, block: dict[str, Any], folder: Path) -> Setting:
    """A task of the profile on noise, STEPS batches an epoch."""
    task, training = get_task(name), block["training"]
    length = task.window_rows(block["features"])

    def recordings() -> Iterator[tuple[Mapping[str, Any], Mapping[str, np.ndarray], pd.DataFrame]]:
        for split, count in (("train", 40 * length), ("validation", length)):
            row = {"track_id": split, "split": split, "source": split, "duration_seconds": 1.0}
            label = block["features"].get("classes", ["-"])[0]
            yield row, noise(name, block["features"], count), pd.DataFrame({"label": [label]})

    write_store(folder, recordings(), task.normalised_array)
    examples = STEPS[name] * training["batch_size"]
    short = {**training, "epochs": 1, "examples_per_epoch": examples}
    return Setting("benchmark", "noise", task, {**block, "training": short}, open_store(folder))


def published_loops(setting: Setting) -> dict[str, Callable[[], None]]:
    """Our epoch, the comparison before it, and bare loops over the same batches."""
    data = TaskData(setting, 0, "benchmark")
    batches = list(data.batches(1))

    def network() -> nn.Module:
        return setting.task.network(setting.features, setting.config["network"])

    def bare(precision: torch.dtype) -> None:
        model = network()
        optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
        for inputs, targets in batches:
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", precision, enabled=precision != torch.float32):
                outputs = model(inputs)
            data.loss(outputs.float(), targets).backward()
            optimizer.step()

    return {
        "bare": lambda: bare(torch.bfloat16),
        "bare, again": lambda: bare(torch.bfloat16),
        "bare, float32": lambda: bare(torch.float32),
        "ours": lambda: fit(network(), data, setting.fit_settings, 0) and None,
        COMPARISON: lambda: ways_in_bfloat16(network(), batches[0][0]) and None,
    }


def published(tasks: list[str]) -> None:
    """Print a line per task and loop."""
    lines = []
    tasks_of_profile = read_config(ROOT / "config/published.yaml")["tasks"]
    for name in tasks:
        with tempfile.TemporaryDirectory() as place:
            block = tasks_of_profile[name]
            setting = published_setting(name, block, Path(place) / "store")
            loops = published_loops(setting)
            seconds = seconds_of(list(loops.values()), PUBLISHED_REPEATS)
        at = list(loops).index
        seconds[:, at("ours")] -= seconds[:, at(COMPARISON)]
        examples = setting.training["examples_per_epoch"]
        fastest, ratios = seconds.min(0), np.median(seconds[:, :1] / seconds, axis=0)
        for loop in list(loops)[:-1]:
            index = at(loop)
            of = [f"{ratios[index]:.2f}", f"{fastest[0] / fastest[index]:.2f}"]
            lines.append([name, loop, f"{examples / fastest[index]:.0f}", *of])
        epoch = block["training"]["examples_per_epoch"] / examples * fastest[at("ours")]
        share = fastest[-1] / epoch
        print(f"{name}: comparison {fastest[-1]:.2f} s, {share:.1%} of an epoch of {epoch:.1f} s")
    print()
    print_table(["task", *HEAD], lines)


def main() -> None:
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--published", nargs="*", metavar="TASK", choices=[*STEPS, []])
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if given.published is None:
        small()
    else:
        published(given.published or list(STEPS))


def small() -> None:
    """Print a table per small network."""
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            setting = setting_of(case, folder / "store")
            data = TaskData(setting, 0, "benchmark")

            # The same examples in the same layout, gathered once.
            def joined(batches: Iterator[Tensors]) -> Tensors:
                inputs, targets = zip(*batches, strict=True)
                return torch.cat(inputs), torch.cat(targets)

            train, validation = joined(data.batches(1)), joined(data.validation_batches())
            loops = {
                "bare": bare(case, train, validation, data.loss),
                "bare, again": bare(case, train, validation, data.loss),
                "ours": ours(case, setting, folder),
                "usual": usual(case, train, validation, data.loss),
            }
            seconds = seconds_of(list(loops.values()))
        fastest = seconds.min(axis=0)
        columns = (
            EPOCHS * len(train[0]) / fastest,
            np.median(seconds[:, :1] / seconds, axis=0),
            fastest[0] / fastest,
        )
        print(f"{name}, {data.steps_per_epoch} steps an epoch\n")
        lines = [
            [loop, f"{speed:.0f}", f"{median:.3f}", f"{best:.3f}"]
            for loop, speed, median, best in zip(loops, *columns, strict=True)
        ]
        print_table(HEAD, lines)


if __name__ == "__main__":
    main()
