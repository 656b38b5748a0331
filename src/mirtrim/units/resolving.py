"""From what was noted during tracing to the finished unit graph."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from torch import nn

from mirtrim.units.gated_calls import Site
from mirtrim.units.graph import MacTerm, NormCall, RowLayout, Slices, UnitGraph, UnitLayer, Width
from mirtrim.units.labels import Ids
from mirtrim.units.ledger import Constraints, Ledger, Solution
from mirtrim.units.widths import cut_attributes, tensor_attributes


@dataclass
class FoundLayer:
    """A producing layer as tracing saw it: unit ids, and where its rows lie."""

    kind: str
    ids: Ids
    fixed: str
    weights: dict[str, RowLayout] = field(default_factory=dict)


@dataclass
class Findings(Constraints):
    """Everything tracing wrote down.

    Attributes:
        slots: per tensor name and dimension, the unit id of each position.
        rigid: tensor dimensions that must keep their size.
        ties: pairs of tensor dimensions that must keep equal sizes.
        widths: (module, attribute, index, ids) of integer attributes that count units.
        macs: (constant, ids of each factor).
        norms: each normalisation over units, with their ids in the place of groups.
        followers: layer name to the normalisation module that follows it.
        training_norms: like `norms`, for a pass in training mode.
        unreached: parameters that took no part in any pass.
        notes: what else a reader of the report should know.
        choices: places in the code where several sizes could shrink and one was chosen.
        constants: frozen parameters that are used like buffers.
        weight_norms: see `UnitGraph`.
        draws: (axis, ids) of the result of each call that draws random numbers.
        updated: frozen parameters that are made from trained ones.
        parts: names given to parts of tensors, with the tensor, the dimension that was cut, and
            the first position.
        learned: ids given to learned inputs, before it is known which units these meet.
        unlisted: modules that make units which are not known, by path, and why.
    """

    ledger: Ledger
    slots: dict[str, dict[int, Ids]] = field(default_factory=dict)
    rigid: set[tuple[str, int]] = field(default_factory=set)
    ties: list[tuple[tuple[str, int], tuple[str, int]]] = field(default_factory=list)
    layers: dict[str, FoundLayer] = field(default_factory=dict)
    widths: dict[tuple[str, str, int | None], Ids] = field(default_factory=dict)
    macs: list[tuple[int, tuple[Ids, ...]]] = field(default_factory=list)
    norms: list[NormCall] = field(default_factory=list)
    followers: dict[str, str] = field(default_factory=dict)
    training_norms: list[NormCall] = field(default_factory=list)
    unreached: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    choices: dict[Site, None] = field(default_factory=dict)
    constants: set[str] = field(default_factory=set)
    weight_norms: set[tuple[str, str, int | None]] = field(default_factory=set)
    draws: list[tuple[int | None, Ids]] = field(default_factory=list)
    updated: set[str] = field(default_factory=set)
    parts: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    learned: list[Ids] = field(default_factory=list)
    unlisted: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def in_training(self) -> Iterator[None]:
        """Within this context costs and what follows what are not written down again."""
        written = self.macs, self.norms, self.followers, self.draws
        self.macs, self.norms, self.followers, self.draws = [], [], {}, []
        try:
            yield
        finally:
            self.training_norms = self.norms
            self.macs, self.norms, self.followers, self.draws = written

    def width(self, module: str, attribute: str, ids: Ids, index: int | None = None) -> None:
        """An attribute of a module counts these units; a second call must agree."""
        key = (module, attribute, index)
        if key in self.widths:
            self.ledger.unite(self.widths[key], ids, f"{module} is used twice")
        self.widths[key] = ids

    def home(self, name: str, dim: int) -> str:
        """The tensor whose dimension this is: a part has only the one that was cut as its own."""
        while name in self.parts and self.parts[name][1] != dim:
            name = self.parts[name][0]
        return name

    def root(self, name: str) -> str:
        """The parameter or buffer that a part was cut from."""
        while name in self.parts:
            name = self.parts[name][0]
        return name

    def start(self, part: str) -> int:
        """Where a part begins in the parameter or buffer that it was cut from."""
        dim, start = self.parts[part][1], 0
        while part in self.parts:
            part, cut, first = self.parts[part]
            start += first if cut == dim else 0
        return start

    def slot(self, name: str, dim: int) -> Ids | None:
        """Unit ids of the positions of one dimension, if they are known."""
        return self.slots.get(self.home(name, dim), {}).get(dim)

    def apply(self, component: np.ndarray) -> None:
        """Consequences that need the components found so far."""
        for name, dim in sorted(self.rigid):
            ids = self.slot(name, dim)
            if ids is not None and component[ids].any():
                self.ledger.pin(ids, f"the size of {name} is fixed by the code")
        for one, other in self.ties:
            ids, others = (self.slot(name, dim) for name, dim in (one, other))
            if ids is not None and others is not None:
                if not np.array_equal(component[ids], component[others]):
                    self.ledger.unite(ids, others, f"{one[0]} and {other[0]} are combined")
            elif ids is not None or others is not None:
                bound = ids if ids is not None else others
                assert bound is not None
                if component[bound].any():
                    self.ledger.pin(bound, f"{one[0]} and {other[0]} are combined")
        for layer in self.layers.values():
            roots = component[layer.ids]
            if roots[0] and (roots == roots[0]).all():
                self.ledger.pin(layer.ids[:1], "all units of a layer depend on each other")

    def settle(self, component: np.ndarray) -> None:
        """What is learned and meets no layer's units stays whole."""
        if not self.learned:
            return
        made = [component[layer.ids] for layer in self.layers.values()]
        for ids in self.learned:
            alone = ids[~np.isin(component[ids], np.concatenate(made))]
            if component[alone].any():
                self.ledger.pin(alone, "it meets nothing that can be removed")


def resolve(model: nn.Module, findings: Findings, batch: int) -> UnitGraph:
    """The unit graph that follows from `findings`; `batch` examples were traced at once."""
    solution = findings.ledger.solve(findings)
    groups_of, group_count = _number_groups(findings, solution)
    canonical: dict[int, str] = {}
    slices: dict[str, Slices] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    named = [
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
        *tensor_attributes(model).items(),
    ]
    for name, tensor in named:
        first = canonical.setdefault(id(tensor), name)
        shapes[name] = tuple(tensor.shape)
        slot = findings.slots.get(first, {})
        dims: list[np.ndarray | None] = []
        for dim in range(tensor.dim()):
            groups = groups_of[slot[dim]] if dim in slot else None
            dims.append(groups if groups is not None and groups.any() else None)
        slices[name] = tuple(dims)
    layers = tuple(
        UnitLayer(
            name,
            found.kind,
            groups_of[found.ids],
            tuple(findings.root(weight) for weight in found.weights),
            _why_pinned(found, solution),
        )
        for name, found in findings.layers.items()
    )
    return UnitGraph(
        layers,
        group_count,
        slices,
        shapes,
        unique_parameters=tuple(
            name for name, _ in model.named_parameters() if name not in findings.constants
        ),
        mac_terms=tuple(_mac_term(c, factors, groups_of) for c, factors in findings.macs),
        batch=batch,
        layouts={
            (name, findings.root(weight)): layout
            for name, found in findings.layers.items()
            for weight, layout in found.weights.items()
        },
        normalisations=dict(findings.followers),
        widths=tuple(
            Width(module, attribute, index, groups_of[ids])
            for (module, attribute, index), ids in findings.widths.items()
            if groups_of[ids].any()
        ),
        norm_calls=_norm_calls(findings.norms, groups_of),
        training_norm_calls=_norm_calls(findings.training_norms or findings.norms, groups_of),
        kept=_kept(findings, solution),
        unreached=findings.unreached,
        unlisted=dict(findings.unlisted),
        notes=(*findings.notes, *_about_constants(findings, shapes)),
        choices=tuple(findings.choices),
        undivided=bool(findings.ledger.runs)
        and not any(groups_of[ids].any() for ids in findings.ledger.runs),
        draws=tuple((axis, groups_of[ids]) for axis, ids in findings.draws),
        weight_norms=tuple(sorted(findings.weight_norms, key=str)),
        follows_attributes=bool(_own_sizes(model, findings, groups_of, counting=True)),
        numbers=_own_sizes(model, findings, groups_of, counting=False),
    )


def _about_constants(findings: Findings, shapes: dict[str, tuple[int, ...]]) -> list[str]:
    return [
        f"{name} ({math.prod(shapes[name]):,} entries) is a frozen front end and counts as a buffer"
        for name in sorted(findings.constants)
    ]


def _norm_calls(norms: list[NormCall], groups_of: np.ndarray) -> tuple[NormCall, ...]:
    return tuple(replace(call, groups=groups_of[call.groups]) for call in norms)


def _kept(findings: Findings, solution: Solution) -> dict[str, int]:
    """Reasons for which units stay, and how many units each of them keeps."""
    counts: dict[str, int] = {}
    for found in findings.layers.values():
        for unit in found.ids[solution.component[found.ids] == 0].tolist():
            why = found.fixed or solution.reason.get(int(solution.root[unit]), "")
            counts[why] = counts.get(why, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def _own_sizes(
    model: nn.Module, findings: Findings, groups_of: np.ndarray, *, counting: bool
) -> frozenset[tuple[str, str, int | None]]:
    """Integers of somebody's own modules that were asked for: those that count units which can be
    removed, or the others."""
    return frozenset(
        (module, attribute, index)
        for (module, attribute, index), ids in findings.widths.items()
        if bool(groups_of[ids].any()) is counting
        and attribute not in cut_attributes(model.get_submodule(module))
    )


def _mac_term(constant: int, factors: tuple[Ids, ...], groups_of: np.ndarray) -> MacTerm:
    moving = []
    for ids in factors:
        groups = groups_of[ids]
        if groups.any():
            moving.append(groups)
        else:
            constant *= len(ids)
    return MacTerm(constant, tuple(moving))


def _number_groups(findings: Findings, solution: Solution) -> tuple[np.ndarray, int]:
    """Group of each unit id, numbered in the order in which layers run; and how many."""
    layers = [solution.component[found.ids] for found in findings.layers.values()]
    every = np.concatenate([np.zeros(1, dtype=np.int64), *layers])
    values, first = np.unique(every, return_index=True)
    order = np.argsort(first)
    number = np.zeros(len(solution.component), dtype=np.int64)
    number[values[order]] = np.arange(len(values))
    return number[solution.component], len(values)


def _why_pinned(found: FoundLayer, solution: Solution) -> str:
    if found.fixed:
        return found.fixed
    pinned = found.ids[solution.component[found.ids] == 0]
    if not len(pinned):
        return ""
    return solution.reason.get(int(solution.root[pinned[0]]), "")
