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


class Projecting(nn.Module):
    """An LSTM that hands on projections of its hidden states; what is read, `run` says."""

    def __init__(self, run, layers: int = 1, *, both: bool = False, bias: bool = True) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.run = run
        self.front = nn.Conv1d(3, 6, 3)
        self.rnn = nn.LSTM(
            6, 8, layers, bidirectional=both, batch_first=True, proj_size=5, bias=bias
        )
        self.head = nn.Linear(10 if both else 5, 4)
        if run is _states:
            self.cells = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, self.front(x).transpose(1, 2))


def _frames(m, x):
    return m.head(m.rnn(x)[0])


def _states(m, x):
    frames, (said, cells) = m.rnn(x)
    return m.head(frames)[:, -1] * m.head(said[-1]) + m.cells(cells[-1])


def _packed(m, x):
    packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([7, 4]), batch_first=True)
    out, _ = m.rnn(packed)
    return m.head(nn.utils.rnn.pad_packed_sequence(out, batch_first=True)[0])


PROJECTED = [("rnn.weight_hr_l0", 0), ("rnn.weight_hr_l0", 1), ("rnn.weight_hh_l0", 1)]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("run", [_frames, _packed])
def test_hidden_states_and_their_projections(run, layers, both, assert_cut_whole):
    graph = assert_cut_whole(lambda: Projecting(run, layers, both=both), X, PROJECTED, 1.3)
    groups = {layer.name: layer.groups.tolist() for layer in graph.layers}
    # torch wants more hidden states than projections: five pairs, two alone, and one that stays.
    assert groups["rnn"] == [7, 8, 9, 10, 11, 12, 13, 0]
    assert groups["rnn.weight_hr_l0"] == [7, 8, 9, 10, 11]
    directions = 1 + both
    first = 4 * 8 * (6 + 5 + 2) + 5 * 8
    later = 4 * 8 * (5 * directions + 5 + 2) + 5 * 8
    rest = 6 * 10 + 4 * (5 * directions + 1)
    dense = directions * (first + (layers - 1) * later) + rest
    assert graph.parameters(graph.all_kept()) == dense
    # A pair and one hidden state alone: six of eight states, four of five projections.
    keep = graph.all_kept()
    keep[[8, 12]] = False
    first = 4 * 6 * (6 + 4 + 2) + 4 * 6
    later = 4 * 6 * (4 * directions + 4 + 2) + 4 * 6
    rest -= 4 * directions
    assert graph.parameters(keep) == directions * (first + (layers - 1) * later) + rest
    frames = 7 * directions * 4 * 4 + 7 * 3 * 3 * 6
    steps = 7 * directions
    macs = frames + steps * (4 * 6 * (6 + 4) + 4 * 6)
    macs += (layers - 1) * steps * (4 * 6 * (4 * directions + 4) + 4 * 6)
    assert run is _packed or graph.macs(keep) == macs


def test_what_reads_states_and_cells_of_projections(assert_cut_whole):
    planted = [("cells.weight", 1), ("head.weight", 1), ("rnn.weight_ih_l0", 0)]
    graph = assert_cut_whole(lambda: Projecting(_states, bias=False), X, planted, 1.3)
    assert graph.slices["cells.weight"][1].tolist() == [7, 8, 9, 10, 11, 12, 13, 0]
    assert graph.slices["head.weight"][1].tolist() == [7, 8, 9, 10, 11]


def test_projections_that_go_out_stay_and_the_other_hidden_states_go(assert_equivalence):
    graph = assert_equivalence(Projecting(lambda m, x: m.rnn(x)[0]), X)
    (rnn,) = (layer for layer in graph.layers if layer.name == "rnn")
    assert rnn.groups.tolist() == [0] * 5 + [7, 8, 0]


def test_projections_start_from_given_states(assert_equivalence):
    def run(m, x):
        zeros = [x.new_zeros(1, len(x), size) for size in (m.rnn.proj_size, m.rnn.hidden_size)]
        return m.head(m.rnn(x, tuple(zeros))[0])

    assert assert_equivalence(Projecting(run), X).group_count == 14
    graph = assert_equivalence(
        Projecting(lambda m, x: m.head(m.rnn(x, tuple(x.new_zeros(1, 2, n) for n in (5, 8)))[0])), X
    )
    assert graph.group_count == 7
    assert any("starts from a constant state of fixed size" in why for why in graph.kept)


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
