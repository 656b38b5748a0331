"""Calls that are several others in one: followed as those, and gated as those."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

F = torch.nn.functional


def _of_each(change: Callable[[Tensor], Tensor], given: Sequence[Any]) -> Any:
    """`change` of one tensor, or of each of several."""
    if len(given) == 1 and isinstance(given[0], Tensor):
        return change(given[0])
    tensors = given[0] if len(given) == 1 else given
    return tuple(change(tensor) for tensor in tensors)


def _vector(tensor: Tensor) -> Tensor:
    return tensor if tensor.dim() else tensor.unsqueeze(0)


def _row(tensor: Tensor) -> Tensor:
    return tensor if tensor.dim() > 1 else _vector(tensor).unsqueeze(0)


def _column(tensor: Tensor) -> Tensor:
    return tensor if tensor.dim() > 1 else _vector(tensor).unsqueeze(1)


def _slab(tensor: Tensor) -> Tensor:
    return tensor if tensor.dim() > 2 else _row(tensor).unsqueeze(2)


def _stacking(change: Callable[[Tensor], Tensor], dim: int) -> Callable[..., Tensor]:
    def stack(tensors: Sequence[Tensor]) -> Tensor:
        parts = [change(tensor) for tensor in tensors]
        return torch.cat(parts, min(parts[0].dim() - 1, dim))

    return stack


def _split_along(dim: int) -> Callable[..., Any]:
    def split(input: Tensor, *places: Any, **named: Any) -> Any:
        (where,) = (*places, *named.values())
        return torch.tensor_split(input, where, dim=min(dim, input.dim() - 1))

    return split


def broadcast_tensors(*given: Any) -> list[Tensor]:
    """Units of the same position unite, as in a sum of all."""
    tensors = given[0] if len(given) == 1 and not isinstance(given[0], Tensor) else given
    whole = functools.reduce(torch.add, [torch.zeros_like(tensor) for tensor in tensors])
    return [tensor.expand_as(whole) for tensor in tensors]


def dot(input: Tensor, tensor: Tensor | None = None, other: Tensor | None = None) -> Tensor:
    return torch.einsum("i,i->", input, tensor if tensor is not None else other)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    return torch.einsum("...i,...i->...", x.conj().movedim(dim, -1), y.movedim(dim, -1))


def inner(input: Tensor, other: Tensor) -> Tensor:
    if not input.dim() or not other.dim():
        return input * other
    return torch.tensordot(input, other, dims=([input.dim() - 1], [other.dim() - 1]))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    return input.unsqueeze(1) * vec2.unsqueeze(0)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    return beta * input + alpha * outer(vec1, vec2)


def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    return beta * input + alpha * torch.einsum("bij,bjk->ik", batch1, batch2)


def chain_matmul(*given: Any) -> Tensor:
    tensors = given if isinstance(given[0], Tensor) else given[0]
    return functools.reduce(torch.matmul, tensors)


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product: each entry of `input` times all of `other`."""
    dims = max(input.dim(), other.dim())
    one = input[(None,) * (dims - input.dim())]
    two = other[(None,) * (dims - other.dim())]
    for d in range(dims):
        one, two = one.unsqueeze(2 * d + 1), two.unsqueeze(2 * d)
    product = one * two
    for d in range(dims):
        product = product.flatten(d, d + 1)
    return product


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Each is divided by its norm, which is at least `eps`."""
    both = torch.broadcast_tensors(x1, x2)
    one, two = (F.normalize(x, dim=dim, eps=eps).movedim(dim, -1) for x in both)
    return torch.einsum("...i,...i->...", one, two)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    return torch.linalg.vector_norm(x1 - x2 + eps, ord=p, dim=-1, keepdim=keepdim)


_BY_NAME: dict[str, Callable[..., Any]] = {
    "atleast_1d": lambda *given: _of_each(_vector, given),
    "atleast_2d": lambda *given: _of_each(_row, given),
    "atleast_3d": lambda *given: _of_each(_slab, given),
    "hstack": _stacking(_vector, 1),
    "vstack": _stacking(_row, 0),
    "row_stack": _stacking(_row, 0),
    "dstack": _stacking(_slab, 2),
    "column_stack": _stacking(_column, 1),
    "hsplit": _split_along(1),
    "vsplit": _split_along(0),
    "dsplit": _split_along(2),
    "broadcast_tensors": broadcast_tensors,
    "fliplr": lambda input: torch.flip(input, (1,)),
    "flipud": lambda input: torch.flip(input, (0,)),
    "adjoint": lambda input: input.mT.conj(),
    "dot": dot,
    "vdot": lambda input, other: dot(input.conj(), other),
    "vecdot": vecdot,
    "inner": inner,
    "outer": outer,
    "ger": outer,
    "addr": addr,
    "addbmm": addbmm,
    "chain_matmul": chain_matmul,
    "multi_dot": chain_matmul,
    "kron": kron,
    "cosine_similarity": cosine_similarity,
    "pairwise_distance": pairwise_distance,
}

COMPOSED: dict[Any, Callable[..., Any]] = {
    getattr(space, name): parts
    for space in (torch, torch.Tensor, torch.linalg)
    for name, parts in _BY_NAME.items()
    if hasattr(space, name)
}
COMPOSED |= {
    torch.Tensor.mH.__get__: _BY_NAME["adjoint"],  # type: ignore[attr-defined]
    torch.Tensor.H.__get__: _BY_NAME["adjoint"],  # type: ignore[attr-defined]
    torch.linalg.matmul: torch.matmul,
    torch.Tensor.__rmatmul__: lambda right, left: torch.matmul(left, right),
}


def composed(func: Any, kwargs: dict[str, Any]) -> Callable[..., Any] | None:
    """`func` made of other calls; None for one that is none, or that writes its result."""
    return None if kwargs.get("out") is not None else COMPOSED.get(func)
