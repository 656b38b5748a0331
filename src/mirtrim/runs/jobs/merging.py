"""One trimmed trunk for two tasks: what does it cost each of them?

The start is a ticket of one task (`first`), with the weights that it was trained from. Its finished
network is trained already. The other task is trained once, from the same trunk with new heads of
the same shape. Both then differ from the start in what their training has changed, and from each
other in nothing that was cut, so that their trunks can be merged (`pruning.merging`); heads stay
each task's own. Statistics of batch norms are measured anew for every task and every trunk, those
of the separate networks among them, as no training has left any for a merged one (Jordan et al.,
REPAIR, ICLR 2023).
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from math import nan
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from mirtrim.pruning.merging import Weights, cosine, elect, task_vector, with_vectors
from mirtrim.pruning.methods.batch_statistics import recompute_statistics
from mirtrim.runs.jobs import compress
from mirtrim.runs.jobs.connectivity import STATISTICS_BATCHES, tickets_of
from mirtrim.runs.jobs.networks import load_round
from mirtrim.runs.jobs.setting import Evaluation, Setting, TaskData
from mirtrim.runs.measured_rows import Merge, shared_of, write_measured
from mirtrim.training import EpochReport, fit
from mirtrim.units.copying import copied
from mirtrim.utils.errors import ConfigError
from mirtrim.utils.seeds import derive, torch_generator

HEADS = "heads"
STRENGTHS = tuple(step / 10 for step in range(11))  # of λ, as its authors search it
NUMBER_BYTES = 4


def trunk_of(network: nn.Module) -> Weights:
    """Copies of the parameters that tasks may share: all but those of the heads."""
    return {
        name: parameter.detach().clone()
        for name, parameter in network.named_parameters()
        if not name.startswith(f"{HEADS}.")
    }


def with_new_heads(start: nn.Module, setting: Setting, seed: int) -> nn.Module:
    """A copy of `start` with fresh heads for the task of `setting`, of the shape of its own.

    Raises:
        ConfigError: the network has no heads, or with them its outputs are not those of the task.
    """
    network, wanted = copied(start), setting.new_network(seed)
    of_start, of_task = (getattr(one, HEADS, None) for one in (network, wanted))
    if not isinstance(of_start, nn.ModuleList) or not isinstance(of_task, nn.ModuleList):
        raise ConfigError(
            f"merging: the network of {setting.task.name} or of the task that it is merged with "
            "has no trunk with heads; choose onset and drums"
        )
    heads = nn.ModuleList(copied(of_start[0]) for _ in of_task)
    setting.initialise(heads, torch_generator(seed, setting.task.name, "merging", "heads"))
    setattr(network, HEADS, heads)
    example = setting.task.example_input(setting.features)
    with torch.no_grad():
        shapes = [tuple(one.eval()(example).shape) for one in (network, wanted)]
    if shapes[0] != shapes[1]:
        raise ConfigError(
            f"merging: the shared trunk gives {setting.task.name} outputs of shape {shapes[0]}, "
            f"its own network {shapes[1]}; give both tasks networks of one kind"
        )
    return network


@dataclass(frozen=True)
class Learner:
    """One task with its network, trained from the shared trunk."""

    setting: Setting
    network: nn.Module
    seed: int

    @cached_property
    def trunk(self) -> Weights:
        """What its training has made of the trunk."""
        return trunk_of(self.network)

    @cached_property
    def _seen(self) -> list[tuple[Tensor, Tensor]]:
        batches = TaskData(self.setting, self.seed, "merging").batches(1)
        return list(islice(batches, STATISTICS_BATCHES))

    def score(self, trunk: Weights) -> Evaluation:
        """The scores of its heads on another trunk; its own network stays as it is."""
        network = copied(self.network)
        parameters = dict(network.named_parameters())
        with torch.no_grad():
            for name, value in trunk.items():
                parameters[name].copy_(value)
        recompute_statistics(network, lambda: self._seen)
        return self.setting.evaluate(network)

    @property
    def head_parameters(self) -> int:
        """Parameters of its heads."""
        return _numbers(self.network.parameters()) - _numbers(self.trunk.values())

    @property
    def statistics(self) -> int:
        """Running means and variances of its batch norms."""
        return _numbers(value for value in self.network.buffers() if value.is_floating_point())


@dataclass(frozen=True)
class Merged:
    """One way to merge both tasks.

    Attributes:
        way: "separate" networks, "start" (the trunk before both trainings), "average",
            "task_vectors" or "emr".
        scores: of every task.
        strength: λ; NaN where there is none.
        searched: mean validation error at each of `STRENGTHS`, where λ was chosen by it.
        parameters: numbers that training has found and that have to be stored.
        stored_bytes: all that has to be stored: these and the statistics of batch norms in single
            precision, and masks at one bit per weight.
    """

    way: str
    scores: tuple[Evaluation, ...]
    parameters: int
    stored_bytes: int
    strength: float = nan
    searched: tuple[float, ...] = ()


def merged_in_every_way(start: Weights, learners: Sequence[Learner]) -> Iterator[Merged]:
    """Score all ways to merge the tasks of `learners`, which were trained from `start`.

    λ is chosen by the mean validation error; of equal ones the smallest λ.
    """
    vectors = [task_vector(start, learner.trunk) for learner in learners]
    trunk, tasks = _numbers(start.values()), len(learners)
    heads = sum(learner.head_parameters for learner in learners)
    statistics = sum(learner.statistics for learner in learners)

    def scored(trunks: Sequence[Weights]) -> tuple[Evaluation, ...]:
        return tuple(learner.score(own) for learner, own in zip(learners, trunks, strict=True))

    def size(parameters: int, mask_bits: int = 0) -> tuple[int, int]:
        return parameters, NUMBER_BYTES * (parameters + statistics) + -(-mask_bits // 8)

    own = scored([learner.trunk for learner in learners])
    yield Merged("separate", own, *size(tasks * trunk + heads))
    line = {
        strength: scored([with_vectors(start, vectors, strength)] * tasks)
        for strength in dict.fromkeys((*STRENGTHS, 1 / tasks))
    }
    searched = tuple(
        sum(one.validation_error for one in line[strength]) / tasks for strength in STRENGTHS
    )
    best = STRENGTHS[searched.index(min(searched))]
    shared = size(trunk + heads)
    yield Merged("start", line[0.0], *shared, 0.0)
    yield Merged("average", line[1 / tasks], *shared, 1 / tasks)
    yield Merged("task_vectors", line[best], *shared, best, searched)
    elected = elect(vectors)
    # The start is kept next to the elected vector: every task needs both.
    stored = size(2 * trunk + heads + tasks, mask_bits=tasks * trunk)
    yield Merged("emr", scored([elected.weights(start, t) for t in range(tasks)]), *stored)


def measure_merging(
    run: compress.Run,
    other: Setting,
    rows: pd.DataFrame,
    networks: Path,
    ratios: Collection[float],
    path: Path,
    *,
    code_digest: str,
    other_name: str | None = None,
    tell: Callable[[str], None] = lambda text: None,
    report: Callable[[EpochReport], None] = lambda epoch: None,
) -> None:
    """Train the other task from the tickets of a run, merge, score, and write it down.

    Args:
        run: of the first task; goes from ticket to ticket and removes units.
        other: the task that shares its trunk.
        rows: result rows of the run and seed.
        networks: the folder that the run's job wrote.
        ratios: at which ratios; others are passed over.
        other_name: of the variant of the other task, if it is one.

    Raises:
        ConfigError: the run masks, has no tickets, or has none of the ratios, or the tasks cannot
            share a trunk.
        ArtefactError: a network is missing, damaged, or not of the shape of its ticket.
    """
    if run.method.masks:
        raise ConfigError(f"merging: {run.settings.name} masks; choose a run of trim")
    if dict(run.setting.features) != dict(other.features):
        raise ConfigError(
            f"merging: {run.setting.task.name} and {other.task.name} have different features, "
            "and cannot share a trunk; give both tasks the same"
        )
    of_ratio = {row.target_ratio: row for _, row in rows.iterrows() if row.target_ratio in ratios}
    found: list[Merge] = []
    for ratio, current, ticket in tickets_of(run, networks) if of_ratio else ():
        if ratio not in of_ratio:
            continue
        start = copied(ticket.network)
        finished = load_round(networks, ratio, lambda: run.setting.new_network(run.seed))
        second = with_new_heads(start, other, run.seed)
        fit(
            second,
            TaskData(other, run.seed, f"merging round {current.number}"),
            other.fit_settings,
            derive(run.seed, other.task.name, "merging", current.number),
            report=report,
        )
        learners = [Learner(run.setting, finished, run.seed), Learner(other, second, run.seed)]
        vectors = [task_vector(trunk_of(start), learner.trunk) for learner in learners]
        for merged in merged_in_every_way(trunk_of(start), learners):
            first_score, other_score = merged.scores
            tell(
                f"ratio {ratio:g}: {merged.way.replace('_', ' ')}: error "
                f"{first_score.test_error:.4f} on {run.setting.task.name}, "
                f"{other_score.test_error:.4f} on {other.task.name}"
            )
            found.append(
                Merge(
                    **shared_of(of_ratio[ratio], code_digest),
                    variant=of_ratio[ratio].get("variant", "{}"),
                    other_task=other_name or other.task.name,
                    way=merged.way,
                    strength=merged.strength,
                    test_error=first_score.test_error,
                    other_test_error=other_score.test_error,
                    validation_error=first_score.validation_error,
                    other_validation_error=other_score.validation_error,
                    errors=json.dumps([round(error, 6) for error in merged.searched]),
                    cosine=cosine(*vectors),
                    stored_parameters=merged.parameters,
                    stored_bytes=merged.stored_bytes,
                    epochs=other.fit_settings.epochs,
                )
            )
        if len({row.target_ratio for row in found}) == len(of_ratio):
            break
    if not found:
        raise ConfigError(f"merging: no ratio of {', '.join(map(str, ratios))} was run")
    write_measured(path, found)


def _numbers(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
