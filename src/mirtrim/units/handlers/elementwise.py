"""Operations that act on each entry by itself, and on entries of several tensors at once."""

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.labels import Free, Label

_UNARY = """
    relu relu6 leaky_relu elu selu celu gelu silu mish hardtanh hardswish hardsigmoid hardshrink
    softshrink tanhshrink sigmoid tanh softplus softsign logsigmoid log_sigmoid threshold rrelu
    exp exp2 expm1 log log1p log2 log10 sqrt rsqrt square abs absolute neg negative positive sin
    cos tan asin acos atan sinh cosh asinh acosh atanh sign round floor ceil trunc frac reciprocal
    arcsin arccos arctan arcsinh arccosh arctanh fix signbit
    erf erfc erfinv logit sinc nan_to_num isnan isinf isfinite logical_not bitwise_not invert
    sgn deg2rad rad2deg isposinf isneginf isreal
    expit erfcx ndtr ndtri log_ndtr entr lgamma gammaln digamma psi
    i0 i0e i1 i1e bessel_j0 bessel_j1 bessel_y0 bessel_y1
    dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout
    native_dropout bernoulli contiguous clone detach to float double half bfloat16 bool int long
    short byte char type type_as cpu cuda alias requires_grad zero fill zeros_like ones_like
    empty_like full_like rand_like randn_like randint_like uniform exponential cauchy log_normal
    geometric random poisson real imag conj conj_physical resolve_conj angle
"""

_COMBINING = """
    add sub subtract rsub mul multiply div divide true_divide floor_divide truediv floordiv mod
    fmod remainder pow float_power maximum minimum fmax fmin where addcmul addcdiv lerp atan2
    arctan2 eq ne lt le gt ge greater less greater_equal less_equal not_equal logical_and
    logical_or logical_xor and or xor bitwise_and bitwise_or bitwise_xor masked_fill hypot
    logaddexp logaddexp2 clamp clip clamp_min clamp_max copysign xlogy xlog1py isclose complex
    polar ldexp heaviside nextafter igamma igammac gammainc gammaincc zeta
"""


@handles(_UNARY, torch.Tensor.real.__get__, torch.Tensor.imag.__get__)  # type: ignore[attr-defined]
def unary(call: Call) -> None:
    """The result has the label of the first tensor."""
    call.fix_sizes()
    tensors = call.tensors()
    if tensors:
        call.set_all(call.label(tensors[0]))


@handles("normal")
def normal(call: Call) -> None:
    """Normal numbers with given means and deviations, in a new tensor or in a given one."""
    call.fix_sizes()
    if call.func is torch.Tensor.normal_:
        call.set_all(call.label(call.args[0]))
    else:
        combine(call, call.tensors())


@handles(_COMBINING)
def combining(call: Call) -> None:
    """Units that meet in one entry live together."""
    call.fix_sizes()
    if isinstance(call.out, Tensor):
        combine(call, call.tensors())
    else:
        call.unknown()


def combine(call: Call, tensors: Sequence[Tensor]) -> None:
    """Label the result of an elementwise operation on broadcast `tensors`."""
    if len(tensors) < 2:
        call.set_all(call.label(tensors[0]) if tensors else None)
        return
    if call.blocked(tensors):
        return
    trace, out_dims = call.trace, call.out.dim()
    labels = [call.label(t) for t in tensors]
    located = [
        (t, label, label.axis + out_dims - t.dim())
        for t, label in zip(tensors, labels, strict=True)
        if isinstance(label, Label) and label.axis is not None
    ]
    if not located:
        _combine_whole(call, tensors, labels)
        return
    located = _along_one(call, located)
    _, label, axis = located[0]
    ids = label.ids
    reason = f"it is combined with something that has no units by {call.place}"
    for _, meeting, other_axis in located[1:]:
        if other_axis == axis:
            trace.ledger.unite(ids, meeting.ids, reason)
    for tensor, other_label in zip(tensors, labels, strict=True):
        across = _size_at(tensor, axis, out_dims) == len(ids)
        if isinstance(other_label, Free):
            bind_free(call, tensor, other_label, axis if across else None, label, out_dims)
        elif not across:
            continue
        elif other_label is None:
            call.refuse(
                ids,
                f"combines {len(ids)} units with a constant of that size; register it as a buffer",
            )
        elif other_label.axis is None:
            trace.ledger.unite(ids, other_label.ids, _why_kept(call, other_label) or reason)
        elif other_label.axis + out_dims - tensor.dim() != axis:
            trace.ledger.pin(ids, f"units along two dimensions meet in {call.place}")
    source = label.source if all(x is None or x is label for x in labels) else ""
    call.set_all(Label(axis, ids, source))


def _why_kept(call: Call, label: Label) -> str:
    """Words for what units stay with, if that is a layer which keeps all of its own."""
    layer = call.trace.findings.layers.get(label.source)
    if layer is None or not layer.fixed:
        return ""
    return f"it is combined by {call.place} with what stays: {layer.fixed}"


def combine_into(call: Call, out: Tensor, tensors: Sequence[Tensor]) -> None:
    """Label `out` as what an elementwise operation on `tensors` would make, within a call."""
    meeting = Call(call.func, tuple(tensors), {}, call.trace)
    meeting.out = out
    combine(meeting, tensors)


def _along_one(
    call: Call, located: list[tuple[Tensor, Label, int]]
) -> list[tuple[Tensor, Label, int]]:
    """Tensors with units, those first along whose dimension the result has them.

    Where units lie along two dimensions, only those along one of them can go: those that are
    not fixed already and, of two such dimensions, those along the longer one.
    """
    ledger = call.trace.ledger
    axes = {axis for _, _, axis in located}
    if len(axes) == 1:
        return located

    def freedom(axis: int) -> tuple[bool, int]:
        ids = [label.ids for _, label, a in located if a == axis]
        return not any(ledger.stays(one) for one in ids), max(len(one) for one in ids)

    kept = max(sorted(axes), key=freedom)
    for _, label, axis in located:
        if axis != kept:
            call.refuse(label.ids, "combines units along one dimension with units along another")
    return sorted(located, key=lambda one: one[2] != kept)


def bind_free(
    call: Call, tensor: Tensor, free: Free, axis: int | None, label: Label, out_dims: int
) -> None:
    """A parameter meets units: bind the dimension along `axis`, keep its other dimensions."""
    place = None if axis is None else axis - (out_dims - tensor.dim())
    if place in free.copied:
        why = f"the code fixes how many copies meet them in {call.place}"
        call.trace.ledger.pin(label.ids, why)
    for name, dims in free.origins:
        for position, dim in enumerate(dims):
            if dim is None:
                continue
            if position == place:
                call.trace.bind(name, dim, label.ids)
            else:
                call.trace.findings.rigid.add((name, dim))


def _size_at(tensor: Tensor, axis: int, out_dims: int) -> int:
    position = axis - (out_dims - tensor.dim())
    return tensor.shape[position] if position >= 0 else 1


def _combine_whole(
    call: Call, tensors: Sequence[Tensor], labels: Sequence[Label | Free | None]
) -> None:
    """No tensor has units along a dimension: inputs, constants and parameters only."""
    trace, out_dims = call.trace, call.out.dim()
    wholes = [label for label in labels if isinstance(label, Label)]
    if wholes and not _beside_parameters(tensors, labels, out_dims):
        for tensor in tensors:
            trace.fix_tensor(tensor)
        call.set_all(call.made_of(wholes))
        return
    origins: list[tuple[str, tuple[int | None, ...]]] = []
    copied: set[int] = set()
    for tensor, free in zip(tensors, labels, strict=True):
        if isinstance(free, Free):
            lead = (None,) * (out_dims - tensor.dim())
            copied.update(d + len(lead) for d in free.copied)
            for name, dims in free.origins:
                shape = call.out.shape[len(lead) :]
                sized = tuple(
                    d if size == whole else None
                    for d, size, whole in zip(dims, tensor.shape, shape, strict=True)
                )
                origins.append((name, lead + sized))
        else:
            _fix_met_by_constant(call, tensor, tensors, labels, out_dims)
    if not origins:
        call.set_all(None)
        return
    for place in range(out_dims):
        along = [(name, dim) for name, dims in origins if (dim := dims[place]) is not None]
        trace.findings.ties += itertools.pairwise(along)
    call.set_all(Free(tuple(origins), frozenset(copied)))


def _beside_parameters(
    tensors: Sequence[Tensor], labels: Sequence[Label | Free | None], out_dims: int
) -> bool:
    """Whether statistics of units (‖x‖²) meet parameters (‖e‖²) where these do not lie."""
    both = list(zip(tensors, labels, strict=True))
    along = {
        d + out_dims - tensor.dim()
        for tensor, free in both
        if isinstance(free, Free)
        for d in range(tensor.dim())
        if tensor.shape[d] > 1 and any(dims[d] is not None for _, dims in free.origins)
    }
    return bool(along) and all(
        label.ids.any() and all(_size_at(tensor, d, out_dims) == 1 for d in along)
        for tensor, label in both
        if isinstance(label, Label)
    )


def _fix_met_by_constant(
    call: Call,
    constant: Tensor,
    tensors: Sequence[Tensor],
    labels: Sequence[Label | Free | None],
    out_dims: int,
) -> None:
    for tensor, free in zip(tensors, labels, strict=True):
        if isinstance(free, Free):
            for position in range(tensor.dim()):
                if _size_at(constant, position + out_dims - tensor.dim(), out_dims) > 1:
                    call.trace.fix_dim(free, position)
