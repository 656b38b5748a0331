"""Checking a cut: the trimmed network equals the full one with the same units gated to zero."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from mirtrim.units.cutting import cut_tensors
from mirtrim.units.gating import gated
from mirtrim.units.graph import UnitGraph
from mirtrim.units.nesting import arguments, tensors_in
from mirtrim.units.precision import in_float64, widened, widened_copy
from mirtrim.units.preserving import preserved
from mirtrim.units.random_numbers import Drawing, Replaying
from mirtrim.utils.errors import MirtrimError, TraceError


@torch.no_grad()
def check_equivalence(
    model: nn.Module,
    trimmed: nn.Module,
    graph: UnitGraph,
    keep: np.ndarray,
    example_inputs: Any,
    tolerance: float = 1e-5,
) -> float:
    """Largest difference between gated and trimmed outputs, relative to max(1, |output|).

    Both networks run in eval mode and are left in the mode they were in. Sums of different
    lengths round differently, and the more so the larger the activations that they cancel. So
    where the networks differ by more than `tolerance`, both run again in float64; what remains
    there is no rounding. A network that cannot run in float64 is judged relative to its largest
    activation instead.

    Returns:
        The difference that was judged: that in the networks' own precision if it is small
        enough, else that in float64 (or relative to the activations).

    Raises:
        TraceError: the difference exceeds `tolerance`, or the outputs do not correspond.
    """
    with preserved(model, trimmed):
        model.eval()
        trimmed.eval()
        expected, found = _both(model, trimmed, graph, keep, example_inputs)
        difference = _difference(expected, found)
        if not difference <= tolerance:
            exact = _in_float64(model, trimmed, graph, keep, example_inputs)
            if exact is not None:
                difference = _difference(*exact)
            else:
                with _Largest() as largest:
                    _outputs(gated(model, graph, keep), model, example_inputs)
                difference = _difference(expected, found, max(1.0, largest.value))
    if not difference <= tolerance:
        raise TraceError(
            f"trimmed and gated outputs differ by {difference:.2e} (allowed: {tolerance:.0e}); "
            "the cut would change the network"
        )
    return difference


def _both(
    model: nn.Module, trimmed: nn.Module, graph: UnitGraph, keep: np.ndarray, example_inputs: Any
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs of the gated and of the trimmed network, with the same random numbers."""
    with Drawing() as drawn:
        expected = _outputs(gated(model, graph, keep), model, example_inputs)
    left = [(axis, np.flatnonzero(keep[groups])) for axis, groups in graph.draws]
    with Replaying(drawn.draws, left):
        found = _outputs(trimmed, trimmed, example_inputs)
    return expected, found


def _outputs(run: Callable[..., Any], network: nn.Module, example_inputs: Any) -> list[Tensor]:
    """All tensors that a network returns; random numbers and hidden states are put back.

    Raises:
        TraceError: it fails.
    """
    with preserved(network):
        positional, named = arguments(network, example_inputs)
        try:
            return [part for t in tensors_in(run(*positional, **named)) for part in _dense(t)]
        except MirtrimError:
            raise
        except Exception as error:
            text = " ".join(str(error).split())[:200]
            raise TraceError(
                f"the cut would break the network ({type(error).__name__}: {text}); please report "
                "this network, or protect the layers concerned"
            ) from error


def _dense(tensor: Tensor) -> tuple[Tensor, ...]:
    """The tensor as ordinary ones: the parts of a nested one, all entries of a sparse one."""
    if tensor.is_nested:
        return tensor.unbind()
    return (tensor if tensor.layout == torch.strided else tensor.to_dense(),)


def _difference(expected: Sequence[Tensor], found: Sequence[Tensor], scale: float = 1) -> float:
    """Largest |one - other| / max(`scale`, |one|) over all entries of all tensors.

    Raises:
        TraceError: the tensors do not correspond.
    """
    if [t.shape for t in expected] != [t.shape for t in found]:
        raise TraceError("the trimmed network returns other shapes than the gated one")
    worst = 0.0
    for one, other in zip(expected, found, strict=True):
        if one.numel():
            dtype = torch.complex128 if one.is_complex() else torch.float64
            one, other = one.to(dtype), other.to(dtype)
            entries = (one - other).abs() / one.abs().clamp(min=scale)
            if not torch.isfinite(entries).all():
                # Both are infinite, or both no number: -inf is how attention is masked.
                same = (one == other) | (one.isnan() & other.isnan())
                entries = entries.masked_fill(same, 0).nan_to_num(nan=torch.inf)
            worst = max(worst, entries.max().item())
    return worst


def _in_float64(
    model: nn.Module, trimmed: nn.Module, graph: UnitGraph, keep: np.ndarray, example_inputs: Any
) -> tuple[list[Tensor], list[Tensor]] | None:
    """Outputs of both networks in float64; None if they cannot run in it."""
    try:
        # Compiled code for one precision, or a module that cannot be copied, fails here.
        wide, other = widened_copy(model), widened_copy(trimmed)
        _unround_lengths(wide, trimmed, other, graph, keep)
        given = widened(example_inputs)
        with in_float64():
            return _both(wide, other, graph, keep, given)
    except (TraceError, RuntimeError, TypeError, ValueError):
        return None


def _unround_lengths(
    wide: nn.Module, trimmed: nn.Module, other: nn.Module, graph: UnitGraph, keep: np.ndarray
) -> None:
    """Magnitudes of normalised weights as they would be in float64.

    They change where a direction loses entries, and so are rounded to the network's precision.

    Args:
        wide, other: the network before the cut, and `trimmed`, in float64.
    """
    rounded, lengths = dict(trimmed.named_parameters()), dict(other.named_parameters())
    names = [gain for gain, *_ in graph.weight_norms if gain in lengths]
    exact = cut_tensors(dict(wide.named_parameters()), graph, keep) if names else {}
    for name in names:
        step = torch.finfo(rounded[name].dtype).eps
        if torch.allclose(lengths[name], exact[name], rtol=step, atol=0):
            lengths[name].copy_(exact[name])


class _Largest(TorchFunctionMode):
    """Remembers the largest finite activation."""

    value = 0.0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point() and result.numel():
            self.value = max(self.value, result.abs().nan_to_num(0.0, 0.0, 0.0).max().item())
        return result
