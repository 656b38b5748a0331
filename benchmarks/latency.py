"""How much of the theoretical speed-up a clock sees, with plain and hardware-aware cuts.

python benchmarks/latency.py [network ...]

Batch of one, one thread, all candidates of a network timed in turn. Times are 5th percentiles,
what the code needs when nobody disturbs it, with the median behind them. A share is measured
speed-up / theoretical speed-up, both against the dense network in the same column, so that no
column gains from the slow baseline of another. "Both" is the best runtime of a cut against the
plain export of the dense network: what cutting and rewriting do together.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from timing import print_table
from torch import Tensor, nn

from mirtrim.counting.operations import macs, parameters
from mirtrim.deploy.fast import fastest_onnx_call, trim_for_speed, unit_microseconds
from mirtrim.deploy.latency import Call, Latency, interleaved, onnx_call, torch_call
from mirtrim.deploy.onnx_export import export_onnx
from mirtrim.deploy.runtime_graph import optimise
from mirtrim.models.crepe import Crepe
from mirtrim.models.spectral import SpectralCNN
from mirtrim.models.waveform import WaveformCNN
from mirtrim.pruning.selection import blocks
from mirtrim.units.cutting import cut
from mirtrim.units.finding import discover
from mirtrim.utils.errors import RatioError

SHARES = {"half": 1 / 2, "quarter": 1 / 4, "eighth": 1 / 8}
SECONDS = 1.0  # of timing per candidate
SEARCH_SECONDS = 0.3
SEARCH_STEPS = 5


class ConvGRU(nn.Module):
    """A convolution over 40 bands, a GRU in both directions, three outputs per frame."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(40, 64, 5, padding=2)
        self.norm = nn.BatchNorm1d(64)
        self.memory = nn.GRU(64, 128, batch_first=True, bidirectional=True)
        self.output = nn.Linear(256, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 40, frames) → (batch, frames, 3)."""
        x = self.norm(self.convolution(x)).relu()
        return self.output(self.memory(x.transpose(1, 2))[0])


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "CREPE full": (lambda: Crepe(capacity=32), (1, 1, 1024)),
    "CREPE tiny": (lambda: Crepe(capacity=4), (1, 1, 1024)),
    "conv + BiGRU": (ConvGRU, (1, 40, 400)),
    "spectral 32/128": (lambda: SpectralCNN(channels=32, hidden=128), (1, 1, 64, 50)),
    "waveform 64/512": (WaveformCNN, (1, 1, 32768)),
}


@dataclass
class Candidate:
    """One network and how it runs: "plain", "rewritten" (both ONNX Runtime) and "torch"."""

    model: nn.Module
    macs: int
    calls: dict[str, Call]
    latency: dict[str, Latency] = field(default_factory=dict)


def candidate(model: nn.Module, example: Tensor, folder: Path) -> Candidate:
    """Export, rewrite, load."""
    plain, rewritten = folder / "plain.onnx", folder / "rewritten.onnx"
    export_onnx(model, example, plain)
    optimise(plain, rewritten)
    arrays = [example.numpy()]
    calls = {
        "plain": onnx_call(plain, arrays),
        "rewritten": onnx_call(rewritten, arrays),
        "torch": torch_call(model, example),
    }
    return Candidate(model, macs(model, example), calls)


def with_share(model: nn.Module, example: Tensor, share: float) -> nn.Module:
    """The first units of every block; which ones does not matter to a clock."""
    graph = discover(model, example)
    keep = np.zeros(graph.group_count, dtype=bool)
    keep[0] = True
    for block in blocks(graph):
        keep[block[: max(1, round(len(block) * share))]] = True
    return cut(model, graph, keep)


def as_fast_as(
    limit: Call, model: nn.Module, example: Tensor, prices: dict[str, float] | None, folder: Path
) -> nn.Module | None:
    """The cut in packs with the most MACs that is, rewritten, no slower than `limit`."""
    low, high, found = 1.0, 256.0, None
    for _ in range(SEARCH_STEPS):
        asked = (low * high) ** 0.5
        try:
            small = trim_for_speed(
                model, example, speed_up=asked, microseconds=prices, minimum_units=4
            )
        except RatioError:
            high = asked
            continue
        call = fastest_onnx_call(small, example, folder / "search.onnx")
        times = interleaved({"limit": limit, "small": call}, seconds=SEARCH_SECONDS)
        if times["small"].p5_ms <= times["limit"].p5_ms:
            high, found = asked, small
        else:
            low = asked
    return found


def measure(name: str, folder: Path) -> tuple[Candidate, dict[str, Candidate]]:
    """The dense network and its cuts, all timed in turn."""
    factory, shape = CASES[name]
    torch.manual_seed(0)
    model, example = factory().eval(), torch.randn(shape)
    dense = candidate(model, example, folder)
    prices = unit_microseconds(model, example, seconds=SEARCH_SECONDS)
    print("µs per unit:", ", ".join(f"{layer} {price:.2f}" for layer, price in prices.items()))
    cuts = {}
    for word, share in SHARES.items():
        plain = cuts[word] = candidate(with_share(model, example, share), example, folder)
        for way, table in (("packs", None), ("packs by price", prices)):
            aware = as_fast_as(plain.calls["plain"], model, example, table, folder)
            if aware is not None:
                cuts[f"{way}, as fast as {word}"] = candidate(aware, example, folder)
    everyone = {"dense": dense, **cuts}
    # torch is slow enough to leave the others few rounds, and no share mixes the two.
    for runtimes in (("plain", "rewritten"), ("torch",)):
        turns = [(word, runtime) for word in everyone for runtime in runtimes]
        calls = {f"{word}/{runtime}": everyone[word].calls[runtime] for word, runtime in turns}
        timed = interleaved(calls, seconds=SECONDS)
        for word, runtime in turns:
            everyone[word].latency[runtime] = timed[f"{word}/{runtime}"]
    return dense, cuts


def widths(model: nn.Module, example: Tensor) -> str:
    """Units of every layer that can shrink."""
    graph = discover(model, example)
    return " ".join(str(len(layer.groups)) for layer in graph.layers if layer.groups.any())


def row(word: str, one: Candidate, dense: Candidate, example: Tensor) -> list[str]:
    """A line of the table."""
    cells = [
        word,
        widths(one.model, example),
        f"{parameters(one.model):,}",
        f"{one.macs / 1e6:.2f}",
    ]
    theoretical = dense.macs / one.macs
    for runtime, latency in one.latency.items():
        measured = dense.latency[runtime].p5_ms / latency.p5_ms
        share = f" **{measured / theoretical:.2f}**" if runtime != "torch" else ""
        cells.append(f"{latency.p5_ms:.3f} ({latency.median_ms:.3f}){share}")
    best = min(one.latency, key=lambda runtime: one.latency[runtime].p5_ms)
    quickest_ms = one.latency[best].p5_ms
    both = dense.latency["plain"].p5_ms / quickest_ms / theoretical
    return [*cells, f"{both:.2f}", best, f"{one.macs / quickest_ms / 1e6:.1f}"]


def main() -> None:
    """Print a table per network."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description="latency of dense networks and of plain cuts")
    known = ", ".join(CASES)
    parser.add_argument("network", nargs="*", help=f"all unless some are named: {known}")
    names = parser.parse_args().network
    if unknown := set(names) - set(CASES):
        parser.error(f"no network {sorted(unknown)[0]!r}; known: {known}")
    for name in names or CASES:
        print(f"## {name}\n")
        with tempfile.TemporaryDirectory() as folder:
            dense, cuts = measure(name, Path(folder))
        example = torch.zeros(CASES[name][1])
        head = ["units", "widths", "parameters", "MMAC", "plain, ms", "rewritten, ms", "torch, ms"]
        lines = [row(word, one, dense, example) for word, one in {"dense": dense, **cuts}.items()]
        print_table([*head, "both", "best", "GMAC/s"], lines)


if __name__ == "__main__":
    main()
