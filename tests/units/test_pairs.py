"""Pairs of layers in the place of one: on disk, and damage to what describes them."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.units.pairs import LayerPair, replace_layer, replaceable
from mirtrim.units.storage import load, save
from mirtrim.units.widening import widened
from mirtrim.utils.errors import ArtefactError, TraceError

X = torch.linspace(-1, 1, 2 * 3 * 8).reshape(2, 3, 8)


def factory() -> nn.Sequential:
    stem = nn.Sequential(nn.Conv1d(3, 8, 3, 2, 1, padding_mode="circular"), nn.BatchNorm1d(8))
    return nn.Sequential(stem, nn.ReLU(), nn.Flatten(), nn.Linear(32, 10), nn.Linear(10, 4))


def paired() -> nn.Sequential:
    """A separated convolution and a linear layer of rank 2."""
    torch.manual_seed(0)
    network = factory()
    first = nn.Conv1d(3, 3, 3, 2, 1, groups=3, bias=False, padding_mode="circular")
    replace_layer(network, "0.0", LayerPair(first, nn.Conv1d(3, 8, 1)))
    replace_layer(network, "3", LayerPair(nn.Linear(32, 2, bias=False), nn.Linear(2, 10)))
    return network.eval()


def test_pairs_come_back_from_the_disk(tmp_path: Path) -> None:
    network = paired()
    save(network, tmp_path / "pairs")
    again = load(tmp_path / "pairs", factory).eval()
    assert [type(m) for m in again.modules()] == [type(m) for m in network.modules()]
    assert again[0][0][0].padding_mode == "circular"
    assert again[0][0][0].groups == 3
    assert torch.equal(again(X), network(X))
    assert all(p.device.type == "cpu" for p in again.parameters())


def test_a_cut_or_widened_network_of_pairs_comes_back(tmp_path: Path) -> None:
    network = paired()
    graph = discover(network, X)
    keep = graph.all_kept()
    keep[graph.layers[-2].groups[:1]] = False
    wide = widened(network, graph, 3).eval()
    with torch.no_grad():
        for number, parameter in enumerate(wide.parameters()):
            parameter.copy_(
                torch.rand(parameter.shape, generator=torch.Generator().manual_seed(number))
            )
    for name, other in (("cut", cut(network, graph, keep).eval()), ("wide", wide)):
        save(other, tmp_path / name)
        assert torch.equal(load(tmp_path / name, factory).eval()(X), other(X))


def test_widening_multiplies_units_and_leaves_inputs_and_outputs() -> None:
    """Eight channels and ten units become 24 and 30; three inputs and four outputs stay."""
    network = factory().eval()
    shapes = {
        n: tuple(t.shape) for n, t in widened(network, discover(network, X), 3).state_dict().items()
    }
    assert shapes["0.0.weight"] == (24, 3, 3)
    assert shapes["0.1.running_mean"] == (24,)
    assert shapes["3.weight"] == (30, 96)
    assert shapes["4.weight"] == (4, 30)
    assert shapes["4.bias"] == (4,)
    with pytest.raises(TraceError, match="0 times as wide"):
        widened(network, discover(network, X), 0)


def no_layer(pairs: dict[str, Any]) -> None:
    pairs["9"] = pairs.pop("3")


def one_layer(pairs: dict[str, Any]) -> None:
    pairs["3"].pop()


def other_kind(pairs: dict[str, Any]) -> None:
    pairs["3"][0]["kind"] = "Embedding"


def more_arguments(pairs: dict[str, Any]) -> None:
    pairs["3"][0]["dtype"] = "float64"


def huge(pairs: dict[str, Any]) -> None:
    pairs["3"][0]["in_features"] = 10**12


def other_groups(pairs: dict[str, Any]) -> None:
    pairs["0.0"][0]["groups"] = 2


def no_list(pairs: dict[str, Any]) -> None:
    pairs["3"] = 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (no_layer, "no layer '9'"),
        (one_layer, "3 is no pair"),
        (no_list, "3 is no pair"),
        (other_kind, "3.0 is of no known kind"),
        (more_arguments, "3.0 lacks arguments, or has others"),
        (huge, "3.0.weight is of another shape"),
        (other_groups, "0.0.0"),
    ],
)
def test_damaged_descriptions_are_named(tmp_path: Path, damage: Any, said: str) -> None:
    save(paired(), tmp_path / "pairs")
    path = tmp_path / "pairs.json"
    content = json.loads(path.read_text())
    damage(content["pairs"])
    path.write_text(json.dumps(content))
    with pytest.raises(ArtefactError, match=said) as caught:
        load(tmp_path / "pairs", factory)
    assert str(path) in str(caught.value)
    assert "save the network again" in str(caught.value)


def test_without_pairs_a_network_still_may_not_grow(tmp_path: Path) -> None:
    network = factory()
    save(widened(network.eval(), discover(network, X), 2), tmp_path / "wide")
    assert "pairs" not in json.loads((tmp_path / "wide.json").read_text())
    with pytest.raises(ArtefactError, match="does not fit"):
        load(tmp_path / "wide", factory)


def test_what_others_read_by_hand_is_not_replaceable() -> None:
    network = nn.ModuleDict(
        {
            "attention": nn.MultiheadAttention(4, 2),
            "deep": nn.Sequential(nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(2, 1, 3)),
            "solid": nn.Conv3d(1, 2, 3),
            "grouped": nn.Conv1d(4, 4, 3, groups=2),
        }
    )
    network["twice"] = nn.Linear(3, 3)
    network["same"] = network["twice"]
    assert list(replaceable(network)) == ["deep.0"]
    assert list(replaceable(copy.deepcopy(network))) == ["deep.0"]
