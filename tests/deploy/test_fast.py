"""Trimming for speed: packs of units, ranked by price where there is one."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirtrim.deploy.fast import fastest_onnx_call, trim_for_speed, unit_microseconds
from mirtrim.pruning.pipeline import prices_of_groups
from mirtrim.pruning.report import TrimReport
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError, RatioError


class Recurrent(nn.Module):
    """A convolution, a GRU in both directions, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Conv1d(3, 32, 5, padding=2)
        self.norm = nn.BatchNorm1d(32)
        self.memory = nn.GRU(32, 24, bidirectional=True, batch_first=True)
        self.head = nn.Linear(48, 4)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norm(self.front(x)).relu().transpose(1, 2)
        return self.head(self.memory(hidden)[0])


INPUT = torch.randn(1, 3, 40, generator=torch.Generator().manual_seed(1))


def network() -> nn.Module:
    torch.manual_seed(0)
    return Recurrent().eval()


def widths(small: nn.Module) -> dict[str, int]:
    return {layer.name: layer.units_after for layer in small.trim_report.layers}


@pytest.mark.parametrize("asked", [{"ratio": 3.0}, {"speed_up": 3.0}])
def test_all_widths_are_whole_packs_and_the_target_is_met(asked: dict) -> None:
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    small = trim_for_speed(model, INPUT, **asked)
    report = small.trim_report
    assert isinstance(report, TrimReport)
    reached = report.ratio if "ratio" in asked else report.speed_up
    assert 3 <= reached < 6
    assert all(units % 8 == 0 for name, units in widths(small).items() if name != "head")
    assert report.equivalence_difference <= 1e-5
    assert small(INPUT).shape == (1, 40, 4)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_dear_layers_lose_their_units_first() -> None:
    """Equal scores: what decides is the price alone."""
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.Linear(16, 2))
    for layer in (model[0], model[2], model[3]):
        nn.init.ones_(layer.weight)
    inputs = torch.zeros(1, 6)
    # 96 + 256 + 32 MACs; with 8 units in the first or the second layer 208 or 240 are left.
    for prices, expected in (
        ({"0": 5.0, "2": 1.0}, {"0": 8, "2": 16, "3": 2}),
        ({"0": 1.0, "2": 5.0}, {"0": 16, "2": 8, "3": 2}),
    ):
        small = trim_for_speed(model, inputs, speed_up=384 / 250, microseconds=prices)
        assert widths(small) == expected
        assert small.trim_report.macs_after == (208 if expected["0"] == 8 else 240)


def test_the_same_table_gives_the_same_network() -> None:
    names = [layer.name for layer in discover(network(), INPUT).layers if layer.groups.any()]
    table = {name: float(1 + index) for index, name in enumerate(names)}
    first, again = (
        trim_for_speed(network(), INPUT, speed_up=4, microseconds=table) for _ in range(2)
    )
    assert all(
        torch.equal(one, other)
        for one, other in zip(first.state_dict().values(), again.state_dict().values(), strict=True)
    )


def test_prices_of_this_machine_cover_every_layer_that_can_shrink() -> None:
    model = network()
    table = unit_microseconds(model, INPUT, seconds=0.02)
    graph = discover(model, INPUT)
    assert set(table) == {layer.name for layer in graph.layers if layer.groups.any()}
    assert all(price > 0 for price in table.values())
    assert prices_of_groups(graph, table)[1:].min() == pytest.approx(min(table.values()))


def test_the_price_of_a_tied_unit_is_the_mean_over_its_layers() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 4)
            self.last = nn.Linear(4, 1)

        def forward(self, x: Tensor) -> Tensor:
            y = self.first(x)
            return self.last(y + self.second(y))

    graph = discover(Residual(), torch.zeros(1, 3))
    found = prices_of_groups(graph, {"first": 1.0, "second": 3.0})
    assert found[1:].tolist() == [2.0] * 4


def test_a_fast_call_gives_the_outputs_of_torch(tmp_path) -> None:
    model = network()
    found = fastest_onnx_call(model, INPUT, tmp_path / "net.onnx")().copy_outputs_to_cpu()[0]
    np.testing.assert_allclose(found, model(INPUT).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ConfigError, "either a speed_up or a ratio"),
        ({"ratio": 2, "speed_up": 2}, ConfigError, "either a speed_up or a ratio"),
        ({"ratio": 0.5}, ConfigError, "0.5 times smaller; must be at least 1"),
        ({"ratio": 1000}, RatioError, "largest ratio from here"),
        ({"ratio": 2, "multiple_of": 0}, ConfigError, "multiple_of"),
        ({"ratio": 2, "microseconds": {"back": 1.0}}, ConfigError, "back: the network has no such"),
        ({"ratio": 2, "microseconds": {"front": 1.0}}, ConfigError, "memory.*has no price"),
    ],
)
def test_mistakes_are_named(arguments: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        trim_for_speed(network(), INPUT, **arguments)
    names = [layer.name for layer in discover(network(), INPUT).layers if layer.groups.any()]
    with pytest.raises(ConfigError, match="front: a price must be above 0"):
        prices_of_groups(discover(network(), INPUT), {**dict.fromkeys(names, 1.0), "front": 0.0})
