"""One call that says what a network costs."""

import re

import pytest
import torch
from torch import Tensor, nn

from mirtrim.counting import Counts
from mirtrim.deploy.latency import Latency
from mirtrim.deploy.measuring import Measurement, measure_network
from mirtrim.deploy.resident import Resident
from mirtrim.utils.errors import ConfigError, TraceError


class Recurrent(nn.Module):
    """(1, 3, 50) → (1, 50, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Conv1d(3, 16, 5, padding=2)
        self.memory = nn.GRU(16, 8, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.memory(self.front(x).relu().transpose(1, 2))[0])


def test_everything_is_measured_and_the_network_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    model = Recurrent().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = measure_network(model, torch.randn(1, 3, 50), seconds=0.05)
    # 50 · (16·15 + 3·8·(16 + 8) + 8·4) products; 256 + 624 + 36 parameters.
    assert found.counts.macs == 50 * (240 + 576 + 32)
    assert found.counts.parameters == 256 + 624 + 36
    assert found.onnx_bytes > 4 * 916
    assert found.onnx_difference <= 1e-5
    for latency in (found.onnx, found.onnx_rewritten, found.torch):
        assert 0 < latency.p5_ms <= latency.median_ms <= latency.p95_ms
    assert found.resident.peak_bytes >= found.resident.baseline_bytes > 2**23
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_the_table_by_hand() -> None:
    counts = Counts(1_000, 900, 3_000_000, 4_096, 2_048, 1_536)
    found = Measurement(
        counts,
        5_120,
        2e-7,
        Latency(2.0, 1.0, 4.0, 10),
        Latency(1.5, 1.0, 4.0, 10),
        Latency(30.0, 1.0, 4.0, 10),
        Resident(40 * 2**20, 42 * 2**20),
    )
    assert found.best_ms == 1.5
    assert found.gmacs_per_second == pytest.approx(2.0)
    lines = dict(re.split(r"  +", line) for line in str(found).splitlines()[:-1])
    assert lines == {
        "parameters": "1,000",
        "of them not zero": "900",
        "multiply-accumulates": "3,000,000",
        "peak activations, fp32": "1.5 KiB",
        "weights on disk": "4.0 KiB",
        "weights on disk, gzip": "2.0 KiB",
        "ONNX file": "5.0 KiB",
        "ONNX Runtime − torch": "2.0e-07",
        "ONNX Runtime": "2.000 ms (1.000 to 4.000)",
        "ONNX Runtime, rewritten": "1.500 ms (1.000 to 4.000)",
        "torch, eager": "30.000 ms (1.000 to 4.000)",
        "best of them": "1.500 ms, 2.0 GMAC/s",
        "peak resident memory": "42.0 MiB, of which the network 2.0 MiB",
    }


def test_a_batch_is_refused() -> None:
    with pytest.raises(ConfigError, match="one example, not of 2"):
        measure_network(Recurrent(), torch.randn(2, 3, 50), seconds=0.05)


def test_what_cannot_be_counted_is_named() -> None:
    class Distances(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.centres = nn.Parameter(torch.randn(4, 3))

        def forward(self, x: Tensor) -> Tensor:
            return torch.cdist(x, self.centres)

    with pytest.raises(TraceError, match="cdist"):
        measure_network(Distances(), torch.randn(1, 3), seconds=0.05)
