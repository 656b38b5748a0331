"""Tickets from anybody's network and training loop: cut, reset, train, ratio after ratio.

The methods, criteria and resets are those of the replication; only the training is the caller's.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirtrim.pruning.after_step import Train
from mirtrim.pruning.api import check_arguments
from mirtrim.pruning.distilling import Distance
from mirtrim.pruning.methods import Round, get_method
from mirtrim.pruning.reset import drawn_anew
from mirtrim.pruning.ticket_rounds import Tickets
from mirtrim.training import State
from mirtrim.utils.errors import ConfigError


def tickets(
    model: nn.Module,
    example_inputs: Tensor | tuple[Any, ...] | dict[str, Any],
    train: Train,
    ratios: Sequence[float],
    method: str = "trim",
    reset: str = "rewind",
    *,
    protect: Sequence[str] = (),
    batches: Callable[[], Iterable[tuple[Tensor, Tensor]]] | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    trained: bool = False,
    rewind: State | None = None,
    steps: int | None = None,
    initialise: Callable[[nn.Module, torch.Generator], None] = drawn_anew,
    teacher: nn.Module | str | None = None,
    distance: Distance = F.mse_loss,
    seed: int = 0,
    **choices: Any,
) -> Tickets:
    """Tickets of `model`, one for each ratio, each trained by the caller's own loop.

    For masks and trims the dense network is trained, then for each ratio cut, reset and trained
    again, each from the last one; feedback and gradual pruning train once per ratio, from the
    initial weights. `model` is left untouched.

    Args:
        example_inputs: what `model` is called with: a tensor, a tuple, a dict of arguments.
        train: `train(network, after_step)` trains in place, and calls `after_step()` after every
            `optimizer.step()`. See `AfterStep` for what else it offers. It may end by loading
            the best state that it saw between two steps; the last mask is applied to it.
        ratios: compression ratios, rising; 1 gives the dense network as a ticket as well.
        method: "trim", "mask", "one_shot", "gradual", "feedback", "feedback_units" or any other
            of docs/methods.md.
        reset: "rewind" (to the state that the loop names with `after_step.rewind_here()`, else
            the initial one), "reinit" or "finetune".
        protect, batches, loss, seed: as for `mirtrim.trim`. Units are protected, where the method
            can do that; masks are none of units.
        trained: `model` is trained already, so the dense training is left out.
        rewind: with `trained`, the state that tickets are rewound to.
        steps: optimiser steps that `train` makes; methods that prune within a training ask for
            it unless a dense training shows it.
        initialise: draws new weights in place for "reinit"; by default modules draw their own.
        teacher: a network, or "dense" for the trained dense one, for `after_step.distillation`.
        distance: of outputs from those of the teacher; by default their mean square.
        choices: criterion, scope, scale, order, budget, minimum_units, and hyper-parameters of the
            method.

    Returns:
        An iterator of `LotteryTicket`; its `state_dict` and `load_state_dict` let it go on
        after a stop.

    Raises:
        ConfigError: an argument does not fit; names it.
        RatioError: a ratio is out of reach; raised before anything is trained.
        TraceError: the network cannot be cut.
    """
    if steps is not None and (isinstance(steps, bool) or not isinstance(steps, int) or steps < 1):
        raise ConfigError(f"steps: {steps!r} is not a number of optimizer steps from 1 on")
    check_arguments(protect, batches, loss)
    resets = "reset" in get_method(method).uses
    return Tickets(
        model,
        example_inputs,
        train,
        ratios,
        {"method": method, **choices} | ({"reset": reset} if resets else {}),
        Round(
            1.0,
            {},
            example_inputs,
            {"batches": batches, "loss": loss},
            steps=steps or 0,
            initialise=initialise,
            protect=tuple(protect),
        ),
        trained=trained,
        rewind=rewind,
        teacher=teacher,
        distance=distance,
        seed=seed,
    )
