"""All costs of one network, counted and measured on this machine."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from mirtrim.counting import Counts, measure_counts
from mirtrim.counting.operations import as_arguments
from mirtrim.deploy.latency import Latency, interleaved, onnx_call, torch_call
from mirtrim.deploy.onnx_export import export_onnx
from mirtrim.deploy.resident import Resident, peak_resident
from mirtrim.deploy.runtime_graph import optimise
from mirtrim.deploy.speed import gmacs_per_second
from mirtrim.utils.errors import ConfigError

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Measurement:
    """What a network costs at batch size 1 on one thread.

    Attributes:
        counts: parameters, MACs, bytes: the same on every machine.
        onnx_bytes: of the exported file.
        onnx_difference: largest difference between ONNX Runtime and torch, relative to
            max(1, |output|).
        onnx, onnx_rewritten, torch: latency in ONNX Runtime as exported and rewritten by
            `mirtrim.deploy.runtime_graph`, and in torch, eagerly; timed in turn.
        resident: memory of a fresh process that runs the exported network.
    """

    counts: Counts
    onnx_bytes: int
    onnx_difference: float
    onnx: Latency
    onnx_rewritten: Latency
    torch: Latency
    resident: Resident

    @property
    def best_ms(self) -> float:
        """Median latency in the runtime that is fastest for this network."""
        return min(one.median_ms for one in (self.onnx, self.onnx_rewritten, self.torch))

    @property
    def gmacs_per_second(self) -> float:
        """10⁹ multiply-accumulates per second in that runtime; 0 if there are none."""
        return gmacs_per_second(self.counts.macs, self.best_ms) if self.counts.macs else 0.0

    def __str__(self) -> str:
        counts, resident = self.counts, self.resident
        lines = [
            ("parameters", f"{counts.parameters:,}"),
            ("of them not zero", f"{counts.nonzeros:,}"),
            ("multiply-accumulates", f"{counts.macs:,}"),
            ("peak activations, fp32", f"{counts.peak_activation_bytes / KIB:,.1f} KiB"),
            ("weights on disk", f"{counts.bytes_raw / KIB:,.1f} KiB"),
            ("weights on disk, gzip", f"{counts.bytes_gzip / KIB:,.1f} KiB"),
            ("ONNX file", f"{self.onnx_bytes / KIB:,.1f} KiB"),
            ("ONNX Runtime − torch", f"{self.onnx_difference:.1e}"),
            ("ONNX Runtime", _in_words(self.onnx)),
            ("ONNX Runtime, rewritten", _in_words(self.onnx_rewritten)),
            ("torch, eager", _in_words(self.torch)),
            ("best of them", f"{self.best_ms:,.3f} ms, {self.gmacs_per_second:,.1f} GMAC/s"),
            (
                "peak resident memory",
                f"{resident.peak_bytes / MIB:,.1f} MiB, of which the network "
                f"{resident.network_bytes / MIB:,.1f} MiB",
            ),
        ]
        width = max(len(name) for name, _ in lines)
        table = "\n".join(f"{name:{width}}  {value}" for name, value in lines)
        return f"{table}\nbatch of 1, one thread; latency is a median, 5 % and 95 % of calls"


def measure_network(
    model: nn.Module, example_inputs: Tensor | Sequence[Tensor], *, seconds: float = 2.0
) -> Measurement:
    """Count and measure `model`; it is left as it was.

    Args:
        example_inputs: arguments of the model's forward, a batch of one.
        seconds: of timing per runtime.

    Raises:
        ConfigError: the batch is not one example.
        TraceError: an operation cannot be counted or exported; names it.
        ArtefactError: the exported network differs from torch.
    """
    inputs = as_arguments(example_inputs)
    if inputs[0].shape[0] != 1:
        raise ConfigError(
            f"example_inputs: latency is that of one example, not of {inputs[0].shape[0]}; "
            "put 1 on the first axis"
        )
    counts = measure_counts(model, inputs)
    with tempfile.TemporaryDirectory() as folder:
        plain, rewritten = Path(folder) / "network.onnx", Path(folder) / "rewritten.onnx"
        difference = export_onnx(model, inputs, plain)
        optimise(plain, rewritten)
        arrays = [value.detach().cpu().numpy() for value in inputs]
        calls = {
            "onnx": onnx_call(plain, arrays),
            "onnx_rewritten": onnx_call(rewritten, arrays),
            "torch": torch_call(model, inputs),
        }
        measured = interleaved(calls, seconds=seconds)
        size, resident = plain.stat().st_size, peak_resident(plain)
    return Measurement(counts, size, difference, **measured, resident=resident)


def _in_words(latency: Latency) -> str:
    return f"{latency.median_ms:,.3f} ms ({latency.p5_ms:,.3f} to {latency.p95_ms:,.3f})"
