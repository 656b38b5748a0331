"""SNIP: single-shot pruning at initialisation (Lee, Ajanthan, Torr, ICLR 2019).

    s_j = |w_j · ∂L/∂w_j| at the initial weights;   the largest k stay, then static training

The score is the criterion `gradient`. Criteria run a network in eval mode, in which fresh batch
norms do not normalise; so that the gradient is that of the network which is about to be trained,
they get the statistics of the scoring batches first.
"""

from dataclasses import replace
from typing import ClassVar, Literal

from mirtrim.pruning.masking import apply_masks, full_masks
from mirtrim.pruning.methods.batch_statistics import recompute_statistics
from mirtrim.pruning.methods.interface import Round, Ticket, method
from mirtrim.pruning.methods.mask import MaskingMethod, weights_target, weights_to_keep
from mirtrim.pruning.settings import PruningSettings
from mirtrim.training import state_of


@method("snip")
class Snip(MaskingMethod):
    """One cut of the initial network and one training per ratio; nothing dense is trained."""

    start: ClassVar[Literal["last", "dense", "initial"]] = "initial"
    uses: ClassVar[frozenset[str]] = frozenset({"scope"})

    def ranked_by(self, settings: PruningSettings) -> str:
        """Always this one."""
        return "gradient"

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Mask the initial weights by their connection sensitivity."""
        network = ticket.network
        initial = state_of(network)
        recompute_statistics(network, current.scoring["batches"])
        sensitivity = replace(settings, criterion=self.ranked_by(settings), order="lowest_first")
        target = weights_target(network, current)
        masks = weights_to_keep(network, full_masks(network), sensitivity, current, target)
        network.load_state_dict(initial)
        apply_masks(network, masks)
        return Ticket(network, ticket.rewind, masks=masks)
