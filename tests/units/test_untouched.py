"""The network that is looked at leaves as it came, and no output of it is ever cut."""

import collections
import copy
import dataclasses
import functools
import json
import random
import threading
import types
import weakref

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mirtrim
from mirtrim.units import nesting
from mirtrim.units.finding import discover
from mirtrim.units.preserving import uncached
from mirtrim.units.sizes import AdaptiveInt
from mirtrim.utils.errors import TraceError

X = torch.randn(2, 12, generator=torch.Generator().manual_seed(0))


class Base(nn.Module):
    """Two linear layers; subclasses do something with what lies between."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.last = nn.Linear(12, 16), nn.Linear(16, 10)

    def forward(self, x: Tensor):
        return self.last(torch.relu(self.first(x)))


# Outputs


@dataclasses.dataclass(slots=True)
class Slots:
    logits: Tensor


class Private:
    __slots__ = ("__hidden",)

    def __init__(self, value) -> None:
        self.__hidden = value

    def get(self):
        return self.__hidden


class Plain:
    def __init__(self, value) -> None:
        self.inner = {"deep": [value]}


class Listing(collections.UserList):
    pass


class Mapping(collections.abc.Mapping):
    def __init__(self, value) -> None:
        self._table = (("y", value),)

    def __getitem__(self, key):
        return dict(self._table)[key]

    def __iter__(self):
        return iter(["y"])

    def __len__(self) -> int:
        return 1


def generated(value):
    yield value


def closure(value):
    return lambda: value


def default(value):
    def get(value=value):
        return value

    return get


def attached(value):
    module = nn.Identity()
    module.result = value
    return module


WRAPPINGS = {
    "slots": (Slots, lambda out: out.logits),
    "private slots": (Private, lambda out: out.get()),
    "object": (Plain, lambda out: out.inner["deep"][0]),
    "deque": (lambda t: collections.deque([t]), lambda out: out[0]),
    "user list": (lambda t: Listing([t]), lambda out: out[0]),
    "mapping": (Mapping, lambda out: out["y"]),
    "namespace": (lambda t: [types.SimpleNamespace(y=t)], lambda out: out[0].y),
    "proxy": (lambda t: types.MappingProxyType({"y": t}), lambda out: out["y"]),
    "array of objects": (lambda t: np.fromiter([t, None], object), lambda out: out[0]),
    "module": (attached, lambda out: out.result),
    "class": (lambda t: type("Result", (), {"y": t}), lambda out: out.y),
    "instance of it": (lambda t: type("Result", (), {"y": t})(), lambda out: out.y),
    "sparse": (Tensor.to_sparse, Tensor.to_dense),
    "nested": (
        lambda t: torch.nested.as_nested_tensor(list(t)),
        lambda out: out.to_padded_tensor(0),
    ),
    "generator": (generated, next),
    "map": (lambda t: map(torch.neg, [t]), next),
    "closure": (closure, lambda out: out()),
    "default": (default, lambda out: out()),
    "partial": (lambda t: functools.partial(torch.add, t, other=0), lambda out: out()),
    "method": (lambda t: Private(t).get, lambda out: out()),
    "keys": (lambda t: {t: 1}, lambda out: next(iter(out))),
    "frozen set": (lambda t: frozenset([t]), lambda out: next(iter(out))),
    "default dict": (lambda t: collections.defaultdict(list, y=[t]), lambda out: out["y"][0]),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_an_output_is_an_output_however_it_is_wrapped(wrapping):
    wrap, unwrap = WRAPPINGS[wrapping]

    class Net(Base):
        def forward(self, x: Tensor):
            return wrap(super().forward(x))

    small = mirtrim.trim(Net(), X, ratio=2)
    assert unwrap(small(X)).shape == (2, 10)
    assert small.first.out_features < 16


@pytest.mark.parametrize("wrap", [weakref.ref, lambda t: threading.Lock()])
def test_what_cannot_be_looked_into_is_an_error(wrap):
    class Net(Base):
        def forward(self, x: Tensor):
            return [wrap(super().forward(x))]

    with pytest.raises(TraceError, match="among the outputs cannot be looked into"):
        mirtrim.trim(Net(), X, ratio=2)


def test_an_endless_iterator_is_an_error(monkeypatch):
    monkeypatch.setattr(nesting, "_LONGEST", 1000)  # so that the test does not take a minute

    class Net(Base):
        def forward(self, x: Tensor):
            y = super().forward(x)
            return iter(lambda: y, None)

    with pytest.raises(TraceError, match="does not end"):
        mirtrim.trim(Net(), X, ratio=2)


def test_a_size_that_is_returned_stays():
    class Net(Base):
        def forward(self, x: Tensor):
            hidden = torch.relu(self.first(x))
            return self.last(hidden), {"width": hidden.shape[1]}

    graph = discover(Net(), X)
    assert graph.group_count == 1
    assert "output" in graph.layers[0].pinned_because


# State


class Width(Base):
    def forward(self, x: Tensor):
        x = self.first(x)
        self.width = x.shape[-1]
        self.seen = {"sizes": [x.shape[-1]]}
        return self.last(torch.relu(x))


class Cached(Base):
    def __init__(self) -> None:
        super().__init__()
        self.table, self.sizes, self.log = None, {}, collections.deque()

    def forward(self, x: Tensor):
        x = self.first(x)
        if self.table is None:
            self.table = torch.ones(x.size(1))
        self.sizes[x.size(1)] = self.table
        self.log.append(x)
        return self.last(torch.relu(x * self.table))


class Hidden(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory, self.head = nn.GRU(12, 16, batch_first=True), nn.Linear(16, 5)
        self.state = torch.zeros(1, 2, 16)
        self.holder = types.SimpleNamespace(states=[torch.zeros(1, 2, 16)])

    def forward(self, x: Tensor):
        y, self.state = self.memory(x, self.state)
        self.holder.states[0] += self.state
        return self.head(y)


class InPlace(Base):
    def __init__(self) -> None:
        super().__init__()
        self.counter = torch.zeros(1)
        self.register_buffer("steps", torch.zeros(1))

    def forward(self, x: Tensor):
        self.counter.add_(1)
        self.steps += 1
        with torch.no_grad():
            self.last.weight.clamp_(-0.1, 0.1)
        x.mul_(2)
        return super().forward(x)


def held(model: nn.Module) -> dict:
    """Every attribute of every module, tensors as numbers."""

    def plain(value):
        if isinstance(value, Tensor):
            return ("tensor", value.tolist(), value.grad_fn is not None, value.requires_grad)
        if isinstance(value, dict):
            return {str(k): plain(v) for k, v in value.items()}
        if isinstance(value, list | tuple | collections.deque):
            return [plain(v) for v in value]
        if isinstance(value, types.SimpleNamespace):
            return plain(vars(value))
        return value if isinstance(value, int | str | None) else type(value).__name__

    return {path: plain(dict(vars(module))) for path, module in model.named_modules()}


class OwnNorm(nn.BatchNorm1d):
    """Writes its statistics in whatever mode, by a call that does not count as a version."""

    def forward(self, x: Tensor):
        mean, variance = self.running_mean, self.running_var
        y = nn.functional.batch_norm(x, mean, variance, self.weight, self.bias, True, 0.1)
        return y if self.training else 2 * y


class Normed(Base):
    def __init__(self) -> None:
        super().__init__()
        self.norm = OwnNorm(16)

    def forward(self, x: Tensor):
        return self.last(self.norm(self.first(x)))


@pytest.mark.parametrize("kind", [Cached, Hidden, InPlace, Normed])
@pytest.mark.parametrize("train", [True, False])
def test_attributes_and_tensors_are_put_back(kind, train):
    model = kind().train(train)
    x = X[:, None].expand(2, 7, 12).clone() if kind is Hidden else X.clone()
    before, given = held(model), x.clone()
    for _ in range(2):
        discover(model, x)
        try:
            mirtrim.trim(model, x, ratio=1.3)
        except mirtrim.utils.errors.RatioError:
            assert kind is Hidden
        assert held(model) == before
        assert torch.equal(x, given)
    copy.deepcopy(model)


def test_sizes_kept_as_attributes_are_integers():
    model = Width()
    small = mirtrim.trim(model, X, ratio=1.5)
    assert not {"width", "seen"} & set(vars(model))
    model(X)
    assert model.width == 16
    copy.deepcopy(model)
    small(X)
    assert type(small.width) is int
    assert small.width == small.first.out_features


def test_random_numbers_go_on_as_if_nothing_had_happened():
    class Net(Base):
        def forward(self, x: Tensor):
            x = x * random.random() + np.random.rand() + torch.rand(1)  # noqa: NPY002
            return super().forward(x)

    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    states = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    expected = draw()
    random.setstate(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    torch.set_rng_state(states[2])
    mirtrim.trim(Net(), X, ratio=2)
    assert draw() == expected


class Lazy(Base):
    """Sets its sizes when it first runs, and has random numbers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.draws = torch.Generator().manual_seed(1)
        self.others = {"numpy": np.random.default_rng(2), "python": random.Random(3)}

    def forward(self, x: Tensor):
        x = self.first(x)
        if not hasattr(self, "width"):
            self.width, self.length = x.shape[-1], x.shape[0]
        noise = torch.rand(1, generator=self.draws).item()
        noise += self.others["numpy"].random() + self.others["python"].random()
        return self.last(torch.relu(x).view(-1, self.width)) + 0 * noise

    def drawn(self):
        """The next numbers."""
        state = self.draws.get_state()
        numbers = (
            torch.rand(1, generator=self.draws).item(),
            *(copy.deepcopy(other).random() for other in self.others.values()),
        )
        self.draws.set_state(state)
        return numbers


def test_what_a_network_sets_when_it_first_runs_is_set_by_its_user():
    def never(net, after_step):
        raise AssertionError

    model = Lazy()
    names, numbers = set(vars(model)), model.drawn()
    small = mirtrim.trim(model, X, ratio=1.5)
    mirtrim.tickets(model, X, never, [1.5])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    mirtrim.feedback(model, optimizer, 1.5, 4, of="units", example_inputs=X)
    assert set(vars(model)) == names
    assert model.drawn() == small.drawn() == numbers
    small(X[:1])
    model(X)
    assert (small.width, model.width) == (small.first.out_features, 16)
    assert (small.length, model.length) == (1, len(X))


class WithLock(Base):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.table = {"locks": [threading.RLock()]}
        self.kept = [torch.relu(self.first(X))]


def test_what_cannot_be_copied_is_shared():
    model = WithLock()
    small = mirtrim.trim(model, X, ratio=2)
    assert small.lock is model.lock
    assert small.table["locks"][0] is model.table["locks"][0]
    assert small.kept[0].grad_fn is None


@functools.lru_cache
def halves(shape: tuple[int, ...]) -> tuple[int, ...]:
    """What libraries do with shapes: compute others, once."""
    return (shape[0], shape[1] * shape[2])


class Rearranging(nn.Module):
    def __init__(self, before: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = [nn.Conv1d(3, 3, 1) for _ in range(before)]
        self.before, self.conv = nn.Sequential(*layers), nn.Conv1d(3, 8, 1)
        self.hidden, self.last = nn.Linear(8 * 6, 20), nn.Linear(20, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(self.before(x))
        return self.last(torch.relu(self.hidden(y.reshape(halves(y.shape)))))


@pytest.mark.parametrize("warmed", [False, True])
def test_caches_do_not_connect_two_networks(warmed):
    halves.cache_clear()
    x = torch.randn(2, 3, 6)
    if warmed:
        Rearranging(0)(x)
    entries = halves.cache_info().currsize
    found = []
    for before in (3, 0, 3):
        report = mirtrim.trim(Rearranging(before), x, ratio=3).trim_report
        found.append(
            {la.name: la.units_after for la in report.layers if la.name in ("conv", "hidden")}
        )
        assert report.kept.keys() == {"it is an output of the network"} or before
    assert found[0] == found[2]
    assert found[1]["conv"] < 8
    assert halves.cache_info().currsize >= entries
    assert all(type(size) is int for size in halves((2, 8, 6)))
    assert halves.cache_info().hits >= warmed


class FollowedSize(AdaptiveInt):
    """A size of a network that is being read."""

    def __new__(cls, value: int) -> "FollowedSize":
        return int.__new__(cls, value)


def test_installed_modules_are_searched_for_caches_once_and_again_when_they_change(monkeypatch):
    """`json` stands for an installed library that has a function with a cache."""
    calls: list[None] = []

    def count(size: int) -> int:
        calls.append(None)
        return 0

    def called() -> int:
        """How many of two calls with a followed size really arrive."""
        calls.clear()
        with uncached(nn.Linear(2, 2)), uncached(nn.Linear(2, 2)):
            for _ in range(2):
                json.counted(FollowedSize(3))
        return len(calls)

    with uncached(nn.Linear(2, 2)):
        pass  # now it is known as a module without any
    for _ in range(2):
        cached = functools.lru_cache(count)
        monkeypatch.setattr(json, "counted", cached, raising=False)
        assert (called(), called()) == (2, 2)
        assert json.counted is cached
        json.counted(3)
        assert (cached.cache_info().currsize, cached.cache_info().misses) == (1, 1)


# Layers that the example does not reach


class TrainingHead(Base):
    def __init__(self) -> None:
        super().__init__()
        self.aux = nn.Sequential(nn.Linear(16, 8), nn.BatchNorm1d(8), nn.Linear(8, 5))

    def forward(self, x: Tensor):
        hidden = torch.relu(self.first(x))
        return (self.last(hidden), self.aux(hidden)) if self.training else self.last(hidden)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("train", [True, False])
def test_layers_of_training_mode_are_cut_along(batch, train):
    model = TrainingHead().train(train)
    small = mirtrim.trim(model, X[:batch], ratio=2)
    assert small.aux[0].in_features == small.first.out_features < 16
    assert small.aux[2].out_features == 5
    assert [out.shape[1] for out in small.train()(X)] == [10, 5]
    assert not small.trim_report.unreached
    assert all(m.training is train for m in model.modules())


class Noisy(Base):
    """Returns its hidden units while training: they are outputs then."""

    def forward(self, x: Tensor):
        hidden = torch.relu(self.first(x))
        return (self.last(hidden), hidden) if self.training else self.last(hidden)


def test_outputs_of_training_mode_are_outputs():
    graph = discover(Noisy().eval(), X)
    assert "output" in graph.layers[0].pinned_because


class Long(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.long = nn.Conv1d(4, 32, 3, padding=1), nn.Conv1d(32, 32, 9, padding=4)
        self.last = nn.Conv1d(32, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.first(x))
        return self.last(self.long(hidden) if x.shape[-1] > 100 else hidden)


def test_a_layer_that_the_example_does_not_reach_is_named():
    with pytest.warns(UserWarning, match="does not reach long"):
        small = mirtrim.trim(Long(), torch.randn(1, 4, 64), ratio=1.04)
    report = small.trim_report
    assert report.unreached == ("long.weight", "long.bias")
    assert "not reached by the example, so kept whole: long (9,248 parameters" in str(report)
    assert small.long.in_channels == 32
    reached = mirtrim.trim(Long(), torch.randn(1, 4, 128), ratio=2)
    assert not reached.trim_report.unreached
    assert reached(torch.randn(1, 4, 64)).shape == (1, 5, 64)


class NeedsTargets(TrainingHead):
    def forward(self, x: Tensor, targets: Tensor | None = None):
        if self.training and targets is None:
            raise ValueError("targets are needed")
        return super().forward(x)


def test_a_failing_training_mode_is_told():
    with pytest.warns(UserWarning, match="does not reach aux"):
        report = mirtrim.trim(NeedsTargets().train(), X, ratio=1.5).trim_report
    assert "not followed in training mode" in str(report)
    assert "targets are needed" in str(report)


# Calls that cannot work


class Keyword(Base):
    def forward(self, *, x: Tensor, scale: float = 1.0) -> Tensor:
        return super().forward(x) * scale


class OneDict(Base):
    def forward(self, batch: dict) -> Tensor:
        return super().forward(batch["x"])


@pytest.mark.parametrize(
    ("model", "inputs"),
    [(Keyword(), {"x": X}), (Keyword(), {"x": X, "scale": 2.0}), (OneDict(), {"x": X})],
)
def test_inputs_by_name(model, inputs):
    assert mirtrim.trim(model, inputs, ratio=2).trim_report.ratio >= 2


@pytest.mark.parametrize(
    ("model", "inputs", "words"),
    [
        (Base(), X[:0], "is empty"),
        (Base().to("meta"), X, "meta device"),
        (Base(), X.to("meta"), "meta device"),
        (nn.Sequential(nn.LazyLinear(8), nn.Linear(8, 5)), X, "0.weight of a lazy module"),
        (Base(), torch.randn(2, 13), "fails on the example .*mat1 and mat2"),
        (Keyword(), X, "fails on the example .*positional"),
        (torch.jit.script(nn.Sequential(nn.Linear(12, 4))), X, "scripted"),
    ],
)
def test_impossible_calls_are_one_clear_error(model, inputs, words):
    with pytest.raises(TraceError, match=words) as caught:
        mirtrim.trim(model, inputs, ratio=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ratio", ["4", None, True, [2]])
def test_a_ratio_is_a_number(ratio):
    with pytest.raises(mirtrim.utils.errors.ConfigError, match="must be a number"):
        mirtrim.trim(Base(), X, ratio=ratio)


def test_a_ratio_out_of_reach_names_what_holds_the_parameters():
    class Held(Base):
        def __init__(self) -> None:
            super().__init__()
            self.wide, self.spare = nn.Linear(16, 16), nn.Linear(40, 40)

        def forward(self, x: Tensor):
            return self.last(self.wide(torch.relu(self.first(x))).cumsum(1))

    with pytest.raises(mirtrim.utils.errors.RatioError) as caught:
        mirtrim.trim(Held(), X, ratio=50)
    assert "spare (1,640: not reached by the example)" in str(caught.value)
    assert "cumsum" in str(caught.value)
    assert "last (170: it is an output of the network)" in str(caught.value)
