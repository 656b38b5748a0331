"""The compress job: all rounds of one method, seed and set of pruning settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn

from mirtrim.counting.operations import macs
from mirtrim.pruning.methods import Method, Round, Ticket, get_method
from mirtrim.pruning.settings import PruningSettings
from mirtrim.runs.jobs.dense import Dense
from mirtrim.runs.jobs.ended import mark_ended
from mirtrim.runs.jobs.finished import Finished, load_finished, save_finished
from mirtrim.runs.jobs.networks import load_round
from mirtrim.runs.jobs.rounds import Cost, Stage, job_digest, measure, train
from mirtrim.runs.jobs.setting import Progress, Setting, TaskData, silent
from mirtrim.runs.rows import Row, write_pieces, write_rows
from mirtrim.training import CPU, Hook
from mirtrim.units import storage
from mirtrim.utils.errors import MirtrimError, RatioError
from mirtrim.utils.seeds import torch_generator

# Criteria that look at data see this many training batches.
SCORING_BATCHES = 16


@dataclass(frozen=True)
class Run:
    """One run: a method with its settings, on one task and seed.

    Attributes:
        dense: the network that it starts from.
        dense_cost: what that has cost.
        rounds: round number → ratio: the run's ratios at their positions among the task's.
        reference_folder: networks of the run that `settings.reference` names.
    """

    setting: Setting
    dense: Dense
    dense_cost: Cost
    settings: PruningSettings
    rounds: Mapping[int, float]
    seed: int
    reference_folder: Path | None = None

    @property
    def method(self) -> Method:
        """The method, by its name."""
        return get_method(self.settings.method)

    def first_ticket(self) -> Ticket:
        """Where the method starts: at the trained dense network, or at its initial weights."""
        network = self.setting.new_network(self.seed)
        initial = self.method.start == "initial"
        network.load_state_dict(self.dense.initial if initial else self.dense.best)
        return Ticket(network, dict(self.dense.rewind), dict(self.dense.initial))

    def sizes_of(self, network: nn.Module) -> dict[str, int]:
        """Parameters and MACs of a dense network, which ratios refer to."""
        example = self.setting.task.example_input(self.setting.features)
        parameters = sum(p.numel() for p in network.parameters())
        return {"parameters": parameters, "macs": macs(network, example)}

    def first_cost(self) -> Cost:
        """What had to be spent before the first round."""
        return Cost() if self.method.start == "initial" else self.dense_cost


def setting_of_run(setting: Setting, settings: PruningSettings) -> Setting:
    """`setting` with what the method of such a run changes: epochs, or the share of a teacher."""
    method = get_method(settings.method)
    training = dict(setting.config["training"])
    epochs, teacher = getattr(method, "epochs", None), getattr(method, "teacher", None)
    if epochs is not None:
        training["epochs"] = epochs(settings, training["epochs"], setting.config["rewind_epoch"])
    if teacher is not None:
        training["teacher"] = teacher(settings)
    if training == setting.config["training"]:
        return setting
    return replace(setting, config={**setting.config, "training": training})


def compress(
    run: Run,
    *,
    rows_path: Path,
    pieces_path: Path,
    networks_folder: Path,
    resume_folder: Path,
    code: str = "-",
    progress: Progress = silent,
) -> None:
    """Run every round; write one row per ratio, scores per piece, and the networks.

    Each finished round is kept in `resume_folder`, so a killed job continues where it stopped,
    with the same bits; `remove_ended` clears that folder.

    Args:
        code: digest of the code behind the job (`runs.code`), for its rows.
    """
    rounds = list(run.rounds.items())
    folder = resume_folder / job_digest(
        run.setting, run.seed, code, run.settings.seed_words, rounds
    )
    folder.mkdir(parents=True, exist_ok=True)
    ticket, cost = run.first_ticket(), run.first_cost()
    dense = run.sizes_of(ticket.network)
    check_reachable(run, ticket.network)
    rows: list[Row] = []
    pieces: list[pd.DataFrame] = []
    for number, ratio in rounds:
        kept = folder / f"round-{number:02d}"
        finished = load_finished(kept, lambda: run.setting.new_network(run.seed))
        if finished is None:
            if run.method.start != "last":
                ticket, cost = run.first_ticket(), run.first_cost()
            current = _round(run, number, ratio, dense)
            try:
                finished = _run_round(run, ticket, current, cost, code, folder, progress)
            except MirtrimError as error:
                where = f"task {run.setting.task.name}, ratio {ratio:g}"
                raise type(error)(f"{where}: {error}") from error
            save_finished(kept, finished)
            for path in folder.glob(f"fit-{number:02d}-*"):
                path.unlink(missing_ok=True)
        ticket, cost = finished.ticket, finished.cost
        rows.append(finished.row)
        pieces.append(finished.pieces)
        storage.save(ticket.network, networks_folder / f"ratio-{ratio:g}")
    write_pieces(pieces_path, pieces)
    write_rows(rows_path, rows)
    mark_ended(folder)


def _run_round(
    run: Run,
    ticket: Ticket,
    current: Round,
    cost: Cost,
    code: str,
    folder: Path,
    progress: Progress,
) -> Finished:
    """Prepare, train, finish, measure."""
    method, settings, device = run.method, run.settings, run.setting.device
    # Some methods make their network on the processor.
    ticket = method.prepare(ticket.to(device), settings, current).to(device)
    hook = Hook()
    for part in range(method.trainings(settings)):
        stage = Stage(current.number, current.ratio, part)
        hook = method.hook(ticket, settings, current)
        trained = train(
            run.setting,
            ticket.network,
            run.seed,
            stage,
            hook=hook,
            epochs_factor=method.epochs_factor(current),
            training_cost=method.training_cost,
            resume_path=folder / f"fit-{current.number:02d}-{part}.safetensors",
            progress=progress,
            name=_stage_name(run, stage),
        )
        cost = cost + trained.cost
        method.trained(ticket, part)
    ticket = method.finish(ticket, settings, current, hook)
    method.check(ticket)
    row, pieces = measure(
        run.setting,
        ticket.network,
        run.seed,
        stage,
        trained,
        settings=settings,
        masked=method.masks,
        dense_parameters=current.dense["parameters"],
        total=cost,
        equivalence_difference=ticket.equivalence_difference,
        code_digest=code,
    )
    return Finished(ticket.to(CPU), row, pieces, cost)


def _stage_name(run: Run, stage: Stage) -> str:
    """The progress of a training, for users."""
    place = list(run.rounds).index(stage.round) + 1
    name = f"round {place}/{len(run.rounds)}, ratio {stage.target_ratio:g}"
    trainings = run.method.trainings(run.settings)
    return name if trainings == 1 else f"{name}, training {stage.part + 1}/{trainings}"


def _round(run: Run, number: int, ratio: float, dense: Mapping[str, int]) -> Round:
    setting, seed, device = run.setting, run.seed, run.setting.device
    data = TaskData(setting, seed, "scoring")

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        for inputs, targets in islice(data.batches(number), SCORING_BATCHES):
            yield inputs.to(device), targets.to(device)

    def reference() -> nn.Module:
        assert run.reference_folder is not None
        return load_round(run.reference_folder, ratio, lambda: setting.new_network(seed))

    scoring = {
        "batches": batches,
        "loss": data.loss,
        "generator": torch_generator(
            seed, setting.task.name, "cut", run.settings.seed_words, number
        ),
    }
    given: dict[str, Any] = {"reference": reference} if run.reference_folder else {}
    return Round(
        ratio,
        dense,
        setting.task.example_input(setting.features).to(device),
        scoring,
        number=number,
        steps=setting.fit_settings.epochs * data.steps_per_epoch,
        initialise=setting.initialise,
        **given,
    )


def check_reachable(run: Run, network: nn.Module) -> None:
    """Fail before hours of training if the last ratio cannot be reached."""
    task, wanted = run.setting.task, max(run.rounds.values())
    example = task.example_input(run.setting.features)
    highest = run.method.highest_ratio(network, example, run.settings)
    if wanted > highest:
        parameters = sum(p.numel() for p in network.parameters())
        raise RatioError(
            f"task {task.name}: {run.settings.method} cannot reach ratio {wanted:g} on its network "
            f"of {parameters} parameters, {highest:.1f} is the most; lower `ratios` or widen the "
            "network"
        )
