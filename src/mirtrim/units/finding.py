"""Finding the units of any network by watching it run.

The network runs on an example input while a `Tracer` follows its units; the ledger it fills is
then resolved into a `UnitGraph`. Units for which something cannot be followed are kept, and
the graph says why; in strict mode they are refused by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from mirtrim.units.gating import is_gated
from mirtrim.units.graph import UnitGraph
from mirtrim.units.kinds import check_python
from mirtrim.units.labels import IMMORTAL
from mirtrim.units.ledger import OUTPUT
from mirtrim.units.nesting import arguments, leaves_in, tensors_in
from mirtrim.units.own_functions import in_plain_sight
from mirtrim.units.preserving import followed_products, preserved, uncached, unscripted
from mirtrim.units.remaking import codes, python_function
from mirtrim.units.resolving import resolve
from mirtrim.units.trace import PROTECTED, SINGLE, Plan
from mirtrim.units.tracer import Tracer
from mirtrim.units.widths import of_torch
from mirtrim.utils.errors import MirtrimError, TraceError

# Operations as modules, which quantising would replace.
_IN_FLOAT = ("FloatFunctional", "FXFloatFunctional")
# How many places in the code are read in both ways, each by itself.
_MOST_CHOICES = 6
_ONLY_STATISTICS = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd)


def discover(
    model: nn.Module, example_inputs: Any, protect: Sequence[str] = (), *, strict: bool = False
) -> UnitGraph:
    """The unit graph of `model`.

    The network runs in eval mode, and once more in training mode if its code asks for the mode
    or if some parameters took no part. It is left as it was found.

    Args:
        model: any network.
        example_inputs: a tensor, the tuple of positional arguments of `forward`, or a dict of
            its keyword arguments. The first dimension of the first tensor is the batch.
        protect: module paths whose units must all stay (modules below them included).
        strict: refuse what cannot be followed, instead of keeping the units that enter it.

    Raises:
        TraceError: the network does not run on the example, or is of a kind that cannot be
            cut; in strict mode also: an operation that touches removable units cannot be
            followed.
    """
    _check_kind(model, example_inputs)
    with uncached(model), unscripted(), followed_products():
        return _best(model, example_inputs, Plan(protect, strict))


def _best(model: nn.Module, example_inputs: Any, plan: Plan) -> UnitGraph:
    """Of the ways to read the network's sizes, the one that keeps the fewest parameters."""
    plans = [plan]
    graphs = [_trace(model, example_inputs, plan)]
    if graphs[0].choices:
        # Where several sizes could shrink, the choice is the one that keeps fewer parameters.
        plans.append(replace(plan, prefer_last=True))
        graphs.append(_trace(model, example_inputs, plans[-1]))
    if all(graph.undivided for graph in graphs):
        # By what it is divided may as well be a number, and not one of heads or groups.
        plans.append(replace(plan, typed_divisors=True))
        graphs.append(_trace(model, example_inputs, plans[-1]))
        if graphs[-1].choices:
            plans.append(replace(plans[-1], prefer_last=True))
            graphs.append(_trace(model, example_inputs, plans[-1]))
    best, followed = min(zip(graphs, plans, strict=True), key=lambda pair: _kept(pair[0]))
    for site in best.choices[:_MOST_CHOICES] if len(best.choices) > 1 else ():
        # Heads in one part of the network, what lies in a head in another.
        if not _keeps_more(best):
            break
        other = replace(followed, turned=followed.turned ^ {site})
        for graph in _read_as(model, example_inputs, other):
            graphs.append(graph)
            if _kept(graph) < _kept(best):
                best, followed = graph, other
    if best.numbers and _keeps_more(best):
        # A factor, say, that was taken for a number of units may have kept those that it met.
        graphs += _read_as(model, example_inputs, replace(followed, numbers=best.numbers))
    for graph in sorted(graphs, key=_kept):
        if not graph.follows_attributes or _holds(model, graph, example_inputs):
            return graph
    # A size of the network's own is used where nobody can see: all of them stay.
    return _trace(model, example_inputs, replace(plan, follow_attributes=False))


def _read_as(model: nn.Module, example_inputs: Any, plan: Plan) -> list[UnitGraph]:
    """The graph of another reading; none where it cannot be followed so, and that is refused."""
    try:
        return [_trace(model, example_inputs, plan)]
    except TraceError:
        return []


def _keeps_more(graph: UnitGraph) -> bool:
    """Whether anything stays that might not if sizes were read in another way."""
    made = {name for layer in graph.layers for name in layer.weights} | set(graph.unreached)
    whole = (n for n in graph.unique_parameters if not any(s is not None for s in graph.slices[n]))
    return any(len(graph.shapes[name]) > 1 and name not in made for name in whole) or any(
        why not in (OUTPUT, SINGLE) and not why.endswith(PROTECTED) for why in graph.kept
    )


def _kept(graph: UnitGraph) -> tuple[int, int]:
    """How many parameters stay whatever goes, and how many units."""
    return graph.parameters(np.arange(graph.group_count) == 0), sum(graph.kept.values())


def _trace(model: nn.Module, example_inputs: Any, plan: Plan) -> UnitGraph:
    trace = Tracer(model, plan)
    findings = trace.findings
    every = {name for name, _ in model.named_parameters()}
    with preserved(model), _differentiable(model):
        model.eval()
        try:
            _watch(model, trace, example_inputs)
            if _asks_for_mode(model) or not every <= trace.used:
                _watch_training(model, trace, example_inputs)
        except MirtrimError:
            raise
        except Exception as error:
            if plan.follow_attributes:
                return _trace(model, example_inputs, replace(plan, follow_attributes=False))
            raise TraceError(_why_failed(model, example_inputs, error)) from error
        finally:
            trace.ledger.closed = True
        findings.unreached = tuple(n for n, _ in model.named_parameters() if n not in trace.used)
        first = tensors_in(example_inputs)[:1]
        batch = first[0].shape[0] if first and first[0].dim() else 1
        trace.fix_remade(model)
    if findings.updated & findings.constants:
        # Taken for a frozen front end before it was seen to follow what is trained.
        updated = plan.updated | findings.updated
        return _trace(model, example_inputs, replace(plan, updated=updated))
    return resolve(model, findings, batch)


def _watch(model: nn.Module, trace: Tracer, example_inputs: Any) -> None:
    positional, named = arguments(model, example_inputs)
    for tensor in tensors_in((positional, named)):
        trace.set(tensor, IMMORTAL)
    with trace.adaptive_attributes(), in_plain_sight(), trace:
        outputs = leaves_in(model(*positional, **named))
    for leaf in outputs:
        trace.finish(leaf)


def _watch_training(model: nn.Module, trace: Tracer, example_inputs: Any) -> None:
    """The same in training mode, where it concerns code of the network's own.

    Layers of torch, and norms and dropouts made from them, stay in eval mode: they have the same
    units in both, and some need batches larger than an example.
    """
    for module in model.modules():
        module.training = not (of_torch(type(module)) or isinstance(module, _ONLY_STATISTICS))
    try:
        with trace.findings.in_training():
            _watch(model, trace, example_inputs)
    except MirtrimError:
        raise
    except Exception as error:
        trace.findings.notes.append(
            f"not followed in training mode, where it fails on the example ({_line(error)})"
        )
    finally:
        model.eval()


def _asks_for_mode(model: nn.Module) -> bool:
    """Whether code of the network's own mentions `training`."""
    kinds = {kind for module in model.modules() for kind in type(module).__mro__}
    owned: list[Mapping[str, Any]] = [
        vars(kind) for kind in kinds if kind is not object and not of_torch(kind)
    ]
    owned += [vars(m) for m in model.modules() if callable(vars(m).get("forward"))]
    return any(_mentions_training(value) for space in owned for value in space.values())


def _mentions_training(value: Any) -> bool:
    function = python_function(value)
    return function is not None and any(
        "training" in code.co_names for code in codes(function.__code__)
    )


def _check_kind(model: nn.Module, example_inputs: Any) -> None:
    """Networks and examples that nothing can be done with.

    Raises:
        TraceError: names the module or the input.
    """
    check_python(model)
    if is_gated(model):
        raise TraceError(
            f"{type(model).__name__} is gated while it is pruned, so its units cannot be found; "
            "trim it before or after the block or the training"
        )
    for path, module in model.named_modules():
        name = path or type(model).__name__
        kind = type(module)
        if "quantized" in kind.__module__ and of_torch(kind) and kind.__name__ not in _IN_FLOAT:
            raise TraceError(f"module {name} is quantised; trim the network before quantising it")
        if isinstance(module, torch.fx.GraphModule) and any(
            isinstance(node.target, torch._ops.OpOverload) for node in module.graph.nodes
        ):
            raise TraceError(
                f"module {name} is an exported program; trim the network that it was made from"
            )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_meta:
            raise TraceError(f"{name} is on the meta device and has no values; load the weights")
    for tensor in tensors_in(example_inputs):
        if tensor.is_meta:
            raise TraceError("the example input is on the meta device and has no values")
        if not tensor.numel():
            raise TraceError(
                f"an example input has shape {tuple(tensor.shape)} and is empty; give at least one "
                "example"
            )


def _why_failed(model: nn.Module, example_inputs: Any, error: Exception) -> str:
    """One line about a network that failed while it was followed."""
    try:
        with torch.no_grad():
            positional, named = arguments(model, example_inputs)
            model(*positional, **named)
    except Exception as own:
        return (
            f"the network fails on the example ({_line(own)}); give example_inputs that its "
            "forward accepts: a tensor, a tuple of arguments, or a dict of keyword arguments"
        )
    return f"the network cannot be followed ({_line(error)}); please report it"


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"


def _holds(model: nn.Module, graph: UnitGraph, example_inputs: Any) -> bool:
    """Whether a cut by half gives a network that does what the gated one does."""
    from mirtrim.units.cutting import cut
    from mirtrim.units.equivalence import check_equivalence

    keep = np.random.default_rng(0).random(graph.group_count) < 0.5
    keep[0] = True
    for slices in graph.slices.values():
        for groups in slices:
            if groups is not None and not keep[groups].any():
                keep[groups[0]] = True
    try:
        check_equivalence(model, cut(model, graph, keep), graph, keep, example_inputs)
    except TraceError:
        return False
    return True


@contextmanager
def _differentiable(model: nn.Module) -> Iterator[None]:
    """Gradients on for all parameters, so that tensors from code that cannot be watched betray
    themselves by a history without a label."""
    with_gradients = (p for p in model.parameters() if p.is_floating_point() or p.is_complex())
    frozen = [p for p in with_gradients if not p.requires_grad]
    try:
        for parameter in frozen:
            parameter.requires_grad_(True)
        with torch.enable_grad():
            yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
