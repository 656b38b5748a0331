"""Calls of a gated network that look at all units at once: on those that live."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirtrim.units.gated_calls import ATTENTION, DISTANCES, NORMS, SCALED, SHARED
from mirtrim.units.graph import NormCall
from mirtrim.utils.errors import TraceError


def zeroed(tensor: Tensor, dim: int | None, living: np.ndarray) -> Tensor:
    """`tensor` with zeros where units along `dim` are gone."""
    return tensor * _lying_along(torch.as_tensor(living, dtype=tensor.dtype), tensor, dim)


def _lying_along(values: Tensor, tensor: Tensor, axis: int | None) -> Tensor:
    """Values of units, shaped so that they meet `tensor` along the dimension of its units."""
    axis = _fitting(tensor, axis, values)
    return values.to(tensor.device).reshape([-1 if d == axis else 1 for d in range(tensor.dim())])


def _fitting(tensor: Tensor, axis: int | None, living: np.ndarray | Tensor) -> int:
    """`axis` of a tensor that has as many units there as when the network was traced.

    Raises:
        TraceError: it has more or fewer.
    """
    assert axis is not None
    size = tensor.shape[axis]
    if size != len(living):
        raise TraceError(
            f"units lie along a dimension of size {size}, which was {len(living)} when the network "
            "was traced, so it is not known which they are; give an example of that size"
        )
    return axis % tensor.dim()


def over_living(
    call: NormCall, keep: np.ndarray, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> Any:
    """A call that looks at all units at once, on those that live."""
    if func in NORMS:
        return _norm_of_living(call, keep, *args, **kwargs)
    living = keep[call.groups]
    if func in SHARED:
        return _shared_by_living(call.axis, living, func, args, kwargs)
    if func is ATTENTION:
        args = (args[0], zeroed(args[1], call.axis, living), *args[2:])
        return func(*args, **kwargs)
    if func is torch.tensordot:
        other = args[1] if len(args) > 1 else kwargs.pop("b")
        return func(args[0], zeroed(other, call.axis, living), *args[2:], **kwargs)
    if func is torch.einsum:
        operands = list(args[1] if isinstance(args[1], list | tuple) else args[1:])
        operands[-1] = zeroed(operands[-1], call.axis, living)
        return func(args[0], *operands)
    if func is DISTANCES:
        given = dict(zip(("x1", "x2", "p", "compute_mode"), args, strict=False)) | kwargs
        rows = {name: zeroed(given[name], -1, living) for name in ("x1", "x2")}
        return func(**(given | rows))
    name = "input" if "input" in kwargs else "self" if "self" in kwargs else "x"
    tensor = args[0] if args else kwargs[name]
    _fitting(tensor, call.axis, living)
    positions = torch.as_tensor(np.flatnonzero(living), device=tensor.device)
    present = tensor.index_select(call.axis, positions)
    if func in SCALED:
        given = dict(zip(("p", "dim", "eps"), args[1:], strict=False)) | kwargs
        p, dim, eps = given.get("p", 2.0), given.get("dim", 1), given.get("eps", 1e-12)
        return tensor / present.norm(p, dim, keepdim=True).clamp_min(eps)
    if args:
        return func(present, *args[1:], **kwargs)
    return func(**(kwargs | {name: present}))


def _shared_by_living(
    axis: int | None, living: np.ndarray, func: Callable[..., Any], args: Any, kwargs: Any
) -> Tensor:
    """A softmax, or its logarithm, over living units only; zeros for those that are gone."""
    tensor = args[0] if args else kwargs.pop("input")
    gone = _lying_along(torch.as_tensor(~living), tensor, axis)
    shares = func(tensor.masked_fill(gone, -torch.inf), *args[1:], **kwargs)
    return shares.masked_fill(gone, 0.0)


def _norm_of_living(
    call: NormCall, keep: np.ndarray, tensor: Tensor, sizes: Any, *rest: Any, **named: Any
) -> Tensor:
    """A normalisation whose statistics are over living units only."""
    order = ("weight", "eps") if call.kind == "rms_norm" else ("weight", "bias", "eps")
    given = dict(zip(order, rest, strict=False)) | named
    weight, bias = given.get("weight"), given.get("bias")
    eps = given.get("eps", 1e-5)
    if eps is None:
        eps = torch.finfo(tensor.dtype).eps
    mask = torch.as_tensor(keep[call.groups], dtype=tensor.dtype)
    living = _lying_along(mask, tensor, call.axis)
    shape = tensor.shape
    if call.kind == "group_norm":
        parts = (shape[0], int(sizes), -1)
        values, living = tensor.reshape(parts), living.expand(shape).reshape(parts)
        dims: tuple[int, ...] = (2,)
    else:
        values, living = tensor, living.expand(shape)
        dims = tuple(range(tensor.dim() - len(sizes), tensor.dim()))
    # A part of which nothing lives has no statistics, and nobody looks at it.
    count = living.sum(dims, keepdim=True).clamp(min=1)
    values = values * living
    if call.kind != "rms_norm":
        values = (values - values.sum(dims, keepdim=True) / count) * living
    power = (values * values).sum(dims, keepdim=True) / count
    result = (values * torch.rsqrt(power + eps)).reshape(shape)
    if call.kind == "group_norm":
        spread = [-1 if d == 1 else 1 for d in range(tensor.dim())]
        weight = None if weight is None else weight.reshape(spread)
        bias = None if bias is None else bias.reshape(spread)
    if weight is not None:
        result = result * weight
    return result if bias is None else result + bias
