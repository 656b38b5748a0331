"""Whether everything that a network holds can be stored as plain tensors."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.tensors import DTYPES

_EMPTY: tuple[Any, ...] = (None, {}, [], ())
_COMPLEX = (torch.complex32, torch.complex64, torch.complex128)


def check_storable(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Refuse a network of which something would be lost.

    Args:
        tensors: everything of it that would be stored, by name.

    Raises:
        ArtefactError: names what cannot be stored.
    """
    for name, tensor in tensors.items():
        if reason := _reason(tensor):
            raise ArtefactError(f"tensor {name!r} cannot be saved: it {reason}")
    if lost := next(_lost(model, tensors), None):
        raise ArtefactError(
            f"{lost!r} is of the network's state but no parameter or buffer, so it would be lost; "
            "save the network before it is quantised or packed"
        )


def _reason(tensor: Tensor) -> str | None:
    """Why a tensor cannot be stored, and what to do; None if it can."""
    if is_lazy(tensor):
        return "has no size yet; call the network once"
    if tensor.is_meta:
        return "is on the device 'meta', without values; load its values"
    if tensor.layout is not torch.strided or tensor.is_nested:
        return "is sparse or nested; make it dense"
    if tensor.dtype not in (*DTYPES, *_COMPLEX):
        kind = str(tensor.dtype).removeprefix("torch.")
        return f"is of type {kind}; convert it to another, as with .float()"
    return None


def _lost(model: nn.Module, tensors: Mapping[str, Tensor]) -> Iterator[str]:
    """Entries of the state that are stored under no name."""
    named = dict(model.named_parameters(remove_duplicate=False))
    buffers = dict(model.named_buffers(remove_duplicate=False))
    known = named.keys() | buffers.keys() | tensors.keys()
    # Some networks rename their entries on the way out.
    places = {tensor.data_ptr() for tensor in tensors.values()}
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor):
            if name not in known and value.data_ptr() not in places:
                yield name
        elif not any(type(value) is type(empty) and value == empty for empty in _EMPTY):
            yield name
