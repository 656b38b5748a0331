"""What a row says is what happened: decoding from validation, counted ratios, whole costs."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mirtrim.pruning.methods import METHODS, settings_of
from mirtrim.runs.jobs.compress import Run
from mirtrim.runs.jobs.dense import Dense
from mirtrim.runs.jobs.rounds import Cost, Stage, Trained, measure
from mirtrim.runs.jobs.setting import Setting, TaskData
from mirtrim.runs.rows import read_rows
from mirtrim.training import FitResult
from mirtrim.units import storage
from tests.runs.jobs.synthetic import RATIOS, Job

EXAMPLES = 3 * 64  # of a training: epochs times examples per epoch
ACTIVATIONS = {"validation": [0.6, 0.9], "test": [0.1, 0.7, 0.8, 0.9, 0.95]}


class Told:
    """A task whose activations are known; a piece is right at or above their mean when tuned.

    Validation: the mean is 0.75, 1 of 2 is right. Test at 0.75: 3 of 5. At the mean of the test
    split, 0.69, 4 of 5 would be right, and 1 of 2 of validation.
    """

    name, main_score = "told", "accuracy"

    def predict(self, network: Any, store: Any, split: str, features: Any) -> Any:
        return {f"{split}{n}": value for n, value in enumerate(ACTIVATIONS[split])}

    def tune(self, predictions: Mapping[str, float], store: Any, features: Any) -> Any:
        return {"threshold": float(np.mean(list(predictions.values())))}

    def score(self, predictions: Any, store: Any, features: Any, decoding: Any) -> pd.DataFrame:
        right = {k: {"accuracy": float(v >= decoding["threshold"])} for k, v in predictions.items()}
        return pd.DataFrame.from_dict(right, orient="index")

    def summarise(self, pieces: pd.DataFrame) -> dict[str, float]:
        return {"accuracy": float(pieces.accuracy.mean())}


def test_the_decoding_is_tuned_on_validation_and_the_errors_are_of_their_splits() -> None:
    setting = Setting("p", "c", cast(Any, Told()), {"features": {}}, cast(Any, None))
    found = setting.evaluate(nn.Linear(1, 1))
    assert found.test_scores == {"accuracy": 0.6, "threshold": 0.75}
    assert found.validation_error == 0.5
    assert found.test_error == pytest.approx(0.4)
    assert found.test_pieces.accuracy.tolist() == [0, 0, 1, 1, 1]
    assert list(found.test_pieces.index) == ["test0", "test1", "test2", "test3", "test4"]


class Drawn:
    """A task whose batch is what its generator draws first."""

    name = "drawn"

    def batches(self, store: Any, training: Any, rng: np.random.Generator) -> Iterator[int]:
        yield int(rng.integers(2**60))


def first_draw(seed: int = 0, round: int = 1, part: int = 0, epoch: int = 1) -> int:
    config = {"features": {}, "training": {}}
    setting = Setting("p", "c", cast(Any, Drawn()), config, cast(Any, None))
    data = TaskData(setting, seed, Stage(round, 2.0, part).stream)
    (draw,) = data.batches(epoch)
    return cast(int, draw)


def test_every_seed_round_training_and_epoch_sees_batches_of_its_own() -> None:
    places: list[dict[str, int]] = [
        {},
        {"seed": 1},
        {"round": 2},
        {"round": 11},
        {"part": 1},
        {"part": 2},
        {"round": 2, "part": 1},
        {"epoch": 2},
    ]
    draws = [first_draw(**place) for place in places]
    assert len(set(draws)) == len(places)
    assert draws == [first_draw(**place) for place in places]  # whatever came before


def test_ratios_are_counted(undisturbed: Path) -> None:
    dense = read_rows([undisturbed / "dense.csv"]).iloc[0]
    trim, mask = (read_rows([undisturbed / f"{m}.csv"]) for m in ("trim", "mask"))
    assert dense.ratio == 1
    new = Job(undisturbed).setting.new_network
    for asked, told in zip(RATIOS, trim.itertuples(), strict=True):
        path = undisturbed / "trim" / f"ratio-{asked:g}"
        left = sum(p.numel() for p in storage.load(path, lambda: new(0)).parameters())
        assert (told.parameters, told.ratio) == (left, dense.parameters / left)
    # Whole units go, so the ratio that is reached lies beyond what was asked.
    assert (trim.ratio > RATIOS).all()
    assert mask.parameters.tolist() == [dense.parameters] * 2
    assert mask.ratio.tolist() == [dense.parameters / n for n in mask.nonzeros]
    # Of 100 weights at ratio 4, 25 are left: rounded down.
    assert mask.nonzeros.tolist() == [dense.parameters // 2, dense.parameters // 4]


@pytest.mark.parametrize("masked", [False, True])
def test_zeros_count_where_weights_are_masked_and_nowhere_else(
    tmp_path: Path, masked: bool
) -> None:
    setting = Job(tmp_path).setting
    network = setting.new_network(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1.0)
        next(network.parameters()).flatten()[:7] = 0.0
    every = sum(p.numel() for p in network.parameters())
    row, _ = measure(
        setting,
        network,
        0,
        Stage(1, 2.0),
        Trained(FitResult({}), Cost(), {}),
        settings=settings_of({"method": "trim"}),
        masked=masked,
        dense_parameters=10 * every,
        total=Cost(),
        equivalence_difference=-1.0,
        code_digest="-",
    )
    assert (row.parameters, row.nonzeros) == (every, every - 7)
    assert row.ratio == (10 * every / (every - 7) if masked else 10.0)


def test_a_chain_pays_for_the_dense_training_and_every_round(undisturbed: Path) -> None:
    dense = read_rows([undisturbed / "dense.csv"]).iloc[0]
    assert dense.training_macs == dense.total_training_macs == 3 * dense.macs * EXAMPLES
    for method in ("trim", "mask"):
        first, second = read_rows([undisturbed / f"{method}.csv"]).itertuples()
        assert first.training_macs == 3 * first.macs * EXAMPLES
        assert first.total_training_macs == dense.training_macs + first.training_macs
        assert second.total_training_macs == first.total_training_macs + second.training_macs
        assert [first.trainings, second.trainings] == [2, 3]
        seconds = [dense.train_seconds + first.train_seconds, second.train_seconds]
        assert first.total_train_seconds == pytest.approx(seconds[0], abs=0.002)
        assert second.total_train_seconds == pytest.approx(sum(seconds), abs=0.003)


@pytest.mark.parametrize(
    ("method", "passes", "epochs"),
    [
        # A training example costs three forward passes, the straight-through gate a fourth, and
        # CrAM computes every gradient twice.
        ("feedback", 3, [3, 3]),
        ("hard_gate", 3, [3, 3]),
        ("feedback_units", 4, [3, 3]),
        ("cram", 6, [3, 3]),
        ("dense_longer", 3, [6, 9]),
    ],
)
def test_what_starts_anew_pays_for_itself_alone(
    undisturbed: Path, tmp_path: Path, method: str, passes: int, epochs: list[int]
) -> None:
    for name in ("dense.safetensors", "dense.csv"):
        (tmp_path / name).write_bytes((undisturbed / name).read_bytes())
    given = {} if "criterion" not in METHODS[method].uses else {"criterion": "magnitude"}
    Job(tmp_path).compress(method, **given)
    rows = read_rows([tmp_path / f"{method}.csv"])
    macs = read_rows([tmp_path / "dense.csv"]).iloc[0].macs
    assert rows.epochs.tolist() == epochs
    assert rows.training_macs.tolist() == [passes * macs * 64 * n for n in epochs]
    assert rows.total_training_macs.tolist() == rows.training_macs.tolist()
    assert rows.trainings.tolist() == [1, 1]
    assert all(json.loads(text)["f_measure"] <= 1 for text in rows.scores)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_pays_for_the_dense_network_if_it_starts_from_it(method: str) -> None:
    spent = Cost(1, 2.5, 1000)
    run = Run(
        cast(Any, SimpleNamespace()),
        Dense({}, {}, {}),
        spent,
        cast(Any, SimpleNamespace(method=method)),
        {1: 2.0},
        0,
    )
    start = METHODS[method].start
    assert run.first_cost() == (Cost(0, 0.0, 0) if start == "initial" else spent)
