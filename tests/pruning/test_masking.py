"""Masks: which tensors have one, and that what is masked is zero to the bit."""

import math
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.masking import (
    MaskHook,
    apply_masks,
    full_masks,
    keep_masked,
    maskable,
    masked_entries_are_zero,
    masker,
)


def network() -> nn.Sequential:
    """Weights of 3, 2 and 2 axes among biases and gains."""
    return nn.Sequential(nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2), nn.Flatten(), nn.Linear(4, 2))


def test_every_weight_of_two_or_more_axes_may_be_masked() -> None:
    model = network()
    assert maskable(model) == ["0.weight", "3.weight"]
    masks = full_masks(model)
    assert {name: (tuple(m.shape), m.dtype) for name, m in masks.items()} == {
        "0.weight": ((2, 1, 3), torch.bool),
        "3.weight": ((2, 4), torch.bool),
    }
    assert all(mask.all() for mask in masks.values())
    model[0].weight.requires_grad_(False)  # a front end
    assert maskable(model) == ["3.weight"]
    model.requires_grad_(False)  # a network that learns nothing any more
    assert maskable(model) == ["0.weight", "3.weight"]


def test_a_masked_entry_becomes_zero_and_the_others_stay() -> None:
    model = nn.Linear(3, 1)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, -2.0, 3.0]]))
    masks = {"weight": torch.tensor([[True, False, True]])}
    assert not masked_entries_are_zero(model, masks)
    apply_masks(model, masks)
    assert model.weight.tolist() == [[1, 0, 3]]
    assert masked_entries_are_zero(model, masks)
    assert masked_entries_are_zero(model, {})


def test_bits_are_combined_and_not_multiplied() -> None:
    """What is kept stays what it was, and what goes is +0, not −0 nor not a number."""
    values = np.array([-1.5, -1.5, math.nan, math.nan, math.inf, -0.0], dtype=np.float32)
    mask = np.array([True, False, True, False, False, False])
    for masking in (
        lambda weights: keep_masked(weights.view(np.int32), -mask.astype(np.int8)),
        lambda weights: masker(weights, mask)(),
    ):
        found = values.copy()
        masking(found)
        assert found[0] == -1.5
        assert math.isnan(found[2])
        assert found[[1, 3, 4, 5]].view(np.int32).tolist() == [0] * 4


def test_only_weights_that_are_one_piece_of_memory_can_be_masked_in_place() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        masker(np.ones((3, 4), dtype=np.float32).T[::2], np.ones((2, 3), dtype=bool))
    masker(np.ones((0, 3), dtype=np.float32), np.ones((0, 3), dtype=bool))()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_after_a_step_the_masked_are_zero_again_whatever_their_type(dtype: torch.dtype) -> None:
    """Kernels are for float32; torch masks the rest."""
    model = network().to(dtype)
    masks = {name: torch.rand(m.shape) < 0.5 for name, m in full_masks(model).items()}
    kept: dict[str, Tensor] = {}
    hook = MaskHook(model, masks)
    compiled = 2 if dtype == torch.float32 and find_spec("numba") else 0
    assert (len(hook._maskers), len(hook._weights)) == (compiled, 2 - compiled)
    for _ in range(2):
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.add_(1.0)
                kept[name] = parameter.clone()
        hook.after_step(0)
        for name, parameter in model.named_parameters():
            mask = masks.get(name, torch.ones_like(parameter, dtype=torch.bool))
            assert torch.equal(parameter, kept[name] * mask), name
