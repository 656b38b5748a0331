"""The mask of another run under fresh weights, and rounds that keep their weights: literals."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of, settings_of_name
from mirtrim.runs.jobs.compress import Run, compress, setting_of_run
from mirtrim.runs.jobs.dense import dense_cost, load_dense
from mirtrim.runs.jobs.networks import load_round
from mirtrim.runs.rows import read_rows
from mirtrim.utils.errors import ConfigError
from tests.runs.jobs.synthetic import Job

MASK = "mask_magnitude_local_rewind"
CHOICES = settings_of({"method": "same_mask", "reference": MASK})
LONGER = settings_of({"method": "same_mask", "reference": MASK, "rewind_epochs": "added"})


def line(*weights: float) -> nn.Sequential:
    """y = w · x, with a bias of 0.25."""
    network = nn.Sequential(nn.Linear(len(weights), 1))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([weights]))
        network[0].bias.fill_(0.25)
    return network


def current(reference: nn.Module, *fresh: float) -> Round:
    """A round in which fresh weights are these, and fresh biases −1."""

    def initialise(network: nn.Module, generator: torch.Generator) -> None:
        with torch.no_grad():
            weight: Tensor = network[0].weight
            weight.copy_(torch.tensor([fresh]))
            network[0].bias.fill_(-1)

    return Round(
        2.0, {"parameters": 5, "macs": 4}, torch.ones(1, 4), {"generator": torch.Generator()},
        initialise=initialise, reference=lambda: reference,
    )  # fmt: skip


def test_fresh_weights_stand_where_the_other_run_has_some_and_stay_masked_in_training() -> None:
    """w = (0, 2, 0, −5) masks the first and third; w = (7, 8, 9, 10) becomes (0, 8, 0, 10).
    y = 17, g = y·x, w' = w − 0.1·g = (·, 6.3, ·, 8.3)."""
    method = get_method("same_mask")
    here = current(line(0.0, 2.0, 0.0, -5.0), 7, 8, 9, 10)
    found = method.prepare(Ticket(line(1, 1, 1, 1), {}), CHOICES, here)
    weight = found.network[0].weight
    assert weight.tolist() == [[0.0, 8.0, 0.0, 10.0]]
    assert found.network[0].bias.tolist() == [-1.0]
    assert found.masks["0.weight"].tolist() == [[False, True, False, True]]
    optimizer = torch.optim.SGD(found.network.parameters(), 0.1)
    hook = method.hook(found, CHOICES, here)
    (found.network(torch.ones(1, 4)).square().sum() / 2).backward()
    optimizer.step()
    hook.after_step(0)
    assert torch.allclose(weight, torch.tensor([[0.0, 6.3, 0.0, 8.3]]))
    method.check(found)
    with torch.no_grad():
        weight[0, 0] = 1e-9
    with pytest.raises(AssertionError, match="masked weight"):
        method.check(found)


def test_a_bias_of_zero_is_not_masked() -> None:
    other = line(0.0, 2.0, 0.0, -5.0)
    with torch.no_grad():
        other[0].bias.zero_()
    found = get_method("same_mask").prepare(Ticket(other, {}), CHOICES, current(other, 1, 1, 1, 1))
    assert list(found.masks) == ["0.weight"]


def test_a_run_that_masks_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match="masks nothing; name a mask run"):
        get_method("same_mask").prepare(
            Ticket(line(1, 1), {}), CHOICES, current(line(1, 2, 3, 4), 1, 1, 1, 1)
        )
    trim = {"method": "same_mask", "reference": "trim_magnitude_local_rewind"}
    with pytest.raises(ConfigError, match="reference: same_mask copies masks, and trim_.* masks"):
        settings_of(trim)
    with pytest.raises(ConfigError, match="no run is called 'mask_by_ear'"):
        settings_of({**trim, "reference": "mask_by_ear"})


@pytest.mark.parametrize(
    ("choices", "epochs"), [(CHOICES, 30), (LONGER, 42)], ids=["left out", "added"]
)
def test_epochs(choices: Any, epochs: int) -> None:
    """30 epochs; weights of the others were rewound to epoch 12."""
    assert get_method("same_mask").epochs(choices, 30, 12) == epochs


def test_names_say_what_they_are_and_can_be_read() -> None:
    assert CHOICES.name == f"same_mask_reference_{MASK}"
    assert CHOICES.label == "same mask (of mask)"
    assert LONGER.name == f"same_mask_reference_{MASK}_rewind_epochs_added"
    assert LONGER.label == "same mask (of mask, rewind epochs added)"
    shuffled = settings_of(
        {"method": "same_mask", "reference": f"{MASK}_order_shuffled", "rewind_epochs": "added"}
    )
    kept = settings_of({"method": "nothing_removed", "reset": "finetune"})
    assert (kept.name, kept.label) == ("nothing_removed_finetune", "nothing removed (finetune)")
    for settings in (CHOICES, LONGER, shuffled, kept):
        assert settings_of_name(settings.name) == settings
    # The run that has always been there is called what it was.
    for reset in ("rewind", "reinit"):
        assert settings_of({"method": "nothing_removed", "reset": reset}).name == "nothing_removed"
    assert settings_of_name("nothing_removed").columns["reset"] == "-"


def test_nothing_removed_rewinds_or_keeps() -> None:
    rewind = line(9, 9).state_dict()
    for run, weights in (({}, [9.0, 9.0]), ({"reset": "finetune"}, [1.0, 2.0])):
        settings = settings_of({"method": "nothing_removed", **run})
        ticket = Ticket(line(1, 2), dict(rewind))
        found = get_method("nothing_removed").prepare(ticket, settings, current(line(1, 2), 5, 5))
        assert found.network[0].weight.tolist() == [weights]


def test_a_job_trains_under_the_masks_of_another_for_as_long_as_it_says(
    undisturbed_masks: Job,
) -> None:
    """Two epochs, rewound to epoch 1: three with those that came before."""
    job = undisturbed_masks
    networks = {}
    for name, choices, epochs in (("same", CHOICES, 2), ("longer", LONGER, 3)):
        setting = setting_of_run(job.setting, choices)
        run = Run(
            setting, load_dense(job.folder / "dense.safetensors"),
            dense_cost(job.folder / "dense.csv"), choices, {1: 2.0}, 0, job.folder / "mask",
        )  # fmt: skip
        compress(
            run, rows_path=job.folder / f"{name}.csv", pieces_path=job.folder / f"{name}_p.csv",
            networks_folder=job.folder / name, resume_folder=job.folder / "resume",
        )  # fmt: skip
        row = read_rows([job.folder / f"{name}.csv"]).iloc[0]
        masked = read_rows([job.folder / "mask.csv"]).query("target_ratio == 2").iloc[0]
        assert (row.epochs, row.nonzeros, row.trainings) == (epochs, masked.nonzeros, 1)
        networks[name] = load_round(job.folder / name, 2.0, lambda: job.setting.new_network(0))
    reference = load_round(job.folder / "mask", 2.0, lambda: job.setting.new_network(0))
    for name, weight in reference.named_parameters():
        if weight.dim() >= 2:
            for network in networks.values():
                other = dict(network.named_parameters())[name]
                assert torch.equal(other != 0, weight != 0)
                assert not torch.equal(other, weight)


@pytest.fixture
def undisturbed_masks(tmp_path: Path) -> Job:
    job = Job(tmp_path, training={"epochs": 2})
    job.config["rewind_epoch"] = 1
    job.dense()
    job.compress("mask")
    assert isinstance(read_rows([tmp_path / "mask.csv"]), pd.DataFrame)
    return job
