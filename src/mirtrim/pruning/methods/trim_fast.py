"""Trimming to widths that kernels like: counts of units are multiples of eight.

Which units go is decided as in plain trimming; how many, in whole packs. No clock is read, so a
run gives the same network everywhere.
"""

import numpy as np

from mirtrim.pruning.criteria import score_units
from mirtrim.pruning.cutting import cut_tensors
from mirtrim.pruning.kernel_widths import choose_packs
from mirtrim.pruning.methods.interface import Choices, Round, Ticket, method
from mirtrim.pruning.methods.trim import Trim, remove, size_of, target_of
from mirtrim.pruning.order import ordered, shuffled_units
from mirtrim.pruning.reset import reset_weights
from mirtrim.pruning.selection import group_scores
from mirtrim.pruning.tracing import discover

PACK = 8


@method("trim_fast")
class TrimFast(Trim):
    """Rank, remove in packs, reset, train; each round starts from the last one's network."""

    def prepare(self, ticket: Ticket, choices: Choices, coming: Round) -> Ticket:
        """Cut to the target and reset."""
        network = ticket.network.eval()
        graph = discover(network, coming.example_inputs)
        context = coming.context(network, graph)
        scores = group_scores(
            graph, score_units(choices.criterion, context), choices.scale, context.tensors()
        )
        scores = np.asarray(ordered(scores, choices.order))
        scores[0] = np.inf
        keep = choose_packs(
            graph,
            scores,
            target_of(choices, coming),
            multiple_of=PACK,
            scope=choices.scope,
            floor=choices.floor,
            size=size_of(graph, choices),
        )
        if choices.order == "shuffled":
            keep = shuffled_units(graph, keep, coming.generator)
        trimmed, difference = remove(network, graph, keep, coming)
        rewind = cut_tensors(ticket.rewind, graph, keep)
        reset_weights(trimmed, choices.reset, rewind, coming.generator, coming.initialise)
        return Ticket(trimmed, rewind, law_difference=difference)
