"""What is asked of a tensor: its sizes, its data, other properties, its entries outside torch."""

import sys
from typing import Any

import torch

from mirtrim.units.gated_calls import named
from mirtrim.units.handlers.operations import METADATA, Call, handles
from mirtrim.units.labels import Free, Label
from mirtrim.units.sizes import AdaptiveInt


@handles(
    torch.Tensor.shape.__get__,  # type: ignore[attr-defined]
    torch.Tensor.size,
    torch.Tensor.numel,
    torch.Tensor.nelement,
    torch.numel,
    torch.Tensor.__len__,
)
def shape(call: Call) -> None:
    """Sizes of unit dimensions are handed out as `AdaptiveInt`."""
    tensor = call.args[0]
    label = call.label(tensor)
    if isinstance(label, Free):
        caller = sys._getframe(2).f_globals.get("__name__", "")
        if caller.partition(".")[0] == "torch":
            return
        if isinstance(call.out, torch.Size):
            call.out = torch.Size(
                [call.trace.size_of(tensor, label, d) for d in range(tensor.dim())]
            )
        elif call.name == "size":
            call.out = call.trace.size_of(tensor, label, call.argument(1, "dim") % tensor.dim())
        else:
            call.trace.fix_tensor(tensor)
        return
    if not isinstance(label, Label) or label.axis is None:
        return
    adaptive = call.trace.adaptive(tensor.shape[label.axis], label.ids)
    if isinstance(call.out, torch.Size):
        sizes: list[Any] = list(call.out)
        sizes[label.axis] = adaptive
        call.out = torch.Size(sizes)
    elif call.name == "__len__":
        if label.axis == 0:
            assert isinstance(adaptive, AdaptiveInt)
            adaptive.fix("len()")
    elif call.name in ("numel", "nelement"):
        call.out = adaptive * (tensor.numel() // tensor.shape[label.axis])
    elif call.argument(1, "dim") % tensor.dim() == label.axis:
        call.out = adaptive


@handles(torch.Tensor.data.__get__)  # type: ignore[attr-defined]
def data(call: Call) -> None:
    """The same memory under another name."""
    call.trace.alias(call.out, call.args[0])
    call.set_all(call.label(call.args[0]))


_METADATA = """
    dim ndimension is_contiguous stride storage_offset element_size is_floating_point is_complex
    is_signed get_device is_inference is_conj is_neg is_same_size data_ptr retain_grad
    register_hook has_names is_shared __hash__ __repr__ is_set_to
    _nested_tensor_from_mask_left_aligned
"""
_LABELLED_PROPERTIES = {"shape", "data", "T", "mT", "H", "mH", "grad", "real", "imag"}
for _name in dir(torch.Tensor):
    _found: Any = getattr(torch.Tensor, _name, None)
    if type(_found).__name__ == "getset_descriptor" and _name not in _LABELLED_PROPERTIES:
        METADATA.add(_found.__get__)
METADATA.update(named(_METADATA, torch.Tensor, torch))


@handles(torch._C._set_grad_enabled, runs=True)
def gradients_stay_on(call: Call) -> None:
    """Without a history, tensors from code that cannot be watched would go unnoticed."""


@handles(*named("numpy __array__ tolist item __dlpack__", torch.Tensor), runs=True)
def leave_torch(call: Call) -> None:
    """Leaving torch: what comes back has no label, so the units must be immortal."""
    tensor = call.args[0].detach()
    call.out = call.func(tensor, *call.args[1:], **call.kwargs)
    call.unknown("leaves torch and cannot be followed")
