"""Linear mode connectivity: the barrier in numbers, and of a ticket that is trained twice."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from mirtrim.pruning.masking import MaskHook, apply_masks, full_masks, masked_entries_are_zero
from mirtrim.runs.jobs.connectivity import Connectivity, along_the_line, connectivity, interpolated
from mirtrim.runs.jobs.dense import load_dense
from mirtrim.training import State, state_of
from tests.runs.jobs.synthetic import Job


def at(*values: float) -> State:
    return {"weight": torch.tensor(values), "count": torch.tensor(7)}


def test_between_two_states_lies_their_weighted_mean() -> None:
    found = interpolated(at(0.0, 10.0), at(4.0, 20.0), 0.25)
    assert found["weight"].tolist() == [1.0, 12.5]
    assert found["count"].item() == 7
    with pytest.raises(ValueError, match="not of one network"):
        interpolated(at(1.0), at(1.0, 2.0), 0.5)


def test_the_barrier_is_the_highest_error_above_the_mean_of_the_ends() -> None:
    """E(w) = 1 − (w − 2)² / 4 + w / 40 from 0 to 4: 0, 0.775, 1.05, 0.825, 0.1.

    The ends have 0.05 on average.
    """

    def error_of(state: State) -> float:
        (w,) = state["weight"].tolist()
        return 1 - (w - 2) ** 2 / 4 + w / 40

    found = along_the_line(at(0.0), at(4.0), error_of, points=5)
    assert found.shares == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert found.errors == pytest.approx([0.0, 0.775, 1.05, 0.825, 0.1])
    assert found.error_barrier == pytest.approx(1.0)


def test_a_valley_has_no_barrier_but_half_of_what_its_ends_differ() -> None:
    assert Connectivity((0.0, 0.5, 1.0), (0.2, 0.1, 0.2)).error_barrier == 0.0
    # The higher end lies above the mean of both.
    assert Connectivity((0.0, 0.5, 1.0), (0.2, 0.25, 0.3)).error_barrier == pytest.approx(0.05)


def test_a_ticket_is_trained_twice_from_its_own_weights(undisturbed: Path) -> None:
    setting = Job(undisturbed).setting
    network = setting.new_network(0)
    network.load_state_dict(load_dense(undisturbed / "dense.safetensors").rewind)
    masks = full_masks(network)
    for mask in masks.values():
        mask.view(-1)[::2] = False
    apply_masks(network, masks)
    before = state_of(network)
    kept: list[Tensor] = []

    class Watched(MaskHook):
        def after_step(self, step: int) -> None:
            super().after_step(step)
            assert masked_entries_are_zero(network, masks)
            if step == 0:
                kept.append(next(network.parameters()).detach().clone())

    found = connectivity(setting, network, 0, lambda: Watched(network, masks), points=3)
    assert found.shares == (0.0, 0.5, 1.0)
    assert len(found.errors) == 3
    assert all(0 <= error <= 1 for error in found.errors)
    first, second = kept
    assert not torch.equal(first, second)  # other batches, other noise
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    again = connectivity(setting, network, 0, lambda: MaskHook(network, masks), points=3)
    assert again == found
    # Two trainings on the same batches end in the same place.
    same = connectivity(setting, network, 0, lambda: MaskHook(network, masks), (1, 1), points=3)
    assert same.error_barrier == 0.0
    assert len(set(same.errors)) == 1
