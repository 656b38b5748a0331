"""What cannot be followed is one clear error that names the operation; nothing is cut wrongly."""

import math
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

import mirtrim
from mirtrim.units.finding import discover
from mirtrim.utils.errors import TraceError

X = torch.linspace(-1, 1, 2 * 3 * 6).reshape(2, 3, 6)


class Inner(nn.Module):
    """Runs a function of its input; its path in the network is `inner`."""

    def __init__(self, run) -> None:
        super().__init__()
        self.run = run
        self.weight = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.run(x)


def network(run, channels: int = 4) -> nn.Sequential:
    net = nn.Sequential()
    net.add_module("first", nn.Conv1d(3, 4, 1))
    net.add_module("inner", Inner(run))
    net.add_module("last", nn.Conv1d(channels, 2, 1))
    return net


class Shares(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.softmax(1)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


traced = torch.jit.trace(lambda x: x.flip(1) + 1, torch.ones(2, 4, 6))


def traced_without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        return traced(x)


def inference(x: Tensor) -> Tensor:
    with torch.inference_mode():
        y = traced(x.detach())
    return y + 0


def fill_buffer(x: Tensor) -> Tensor:
    y = torch.zeros(2, 4, 6)
    y[:, :, 1:] = x[:, :, 1:]
    return y


def collect_in_place(x: Tensor) -> Tensor:
    y = torch.zeros(2, 4, 6)
    view = y[:]
    y += x
    return view


@pytest.mark.parametrize(
    ("operation", "run"),
    [
        ("bmm", lambda x: torch.bmm(torch.bmm(x, x.mT), x)),
        ("einsum", lambda x: torch.einsum("bct,bdt->bcd", x, x) @ torch.ones(4, 6)),
        ("max", lambda x: x * x.max(1, keepdim=True)[1]),
        ("matmul", lambda x: (x.mT @ torch.ones(4, 4)).mT),
        ("cumsum", lambda x: x.cumsum(1)),
        ("sort", lambda x: x.sort(1)[0]),
        ("roll", lambda x: x.roll(1, 1)),
        ("roll", lambda x: x.roll(1)),
        ("batch_norm", lambda x: F.batch_norm(x.mT, torch.zeros(6), torch.ones(6)).mT),
        ("instance_norm", lambda x: F.instance_norm(x.mT).mT),
        ("conv1d", lambda x: F.conv1d(x, torch.ones(4, 4, 1))),
        ("conv2d", lambda x: F.conv2d(x[:, None], torch.ones(1, 1, 3, 3), None, 1, 1)[:, 0]),
        ("__setitem__", fill_buffer),
        ("index_select", lambda x: x.index_select(1, torch.tensor([1, 0, 2, 3]))),
        ("__getitem__", lambda x: x[:, [1, 0, 2, 3]]),
        ("gather", lambda x: x.gather(1, torch.zeros(2, 4, 6, dtype=torch.long))),
        ("mul", lambda x: x * torch.arange(4.0)[:, None]),
        ("add", lambda x: x + torch.zeros(4, 1)),
        ("cat", lambda x: torch.cat([x, torch.zeros(2, 4, 1)], 2)),
        ("mul", lambda x: (x[:, :, None] * x[:, None]).sum(2)),
        ("numpy", lambda x: torch.from_numpy(np.tanh(x.detach().numpy()))),
        ("tolist", lambda x: torch.tensor(x.tolist())),
        ("median", lambda x: x - x.median(1, keepdim=True)[0]),
        ("scaled_dot_product_attention", lambda x: F.scaled_dot_product_attention(x, x, x)),
        ("fft_rfft", lambda x: torch.fft.rfft(x, 6, dim=1).real[:, :4]),
        ("pad", lambda x: F.pad(x, (0, 0, -1, 1))),
        ("max_pool1d", lambda x: F.max_pool1d(x.mT, 3, 1, 1).mT),
        ("as_strided", lambda x: x.as_strided((2, 4, 6), (24, 6, 1))),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_operation_across_units_is_refused_by_name(operation, run):
    with pytest.raises(TraceError) as caught:
        discover(network(run), X, strict=True)
    message = str(caught.value)
    assert operation in message
    assert "'inner'" in message or operation in ("conv2d", "conv1d")
    assert re.search(r"\(\d", message), "shapes are missing"
    assert "\n" not in message


@pytest.mark.parametrize(
    ("words", "run"),
    [
        ("custom autograd function Shares", lambda x: Shares.apply(x)),
        ("unknown origin", lambda x: traced(x)),
        ("unknown origin", traced_without_gradient),
        ("unknown origin", inference),
        ("unknown origin", collect_in_place),
        ("not part of the network", lambda x: nn.Conv1d(4, 4, 1)(x)),
    ],
)
def test_code_that_cannot_be_watched_is_refused(words, run):
    with pytest.raises(TraceError, match=words):
        discover(network(run), X, strict=True)


def test_convolution_across_units_is_refused():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.plane = nn.Conv1d(3, 4, 1), nn.Conv2d(1, 1, 3, padding=1)
            self.last = nn.Linear(6, 2)

        def forward(self, x):
            return self.last(self.plane(self.first(x)[:, None]).mean(2))

    with pytest.raises(TraceError, match="conv2d in module 'plane' .* slides over"):
        discover(Net(), X, strict=True)


def test_scripted_module_is_refused_by_path():
    net = nn.Sequential(nn.Conv1d(3, 4, 1), torch.jit.script(nn.ReLU()), nn.Conv1d(4, 2, 1))
    with pytest.raises(TraceError, match="module 1 is scripted"):
        discover(net, X, strict=True)


def test_refused_operations_are_fine_on_outputs_inputs_and_protected_layers():
    run = lambda x: x.cumsum(1)  # noqa: E731
    graph = discover(network(run), X, protect=["first"])
    assert graph.group_count == 1
    head = nn.Sequential(nn.Conv1d(3, 4, 1), nn.ReLU(), nn.Conv1d(4, 2, 1), nn.Softmax(1))
    assert discover(head, X).group_count == 5
    spectrum = nn.Sequential(Inner(lambda x: torch.fft.rfft(x, dim=1).abs()), nn.Conv1d(2, 2, 1))
    assert discover(spectrum, X).group_count == 1


def test_a_refusal_passes_through_later_operations_to_the_output():
    graph = discover(nn.Sequential(nn.Conv1d(3, 4, 1), Inner(lambda x: 1 + x.cumsum(1).relu())), X)
    assert graph.layers[0].groups.tolist() == [0, 0, 0, 0]
    assert "output" in graph.layers[0].pinned_because


def test_unknown_protected_module():
    with pytest.raises(TraceError, match="cannot protect 'frist'"):
        discover(network(lambda x: x), X, protect=["frist"])


class Recurrent(nn.Module):
    def __init__(self, rnn, run) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.rnn, self.run = rnn, run
        self.last = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.run(self.rnn, self.first(x.mT)))


@pytest.mark.parametrize(
    ("words", "rnn", "run"),
    [
        ("constant state", nn.GRU(4, 5), lambda r, x: r(x, torch.ones(1, 6, 5))[0]),
        ("constant state", nn.GRUCell(4, 5), lambda r, x: r(x[:, 0], torch.zeros(2, 5))),
        (
            "computed from parameters",
            parametrizations.spectral_norm(nn.Linear(4, 5)),
            lambda r, x: r(x),
        ),
    ],
)
def test_recurrent_cases_are_refused_by_name(words, rnn, run):
    with pytest.raises(TraceError, match=words):
        discover(Recurrent(rnn, run), X, strict=True)


@pytest.mark.parametrize(
    "run",
    [
        lambda r, x: r(x[:, 0], x.new_zeros(2, r.hidden_size)),
        lambda r, x: r(x[:, 0], r(x[:, 1])),
        lambda r, x: r(x[:, 0], torch.zeros_like(r(x[:, 1]))),
    ],
)
def test_states_that_follow_the_module_are_welcome(run, assert_equivalence):
    graph = assert_equivalence(Recurrent(nn.GRUCell(4, 5), run), X.double())
    assert graph.group_count == 1 + 4 + 5


def test_failing_network_is_restored():
    net = network(lambda x: x.cumsum(1)).train()
    with pytest.raises(TraceError):
        discover(net, X, strict=True)
    assert net.training
    assert type(net.first.out_channels) is int
    assert net(X).requires_grad


# --- layers whose weights cannot be followed


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (lambda: nn.Linear(10, 6), (3, 10), 60),
        (lambda: nn.Conv1d(10, 6, 3, groups=2), (3, 10, 7), 5 * 6 * 5 * 3 + 32),
        (lambda: nn.Conv2d(10, 6, (3, 1), stride=2), (3, 10, 7, 5), 3 * 3 * 10 * 6 * 3 + 62),
        (lambda: nn.ConvTranspose1d(10, 6, 3, stride=2), (3, 10, 7), 7 * 10 * 6 * 3 + 62),
    ],
)
def test_a_layer_that_cannot_be_followed_is_told_with_its_costs(layer, shape, macs):
    """It was neither listed nor noted, and its operations did not count.

    Those of a norm over several dimensions do: once, for three examples.
    """

    normed = parametrizations.spectral_norm(layer())
    made = normed(torch.ones(shape)).shape
    net = nn.Sequential(normed, nn.Flatten(), nn.Linear(math.prod(made[1:]), 8), nn.Linear(8, 2))
    report = mirtrim.trim(net, torch.ones(shape), ratio=1.01).trim_report
    assert report.macs_before == macs + 8 * math.prod(made[1:]) + 16
    (note,) = report.notes
    assert "in module '0' stay, and are not listed: its weight" in note
    assert note in str(report)
