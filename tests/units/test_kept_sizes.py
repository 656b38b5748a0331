"""Sizes that networks keep in configurations, lists, tuples and classes, followed and saved."""

import dataclasses
import types
from collections import OrderedDict
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import mirtrim
from mirtrim.units.copying import copied
from mirtrim.units.finding import discover
from mirtrim.units.widths import holder, own_sizes, size_at

X = torch.randn(4, 3, 6, generator=torch.Generator().manual_seed(0)).double()


@dataclasses.dataclass(frozen=True)
class Settings:
    hidden: int = 12
    name: str = "small"


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    hidden: int = 12
    name: str = "small"


class Named(NamedTuple):
    name: str = "small"
    hidden: int = 12


class Ordered(OrderedDict[str, Any]):
    pass


class Looked(dict[str, Any]):
    """Entries are attributes too; whatever is missing is a `KeyError`."""

    __getattr__ = dict.__getitem__


class Itself(dict[str, Any]):
    """Its own `__dict__`, which `copy.deepcopy` loses."""

    def __init__(self, **entries: Any) -> None:
        super().__init__(**entries)
        self.__dict__ = self


class Configured(nn.Module):
    """Twelve units whose number is read where `where` says."""

    wide = 12
    held: Any

    def __init__(self, where, held: Any = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.where, self.held = where, held
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 2)

    def forward(self, x: Tensor) -> Tensor:
        made = torch.tanh(self.first(x.flatten(0, 1)))
        return self.last(made.view(len(x), 3, self.where(self)))


# How the size is read, what holds it, its place.
PLACES = {
    "dict": (lambda m: m.held["hidden"], {"hidden": 12}, "held.hidden"),
    "list": (lambda m: m.held[1], [1, 12, 500_000], "held.1"),
    "dict of lists": (lambda m: m.held["sizes"][0], {"sizes": [12]}, "held.sizes.0"),
    "data class": (lambda m: m.held.hidden, Settings(), "held.hidden"),
    "namespace": (lambda m: m.held.hidden, types.SimpleNamespace(hidden=12), "held.hidden"),
    "nested": (
        lambda m: m.held.encoder.hidden,
        types.SimpleNamespace(encoder=types.SimpleNamespace(hidden=12)),
        "held.encoder.hidden",
    ),
    "class": (lambda m: m.wide, None, "wide"),
    "kind of dict": (lambda m: m.held["hidden"], Ordered(hidden=12), "held.hidden"),
    "kind of list": (lambda m: m.held[0], type("Kind", (list,), {})([12, "x"]), "held.0"),
    "data class with slots": (lambda m: m.held.hidden, Slotted(), "held.hidden"),
    "named tuple": (lambda m: m.held.hidden, Named(), "held.1"),
    "nested named tuple": (lambda m: m.held["a"].hidden, {"a": Named()}, "held.a.1"),
    "entries as attributes": (lambda m: m.held.hidden, Looked(hidden=12), "held.hidden"),
    "nested entries": (
        lambda m: m.held.a.hidden,
        Looked(a=Itself(hidden=12), b=3.5),
        "held.a.hidden",
    ),
    "entries in itself": (lambda m: m.held.hidden, Itself(hidden=12, name="x"), "held.hidden"),
}


@pytest.mark.parametrize(("where", "held", "place"), PLACES.values(), ids=PLACES)
def test_a_size_is_followed_cut_and_saved(where, held, place, assert_equivalence, tmp_path):
    net = Configured(where, held)
    graph = assert_equivalence(net, X)
    assert graph.group_count - 1 == 12
    assert [(width.attribute, width.index) for width in graph.widths if not width.module] == [
        (place, None)
    ]
    small = mirtrim.trim(net, X, ratio=2)
    left = small.first.out_features
    assert left < 12
    assert where(small) == left
    assert type(where(small)) is int
    assert where(net) == 12
    assert Configured.wide == 12
    mirtrim.save(small, tmp_path / "small")
    again = mirtrim.load(tmp_path / "small", lambda: Configured(where, held).double())
    assert where(again) == left
    assert where(Configured(where, held)) == 12
    torch.testing.assert_close(again(X), small(X))


def test_sizes_in_a_tuple(assert_equivalence, tmp_path):
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.sizes, self.kernel, self.seen = (12, 9), (3, 1), None
            self.first, self.inner, self.last = nn.Linear(6, 12), nn.Linear(12, 9), nn.Linear(9, 2)

        def forward(self, x: Tensor) -> Tensor:
            self.seen = tuple(x.shape)
            made = torch.tanh(self.first(x.flatten(0, 1)).view(len(x), 3, self.sizes[0]))
            return self.last(torch.tanh(self.inner(made)).view(-1, self.sizes[1])).view(
                *x.shape[:2], -1
            )

    net = Net()
    graph = assert_equivalence(net, X)
    assert graph.group_count - 1 == 12 + 9
    assert net.seen is None
    small = mirtrim.trim(net, X, ratio=1.5)
    assert small.sizes == (small.first.out_features, small.inner.out_features) != (12, 9)
    assert small.kernel == (3, 1)
    small(X)
    mirtrim.save(small, tmp_path / "small")
    again = mirtrim.load(tmp_path / "small", lambda: Net().double())
    assert again.sizes == small.sizes
    assert again.seen is None


class Block(nn.Module):
    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings, self.inside = settings, settings.inside
        self.up = nn.Linear(settings.hidden, self.inside["wide"])
        self.down = nn.Linear(self.inside["wide"], settings.hidden)

    def forward(self, x: Tensor) -> Tensor:
        wide = torch.relu(self.up(x)).view(-1, self.inside["wide"])
        return x + self.down(wide).view(len(x), -1, self.settings.hidden)


class Stack(nn.Module):
    """Blocks that share one configuration, and a list of modules that are registered elsewhere."""

    def __init__(self, settings: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(6, settings.hidden)
        self.blocks = nn.Sequential(Block(settings), Block(settings))
        self.last = nn.Linear(settings.hidden, 2)
        self.ends = [self.first, self.last]

    def forward(self, x: Tensor) -> Tensor:
        return self.ends[1](self.blocks(self.ends[0](x)))


def test_a_shared_configuration_stays_shared_and_that_of_the_user_as_it_is(
    assert_equivalence, tmp_path
):
    settings = types.SimpleNamespace(hidden=12, inside={"wide": 10}, lags=[2, 4])
    graph = assert_equivalence(Stack(settings), X)
    # The blocks lose the same units, as one number counts those of both.
    assert graph.group_count - 1 == 12 + 10
    net = Stack(settings).double()
    small = mirtrim.trim(net, X, ratio=2)
    mirtrim.save(small, tmp_path / "small")
    again = mirtrim.load(tmp_path / "small", lambda: Stack(settings).double())
    for one in (small, again):
        first, second = one.blocks
        assert first.settings is second.settings
        assert first.inside is first.settings.inside
        assert first.settings.hidden == one.first.out_features < 12
        assert first.inside["wide"] == second.up.out_features < 10
        assert one.ends[0] is one.first
    assert settings == types.SimpleNamespace(hidden=12, inside={"wide": 10}, lags=[2, 4])
    torch.testing.assert_close(again(X), small(X))
    assert mirtrim.trim(small, X, ratio=1.3).blocks[0].settings.hidden < small.first.out_features


def test_a_number_that_is_used_otherwise_as_well_stays(assert_equivalence):
    net = Configured(lambda m: m.held["hidden"], {"hidden": 12})
    net.register_forward_hook(lambda m, given, out: out / m.held["hidden"] ** 0.5)
    graph = assert_equivalence(net, X)
    assert graph.group_count == 1
    assert any("their number is used in pow" in why for why in graph.kept)


@pytest.mark.parametrize("kind", [Looked, Itself])
def test_copies_of_configurations_are_whole_and_apart(kind):
    held = kind(hidden=12, a=[1.5])
    held.a.append(held)
    net = copied(Configured(lambda m: 12, held))
    assert type(net.held) is type(held)
    assert net.held.hidden == 12
    assert net.held is not held
    assert net.held.a is not held.a
    assert net.held.a[1] is net.held
    net.held["hidden"] = 5
    assert (net.held.hidden, held.hidden) == (5, 12)


def test_fields_of_a_named_tuple_change_one_by_one():
    class Pair(NamedTuple):
        one: int
        two: int

    net = Configured(lambda m: 12, {"pair": Pair(12, 7)})
    graph = discover(net.double(), X)
    assert graph.group_count == 1
    one, other = holder(net, "held.pair.0"), holder(net, "held.pair.1")
    one[0][one[1]] = 5
    other[0][other[1]] = 6
    assert net.held["pair"] == Pair(5, 6)


def half_of_each(m, x):
    made = torch.tanh(m.first(x.flatten(0, 1))).view(len(x), 3, -1)
    half = made.shape[-1] // m.held
    return m.last(torch.cat([made[..., half:], made[..., :half] ** 2], -1))


def test_a_number_that_divides_a_size_stays(assert_equivalence):
    """A ratio is no number of heads, which could go with their channels."""

    class Divided(Configured):
        def forward(self, x: Tensor) -> Tensor:
            return half_of_each(self, x)

    net = Divided(None, 3)
    graph = assert_equivalence(net, X)
    assert graph.group_count - 1 == 4
    assert mirtrim.trim(net, X, ratio=1.5).held == 3


def test_heads_go_with_their_channels(assert_equivalence):
    class Shuffled(Configured):
        def forward(self, x: Tensor) -> Tensor:
            made = torch.tanh(self.first(x.flatten(0, 1)))
            made = made.view(-1, self.held, made.shape[-1] // self.held)
            return self.last(made.mT.reshape(len(x), 3, -1))

    net = Shuffled(None, 4)
    assert assert_equivalence(net, X).group_count - 1 == 4
    assert mirtrim.trim(net, X, ratio=1.3).held == 3


def test_what_is_looked_into():
    net = nn.Module()
    assert own_sizes(net) == ()
    net = Configured(lambda m: 12, {"a": 2, "b": [3, True, 1.5, "x"], "d.e": 4, 5: 6})
    assert own_sizes(net) == ("wide", "held.a", "held.b.0")
    net.held = [list(range(300)), {"deep": {"deeper": {"deepest": 7}}}, 1 << 20, (4, 1), (2.0, 3)]
    assert own_sizes(net) == ("wide", "held.3")
    assert size_at(net, "held.3") == (4, 1)
    net.held = nn.Linear  # neither classes nor functions nor tensors
    assert own_sizes(net) == ("wide",)
    net.held = [torch.ones(2), nn.Linear(3, 4), len]
    assert own_sizes(net) == ("wide",)
