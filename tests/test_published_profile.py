"""Profile `published`: the published networks, rewound to where weights have been trained."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from mirtrim.runs.config import validate
from mirtrim.tasks.registry import get_task
from mirtrim.training import FitSettings
from mirtrim.training.fitting import _scheduler
from mirtrim.training.optimizers import optimizer_of

ROOT = Path(__file__).resolve().parents[1]
TASKS = ("chord", "drums", "instrument", "onset", "pitch")
WIDTHS = {
    "chord": ("widths", "hidden"),
    "drums": ("channels", "hidden"),
    "instrument": ("kernel", "channels", "hidden"),
    "onset": ("channels", "hidden"),
    "pitch": ("capacity", "first_kernel"),
}
INPUT_SHAPES = {
    "chord": (1, 105, 15),
    "drums": (1, 64, 50),
    "instrument": (1, 32768),
    "onset": (1, 64, 50),
    "pitch": (1, 1024),
}
# Of the paper's code, but for what is declared in config/README.md: no second logit per frame,
# five classes fewer, three more channels of the last convolution of `instrument` (64 weights for
# each of 64 channels, and a bias), whose 496 steps each go to 512 units; no gain and offset of the
# first norm.
PARAMETERS = {
    "chord": 416_207 - 2,
    "drums": 8_038_701 - 3 * 50 * (1024 + 1),
    "instrument": 796_558 - 5 * (512 + 1) + 3 * (64 * 64 + 1) + 3 * 496 * 512,
    "onset": 5_730_405 - 50 * (1024 + 1),
    "pitch": 486_552,
}


def overriding(base: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """As Snakemake reads one configuration over another."""
    result = dict(base)
    for key, value in other.items():
        old = result.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[key] = overriding(old, value) if both else value
    return result


def read(*names: str) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for name in names:
        text = (ROOT / f"config/{name}.yaml").read_text(encoding="utf-8")
        config = overriding(config, yaml.safe_load(text))
    return config


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    schema = ROOT / "workflow/schemas/config.schema.yaml"
    return validate(read("default", "published"), schema)


def test_it_has_the_five_tasks_and_their_seeds(config: dict[str, Any]) -> None:
    assert set(config["tasks"]) == set(TASKS)
    seeds = {
        task: {
            *config["seeds"],
            *(
                seed
                for study in config["studies"].values()
                if task in study["tasks"]
                for seed in study["seeds"]
            ),
        }
        for task in TASKS
    }
    assert {task: len(found) for task, found in seeds.items()} == {
        **dict.fromkeys(TASKS, 3),
        "chord": 5,
        "pitch": 5,
    }


@pytest.mark.parametrize("task", TASKS)
def test_networks_are_the_published_ones(config: dict[str, Any], task: str) -> None:
    block, paper = config["tasks"][task], read("paper")["tasks"][task]
    for key in WIDTHS[task]:
        assert block["network"][key] == paper["network"][key]
    example = get_task(task).example_input(block["features"])
    assert tuple(example.shape) == (1, *INPUT_SHAPES[task])
    network = get_task(task).network(block["features"], block["network"])
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[task]
    with torch.no_grad():
        assert network.eval()(example).isfinite().all()


@pytest.mark.parametrize("task", TASKS)
def test_weights_are_rewound_to_behind_the_rise_of_the_rate(
    config: dict[str, Any], task: str
) -> None:
    block = config["tasks"][task]
    training, rewind = block["training"], block["rewind_epoch"]
    names = FitSettings.__dataclass_fields__
    settings = FitSettings(**{k: v for k, v in training.items() if k in names})
    steps = training["examples_per_epoch"] // training["batch_size"]
    optimizer = optimizer_of(nn.Linear(1, 1), settings)
    scheduler = _scheduler(optimizer, settings, steps)
    rates = []
    for _ in range(steps * settings.epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    highest = rates.index(max(rates))
    assert highest < rewind * steps
    assert 0.1 <= rewind / settings.epochs <= 0.5
    # Nor so late that nothing is left to learn.
    assert rates[rewind * steps] > 0.5 * max(rates)


@pytest.mark.parametrize("task", TASKS)
def test_every_ratio_can_be_reached(config: dict[str, Any], task: str) -> None:
    from mirtrim.pruning.methods import get_method, settings_of

    block = config["tasks"][task]
    network = get_task(task).network(block["features"], block["network"])
    example = get_task(task).example_input(block["features"])
    runs = [*config["runs"], *(r for s in config["studies"].values() for r in s["runs"])]
    for run in runs:
        highest = get_method(run["method"]).highest_ratio(network, example, settings_of(run))
        assert max(run["ratios"] or block["ratios"]) <= highest, run["method"]
