"""What a profile of the replication costs: measured per step on one core, then extrapolated.

python benchmarks/scaling.py [config/paper.yaml [steps]]

Every task's network takes some training steps at the widths and batch sizes of the profile, on
synthetic inputs, through the training loop of the replication, each in a process of its own.
Everything behind that is arithmetic with the numbers of the profile. Neither decoding and
scoring nor the preparation of corpora is in it. For a GPU there is no measurement here: its
hours are given for throughputs that are assumed.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from plan import ROOT, Plan, plan_of, read_config
from timing import print_table
from torch import Tensor

from mirtrim.runs.jobs.rounds import MACS_PER_TRAINING_EXAMPLE
from mirtrim.runs.jobs.setting import single_thread
from mirtrim.tasks.registry import get_task
from mirtrim.tasks.task import Task
from mirtrim.tasks.windowed import EVALUATION_BATCH
from mirtrim.training import FitSettings, fit
from mirtrim.training.initialise import initialise

STEPS = 3
ASSUMED_TFLOPS = (1, 10, 50)  # sustained; nobody has measured what a GPU reaches on these networks
FLOPS_PER_MAC = 2
CORES = (16, 128, 1024)
HOUR = 3600.0


@dataclass(frozen=True)
class Measured:
    """Of one task, on one core.

    Attributes:
        step_seconds: CPU seconds of one training step, the fastest of several.
        evaluation_seconds: CPU seconds of one example of validation.
        peak_mb: most resident memory of the process, in MB; features come on top of it.
        resume_mb: what is kept on disk while a network trains, in MB.
    """

    step_seconds: float
    evaluation_seconds: float
    peak_mb: float
    resume_mb: float


class Synthetic:
    """Batches of noise in the shape of a task, and the times at which they were asked for."""

    def __init__(self, task: Task, block: Mapping[str, Any], outputs: Tensor, steps: int) -> None:
        self.task, self.block, self.steps_per_epoch = task, block, steps
        self.shape = tuple(task.example_input(block["features"]).shape[1:])
        # Probabilities are targets that cross-entropy and its binary kin both take.
        self.target_shape = tuple(outputs.shape[1:])
        self.asked: list[float] = []
        self.evaluated: list[float] = []

    def _batch(self, size: int) -> tuple[Tensor, Tensor]:
        return torch.randn(size, *self.shape), torch.rand(size, *self.target_shape)

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        batch = self._batch(self.block["training"]["batch_size"])
        for _ in range(self.steps_per_epoch):
            self.asked.append(time.process_time())
            yield batch
        self.asked.append(time.process_time())

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        batch = self._batch(EVALUATION_BATCH)
        self.evaluated.append(time.process_time())
        yield batch
        self.evaluated.append(time.process_time())

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        training = {**self.block["features"], **self.block["training"]}
        return self.task.loss(outputs, targets, training)


def measure(name: str, block: Mapping[str, Any], steps: int) -> Measured:
    """Train for one epoch of `steps` steps; to be called in a fresh process."""
    single_thread()
    task, training = get_task(name), block["training"]
    network = task.network(block["features"], block["network"])
    initialise(network, torch.Generator().manual_seed(0), training["initialisation"])
    with torch.no_grad():
        outputs = network.eval()(task.example_input(block["features"]))
    settings = {k: training[k] for k in FitSettings.__dataclass_fields__ if k in training}
    data = Synthetic(task, block, outputs, steps + 1)
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder, "fit.safetensors")
        fit(network, data, FitSettings(**{**settings, "epochs": 1}), 0, resume_path=kept)
        resume_mb = kept.stat().st_size / 1e6
    # The first step allocates memory and chooses kernels.
    seconds = [
        after - before for before, after in zip(data.asked[1:], data.asked[2:], strict=False)
    ]
    began, ended = data.evaluated
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(min(seconds), (ended - began) / EVALUATION_BATCH, peak_mb, resume_mb)


def in_fresh_process(name: str, block: Mapping[str, Any], steps: int) -> Measured:
    """`measure`, with the memory of nothing else in its peak."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, name, block, steps).result()


def hours(plan: Plan, measured: Measured, trainings: int) -> float:
    """Hours of so many trainings one after another, on the core that was measured."""
    return trainings * plan.epochs * plan.steps * measured.step_seconds / HOUR


def short(value: float) -> str:
    """Two digits, or all before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def print_steps(plans: list[Plan], measured: list[Measured]) -> None:
    """What was measured."""
    head = ["task", "parameters, M", "MACs per example, M", "batch", "s per step", "GMAC/s"]
    head += ["min per epoch", "validation, ms per example", "peak memory, MB"]
    rows = [
        [
            plan.task,
            short(plan.parameters / 1e6),
            short(plan.macs / 1e6),
            str(plan.batch),
            short(m.step_seconds),
            short(MACS_PER_TRAINING_EXAMPLE * plan.macs * plan.batch / m.step_seconds / 1e9),
            short(plan.steps * m.step_seconds / 60),
            short(m.evaluation_seconds * 1e3),
            short(m.peak_mb),
        ]
        for plan, m in zip(plans, measured, strict=True)
    ]
    print_table(head, rows)


def print_jobs(plans: list[Plan], measured: list[Measured]) -> None:
    """What follows for jobs and totals on cores like the one that was measured."""
    head = ["task", "jobs", "trainings", "epochs each", "dense job, h", "longest compress job, h"]
    head += ["all, core days", "all, PMAC", "networks, GB", "resume files of a job, GB"]
    rows = []
    for plan, m in zip(plans, measured, strict=True):
        every, longest = sum(plan.trainings.values()), max(plan.trainings.values())
        # A finished round keeps its network, the rewound one and a mask of a byte per weight.
        kept = longest * plan.network_mb * 2.25 + m.resume_mb
        rows.append(
            [
                plan.task,
                str(plan.jobs),
                str(every * plan.seeds),
                str(plan.epochs),
                short(hours(plan, m, 1)),
                short(hours(plan, m, longest)),
                short(hours(plan, m, every) * plan.seeds / 24),
                short(every * plan.seeds * plan.training_macs / 1e15),
                short(plan.stored * plan.network_mb * plan.seeds / 1e3),
                short(kept / 1e3),
            ]
        )
    print_table(head, rows)


def print_cores(plans: list[Plan], measured: list[Measured]) -> None:
    """Days on a cluster of processors: no fewer than the longest chain of trainings needs."""
    pairs = list(zip(plans, measured, strict=True))
    total = sum(hours(p, m, sum(p.trainings.values())) * p.seeds for p, m in pairs)
    chain = max(hours(p, m, p.longest_chain) for p, m in pairs)
    rows = [[str(n), short(max(total / n, chain) / 24)] for n in CORES]
    print_table(["cores", "days"], rows)
    print(f"All: {short(total / 24)} core days; the longest chain: {short(chain / 24)} days.\n")


def print_gpus(plans: list[Plan]) -> None:
    """Hours that follow from a throughput that is assumed."""
    total = sum(p.seeds * sum(p.trainings.values()) * p.training_macs for p in plans)
    chain = max(p.longest_chain * p.training_macs for p in plans)
    rows = []
    for tflops in ASSUMED_TFLOPS:
        one, least = (m * FLOPS_PER_MAC / (tflops * 1e12) / HOUR for m in (total, chain))
        rows.append([str(tflops), short(one), short(max(one / 10, least))])
    head = ["sustained TFLOP/s of a GPU (assumed, not measured)", "one GPU, h", "ten GPUs, h"]
    print_table(head, rows)
    print(f"All: {total / 1e15:.0f} PMAC of training, the longest chain {chain / 1e15:.0f}.")


def main() -> None:
    """Measure, then print the tables."""
    parser = argparse.ArgumentParser(description="what a profile costs to train, by a few steps")
    usual = ROOT / "config/paper.yaml"
    parser.add_argument("config", type=Path, nargs="?", default=usual, help="of the profile")
    parser.add_argument("steps", type=int, nargs="?", default=STEPS, help="measured for each task")
    given = parser.parse_args()
    steps, config = given.steps, read_config(given.config)
    plans = [plan_of(name, config) for name in config["tasks"]]
    measured = [in_fresh_process(p.task, config["tasks"][p.task], steps) for p in plans]
    print_steps(plans, measured)
    print_jobs(plans, measured)
    print_cores(plans, measured)
    print_gpus(plans)


if __name__ == "__main__":
    main()
