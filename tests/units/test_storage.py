"""Trimmed networks survive the disk, and damage is noticed."""

import json
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch
from torch import nn

from mirtrim.pruning.api import trim
from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.units.storage import load, save
from mirtrim.utils.errors import ArtefactError

FACTORY = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 6, 3, padding=1)
        self.depth = nn.Conv1d(6, 6, 3, padding=1, groups=6)
        self.norm = nn.BatchNorm1d(6)
        self.split = nn.GroupNorm(6, 6)
        self.slope = nn.PReLU(6)
        self.rnn = nn.GRU(6, 5, 2, bidirectional=True, batch_first=True)
        self.layer = nn.LayerNorm(10)
        self.encode = nn.Linear(10, 4)
        self.decode = nn.Linear(4, 4)
        self.decode.weight = nn.Parameter(torch.randn(4, 4))
        self.again = nn.Linear(4, 4)
        self.again.weight = self.decode.weight
        self.out = nn.Linear(4, 2)
        self.register_buffer("gain", torch.rand(4), persistent=False)

    def forward(self, x):
        x = self.slope(self.split(self.norm(self.depth(self.conv(x)))))
        x = self.encode(self.layer(self.rnn(x.transpose(1, 2))[0])) * self.gain
        return self.out(self.again(self.decode(x).relu()).relu())
"""
exec(FACTORY)
X = torch.linspace(-1, 1, 2 * 3 * 7).reshape(2, 3, 7)


@pytest.fixture
def stored(tmp_path, random_keep):
    torch.manual_seed(1)
    net = Net()  # noqa: F821
    graph = discover(net, X)
    trimmed = cut(net, graph, random_keep(graph, 4))
    save(trimmed, tmp_path / "small")
    return trimmed.eval(), tmp_path / "small"


def test_round_trip_in_a_fresh_process(stored, tmp_path):
    trimmed, path = stored
    (tmp_path / "factory.py").write_text(FACTORY)
    np.save(tmp_path / "x.npy", X.numpy())
    script = f"""
        import sys; sys.path.insert(0, {str(tmp_path)!r})
        import numpy as np, torch
        from factory import Net
        from mirtrim.units.storage import load
        net = load({str(path)!r}, Net).eval()
        assert net.again.weight is net.decode.weight
        x = torch.from_numpy(np.load({str(tmp_path / "x.npy")!r}))
        np.save({str(tmp_path / "y.npy")!r}, net(x).detach().numpy())
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
    assert np.array_equal(np.load(tmp_path / "y.npy"), trimmed(X).detach().numpy())


def test_attributes_and_shapes_come_back(stored):
    trimmed, path = stored
    net = load(path, Net)  # noqa: F821
    assert repr(net) == repr(trimmed)
    for (name, one), (other_name, other) in zip(
        net.state_dict().items(), trimmed.state_dict().items(), strict=True
    ):
        assert name == other_name
        assert torch.equal(one, other)
    assert torch.equal(net.gain, trimmed.gain)
    assert all(p.requires_grad for p in net.parameters())


def test_loaded_network_can_be_traced_and_trained(stored):
    _, path = stored
    net = load(path, Net)  # noqa: F821
    assert discover(net, X).group_count > 1
    net.train()(X).sum().backward()


def test_no_pickle_on_disk(stored):
    _, path = stored
    assert sorted(p.name for p in path.parent.iterdir()) == ["small.json", "small.safetensors"]
    assert json.loads(path.with_suffix(".json").read_text())["version"] == 1


def _edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.with_suffix(".json").unlink(),
        lambda p: p.with_suffix(".safetensors").unlink(),
        lambda p: p.with_suffix(".json").write_text("{"),
        lambda p: p.with_suffix(".json").write_text("[1]"),
        lambda p: p.with_suffix(".safetensors").write_bytes(b"not a tensor file"),
        lambda p: p.with_suffix(".safetensors").write_bytes(
            p.with_suffix(".safetensors").read_bytes()[:-40]
        ),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c.update(version=99)),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c.update(format="other")),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c.pop("shapes")),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c["shapes"].update({"conv.bias": [99]})),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c["modules"].update({"no": {}})),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c.update(complex=[["conv.bias"]])),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c.update(complex=["conv.bias"])),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c.update(attributes=[{}])),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c.update(pairs=[1])),
        lambda p: _edit(
            p.with_suffix(".json"), lambda c: c["modules"]["conv"].update(out_channels=[])
        ),
        lambda p: p.with_suffix(".json").write_text("[" * 100_000),
        lambda p: _edit(
            p.with_suffix(".json"), lambda c: c["modules"]["conv"].update(out_channels=-1)
        ),
        lambda p: _edit(p.with_suffix(".json"), lambda c: c["modules"]["conv"].update(forward=1)),
    ],
)
def test_damage_is_one_clear_line(stored, damage):
    _, path = stored
    damage(path)
    with pytest.raises(ArtefactError) as caught:
        load(path, Net)  # noqa: F821
    assert "small" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "factory",
    [lambda: nn.Linear(3, 3), lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))],
)
def test_foreign_factory(stored, factory):
    with pytest.raises(ArtefactError, match="another network"):
        load(stored[1], factory)


def test_smaller_factory_is_refused(tmp_path):
    save(nn.Linear(4, 4), tmp_path / "big")
    with pytest.raises(ArtefactError, match="does not fit"):
        load(tmp_path / "big", lambda: nn.Linear(3, 4))


OWN_SIZES = """
import torch
from torch import nn

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.rate = 12, 44100
        self.first, self.last = nn.Linear(6, 12), nn.Linear(12, 3)

    def forward(self, x):
        return self.last(self.first(x).relu().reshape(-1, self.hidden))

class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(3, 8, 1, dtype=torch.cfloat)
        self.last = nn.Conv1d(8, 2, 1, dtype=torch.cfloat)

    def forward(self, x):
        return self.last(self.first(x.to(torch.cfloat)))

class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory, self.last = nn.GRU(7, 12, batch_first=True), nn.Linear(12, 3)
        self.state, self.table = torch.full((1, 2, 12), 0.3), None

    def forward(self, x):
        if self.table is None:
            self.table = torch.ones(7)
        return self.last(self.memory(x * self.table, self.state)[0])

class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        make = torch.nn.utils.parametrizations.weight_norm
        self.first, self.last = make(nn.Linear(7, 12)), make(nn.Linear(12, 3))

    def forward(self, x):
        return self.last(self.first(x).relu())
"""
exec(OWN_SIZES)


@pytest.mark.parametrize("name", ["Own", "Complex", "Normalised", "Stateful"])
def test_sizes_complex_and_computed_weights_are_stored(name, tmp_path):
    factory = globals()[name]
    torch.manual_seed(2)
    x = X if name != "Own" else X.flatten()[:36].reshape(6, 6)
    small = trim(factory(), x, ratio=1.8)
    small(x)
    save(small, tmp_path / "small")
    again = load(tmp_path / "small", factory)
    for key, tensor in small.state_dict().items():
        assert torch.equal(again.state_dict()[key], tensor), key
    # Recurrent kernels of some processors round by where weights lie in memory.
    torch.testing.assert_close(again(x), small(x), rtol=1e-6, atol=1e-6)
    if name == "Own":
        assert again.hidden == small.first.out_features < 12
        assert again.rate == 44100


class Used(nn.Module):
    """Counts its calls, and notes a size while it runs."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 16), nn.Linear(16, 3)
        self.calls, self.width = 0, 16

    def forward(self, x):
        y = self.first(x).relu()
        self.calls, self.seen = self.calls + 1, y.shape[1]
        return self.last(y.reshape(-1, self.width))


def test_counts_and_sizes_that_come_with_use_are_no_loss(tmp_path):
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    small = trim(Used(), x, ratio=2)
    small(x), small(x)
    assert small.calls == 2
    save(small, tmp_path / "small")
    again = load(tmp_path / "small", Used)
    assert (again.calls, again.width) == (0, small.first.out_features)
    assert not hasattr(again, "seen")
    assert torch.equal(again(x), small(x))


class Extra(nn.Linear):
    """Keeps something that is no tensor."""

    def get_extra_state(self):
        return {"scale": 3}

    def set_extra_state(self, state):
        self.scale = state["scale"]


def holding(tensor):
    """A network with one more buffer."""
    model = nn.Linear(3, 2)
    model.register_buffer("odd", tensor)
    return model


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(3, 2))), "'0."),
        (lambda: Extra(3, 2), "'_extra_state'"),
        (lambda: nn.LazyLinear(2), "'weight' cannot be saved: it has no size yet"),
        (lambda: nn.Linear(3, 2, device="meta"), "'weight' cannot be saved: it is on the device"),
        (lambda: holding(torch.eye(3).to_sparse()), "'odd' cannot be saved: it is sparse"),
        (lambda: holding(torch.ones(3).to(torch.uint16)), "'odd' cannot be saved: it is of type"),
        (lambda: holding(torch.ones(3).to(torch.float8_e5m2)), "float8_e5m2; convert it"),
    ],
)
def test_what_would_be_lost_is_refused(tmp_path, make, message):
    with pytest.raises(ArtefactError, match=message) as caught:
        save(make(), tmp_path / "small")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_views_and_renamed_entries_are_no_loss(tmp_path):
    model = holding(torch.randn(3, dtype=torch.cfloat).conj().imag)  # negated when it is read
    model._register_state_dict_hook(
        lambda module, state, prefix, _: state.update({f"{prefix}other": state.pop("weight")})
    )
    paths = save(model, tmp_path / "small.json")
    assert [path.name for path in paths] == ["small.safetensors", "small.json"]
    again = load(tmp_path / "small", lambda: holding(torch.zeros(3)))
    assert torch.equal(again.odd, model.odd)
    assert torch.equal(again.weight, model.weight)


@pytest.mark.parametrize("blocked", ["small.json", "small.safetensors"])
def test_half_a_network_is_never_written(tmp_path, blocked):
    save(nn.Linear(3, 2), tmp_path / "small")
    (tmp_path / blocked).unlink()
    (tmp_path / blocked).mkdir()
    (other,) = (path for path in tmp_path.iterdir() if path.is_file())
    before = other.read_bytes()
    with pytest.raises(IsADirectoryError, match=blocked):
        save(nn.Linear(5, 2), tmp_path / "small")
    assert other.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
