"""Dropout drawn in another way: its distribution, its gradient, its seed."""

import math
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from mirtrim.training.kernels import faster_in_bfloat16, faster_kernels
from mirtrim.training.kernels.dropout import PER_DRAW, dropout
from tests.training.kernels.conftest import replacing

COUNT = 400_000


def run(layer: nn.Module, inputs: Tensor, seed: int = 0) -> Tensor:
    """The layer's output within the context, drawn from `seed`."""
    with torch.random.fork_rng(), replacing():
        torch.manual_seed(seed)
        result: Tensor = layer(inputs)
    return result


@pytest.mark.parametrize("p", [0.05, 0.25, 0.5, 0.8])
def test_as_many_are_dropped_as_asked(p: float) -> None:
    found = run(nn.Dropout(p), torch.ones(COUNT))
    kept = found != 0
    # Five standard deviations of a binomial, and what rounding to 1 / 65536 may add.
    margin = 5 * math.sqrt(p * (1 - p) / COUNT) + 2**-17
    assert abs(float(kept.float().mean()) - (1 - p)) < margin
    torch.testing.assert_close(
        found[kept], torch.full((int(kept.sum()),), 1 / (1 - p)), rtol=1e-4, atol=0
    )
    assert float(found.mean()) == pytest.approx(1, abs=margin / (1 - p))


def test_what_is_kept_is_divided_by_the_probability_that_is_drawn() -> None:
    """0.3 is 19661 of 65536, to the nearest; kept are 45875."""
    found = run(nn.Dropout(0.3), torch.ones(COUNT))
    assert found.unique().tolist() == [0.0, pytest.approx(65536 / 45875, rel=1e-7)]


def test_neighbours_are_independent() -> None:
    """Four values come from one draw: of each pair among them a quarter is dropped both."""
    dropped = (run(nn.Dropout(0.5), torch.ones(COUNT)) == 0).reshape(-1, 4)
    for first in range(4):
        assert float(dropped[:, first].float().mean()) == pytest.approx(0.5, abs=0.008)
        for second in range(first):
            both = dropped[:, first] & dropped[:, second]
            assert float(both.float().mean()) == pytest.approx(0.25, abs=0.008)


def test_the_gradient_goes_where_the_value_went() -> None:
    inputs = torch.ones(3, 5, 7, requires_grad=True)
    found = run(nn.Dropout(0.4), inputs)
    found.sum().backward()
    assert inputs.grad is not None
    assert torch.equal(inputs.grad, found.detach())


def test_a_seed_decides() -> None:
    layer, inputs = nn.Dropout(0.4), torch.ones(1000)
    assert torch.equal(run(layer, inputs, 1), run(layer, inputs, 1))
    assert not torch.equal(run(layer, inputs, 1), run(layer, inputs, 2))


@pytest.mark.parametrize(
    ("layer", "drawn"),
    [
        pytest.param(nn.Dropout(0.5), True, id="single values"),
        pytest.param(nn.Dropout(0.5).eval(), False, id="not training"),
        pytest.param(nn.Dropout(0.5, inplace=True), False, id="in place"),
        pytest.param(nn.Dropout(0.0), False, id="none"),
        pytest.param(nn.Dropout(1.0), False, id="all"),
        pytest.param(nn.Dropout(1e-7), False, id="too few to count"),
        pytest.param(nn.Dropout1d(0.5), False, id="channels"),
    ],
)
def test_the_rest_is_left_to_torch(
    layer: nn.Module, drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawings: list[int] = []
    draw = Tensor.random_

    def spy(tensor: Tensor, *arguments: int) -> Tensor:
        drawings.append(tensor.numel())
        return draw(tensor, *arguments)

    monkeypatch.setattr(Tensor, "random_", spy)
    with replacing():
        layer(torch.ones(2, 3, 5))
    assert drawings == ([math.ceil(30 / PER_DRAW)] if drawn else [])


def test_other_noise_than_torch_draws_has_to_be_asked_for() -> None:
    """A network and its child, in which no convolution is long any more, see the same by default.

    In bfloat16 both see ours, whatever they are made of.
    """
    cpu, long = torch.device("cpu"), nn.Conv1d(1, 1, 20)
    found = []
    for context in (nullcontext(), faster_kernels(long), faster_kernels(long, True),
                    faster_in_bfloat16(cpu), faster_in_bfloat16(torch.device("cuda"))):  # fmt: skip
        with torch.random.fork_rng(), context:
            torch.manual_seed(0)
            found.append(nn.functional.dropout(torch.ones(1000), 0.5))
    torchs, ours = found[0], found[2]
    assert not torch.equal(torchs, ours)
    assert [torch.equal(noise, torchs) for noise in found] == [True, True, False, False, True]
    assert torch.equal(found[3], ours)


def test_called_by_itself_it_drops_half_as_torch_does() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = dropout(torch.ones(COUNT))
    assert found is not None
    assert found.unique().tolist() == [0, 2]
    assert float(found.mean()) == pytest.approx(1, abs=5 / math.sqrt(COUNT))


@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(torch.ones(8, device="meta"), id="elsewhere"),
        pytest.param(torch.ones(8, dtype=torch.int64), id="whole numbers"),
    ],
)
def test_what_it_cannot_draw_for_is_left_to_torch(inputs: Tensor) -> None:
    assert dropout(inputs, 0.5) is None
    assert dropout(torch.ones(8), 0.5, training=False) is None


@pytest.mark.parametrize(("kept", "ours"), [(0, False), (1, True), (65535, True), (65536, False)])
def test_one_of_65536_is_the_smallest_share_that_is_kept_or_dropped(kept: int, ours: bool) -> None:
    found = dropout(torch.ones(4), 1 - kept / 65536)
    assert (found is not None) == ours
    if found is not None:
        assert all(value in (0, pytest.approx(65536 / kept)) for value in found.tolist())
