"""Equivalence for every recurrent layer, and for gated convolution blocks."""

import pytest
import torch
from torch import Tensor, nn

X = torch.randn(2, 3, 9, generator=torch.Generator().manual_seed(3)).double()


class ConvRecurrent(nn.Module):
    """Conv1d-BN-ReLU → recurrent → Linear."""

    def __init__(self, kind, both: bool, layers: int, last_state: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.front = nn.Sequential(nn.Conv1d(3, 6, 3), nn.BatchNorm1d(6), nn.ReLU())
        self.rnn = kind(6, 5, layers, bidirectional=both, batch_first=True, dropout=0.0)
        self.head = nn.Linear(10 if both else 5, 4)
        self.last_state = last_state

    def forward(self, x: Tensor) -> Tensor:
        frames, state = self.rnn(self.front(x).transpose(1, 2))
        if not self.last_state:
            return self.head(frames)
        state = state[0] if isinstance(state, tuple) else state
        parts = [state[-2], state[-1]] if self.rnn.bidirectional else [state[-1]]
        return self.head(torch.cat(parts, dim=1))


@pytest.mark.parametrize("last_state", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_twelve_recurrent_networks(kind, both, layers, last_state, assert_equivalence):
    net = ConvRecurrent(kind, both, layers, last_state)
    graph = assert_equivalence(net, X)
    conv, rnn, head = graph.layers
    assert conv.groups.tolist() == [1, 2, 3, 4, 5, 6]
    assert rnn.groups.tolist() == [7, 8, 9, 10, 11]
    assert rnn.kind == "recurrent"
    assert len(rnn.weights) == 2 * layers * (1 + both)
    assert head.groups.tolist() == [0] * 4
    gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[kind]
    columns = graph.slices["rnn.weight_hh_l0"][1]
    assert columns.tolist() == rnn.groups.tolist()
    assert graph.slices["rnn.weight_hh_l0"][0].tolist() == rnn.groups.tolist() * gates
    # Hand count: 7 frames after the convolution.
    directions = 1 + both
    first = gates * 5 * (6 + 5)
    later = gates * 5 * (5 * directions + 5)
    frames = 1 if last_state else 7
    expected = 7 * 3 * 3 * 6 + 7 * directions * (first + (layers - 1) * later)
    expected += frames * 5 * directions * 4
    assert graph.macs(graph.all_kept()) == expected


def test_time_first_and_without_bias(assert_equivalence):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(3, 5, 2, bias=False, bidirectional=True)
            self.head = nn.Linear(10, 2)

        def forward(self, x):
            return self.head(self.rnn(x.permute(2, 0, 1))[0])

    assert assert_equivalence(Net(), X).group_count == 6


def test_hidden_state_that_enters_again(assert_equivalence):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.LSTM(3, 5, batch_first=True)
            self.decoder = nn.LSTM(3, 5, batch_first=True)
            self.start = nn.Parameter(torch.randn(1, 1, 5))
            self.head = nn.Linear(5, 2)

        def forward(self, x):
            x = x.transpose(1, 2)
            _, state = self.encoder(
                x,
                (
                    self.start.expand(-1, x.size(0), -1).contiguous(),
                    torch.zeros(1, x.size(0), self.encoder.hidden_size).double(),
                ),
            )
            return self.head(self.decoder(x, state)[0])

    graph = assert_equivalence(Net(), X)
    assert graph.group_count == 6
    assert graph.layers[0].groups.tolist() == graph.layers[1].groups.tolist()
    assert graph.slices["start"][2].tolist() == [1, 2, 3, 4, 5]


class WaveBlock(nn.Module):
    """Dilated convolution → gate → 1×1 residual and skip (van den Oord et al. 2016)."""

    def __init__(self, channels: int, skip: int, dilation: int) -> None:
        super().__init__()
        self.dilated = nn.Conv1d(channels, 2 * channels, 2, dilation=dilation)
        self.residual = nn.Conv1d(channels, channels, 1)
        self.skip = nn.Conv1d(channels, skip, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.dilated(x)
        filtered, gate = y.chunk(2, dim=1)
        z = torch.tanh(filtered) * torch.sigmoid(gate)
        return self.residual(z) + x[:, :, -z.size(2) :], self.skip(z)


class WaveNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv1d(3, 4, 1)
        self.blocks = nn.ModuleList(WaveBlock(4, 6, d) for d in (1, 2))
        self.last = nn.Sequential(nn.ReLU(), nn.Conv1d(6, 5, 1), nn.ReLU(), nn.Conv1d(5, 7, 1))

    def forward(self, x: Tensor) -> Tensor:
        x, total = self.first(x), None
        for block in self.blocks:
            x, skip = block(x)
            total = skip if total is None else total[:, :, -skip.size(2) :] + skip
        return self.last(total)


def test_wavenet_blocks(assert_equivalence):
    graph = assert_equivalence(WaveNet(), X)
    groups = {layer.name: layer.groups.tolist() for layer in graph.layers}
    # The residual path ties first and every residual convolution; gate halves are tied.
    assert groups["first"] == groups["blocks.0.residual"] == [1, 2, 3, 4]
    assert groups["blocks.0.dilated"] == [5, 6, 7, 8] * 2
    assert groups["blocks.0.skip"] == groups["blocks.1.skip"] == [9, 10, 11, 12, 13, 14]


@pytest.mark.parametrize("seed", range(6))
def test_wavenet_survives_many_cuts(seed, assert_equivalence):
    assert_equivalence(WaveNet(), X, seed, share=0.3)
