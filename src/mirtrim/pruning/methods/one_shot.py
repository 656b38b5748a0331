"""One-shot pruning and fine-tuning (Han, Pool, Tran, Dally, NeurIPS 2015, with a single cut).

    m = [|w| among the largest k],   w ← m ⊙ w,   then training with m fixed

The trained dense network is cut once to its final size and trained again, from the weights that
are left. Any other criterion for weights may take the place of the magnitude.
"""

from dataclasses import replace
from typing import ClassVar

from torch import nn

from mirtrim.pruning.masking import Masks, apply_masks, full_masks
from mirtrim.pruning.methods.interface import Round, Start, Ticket, method
from mirtrim.pruning.methods.mask import MaskingMethod, weights_target, weights_to_keep
from mirtrim.pruning.settings import PruningSettings


@method("one_shot")
class OneShot(MaskingMethod):
    """One cut and one training per ratio, both from the trained dense network."""

    start: ClassVar[Start] = "dense"
    uses: ClassVar[frozenset[str]] = frozenset({"criterion", "scope", "order"})

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Mask the weights down to the target and keep what they are."""
        network = ticket.network.eval()
        masks = self.chosen(network, settings, current)
        apply_masks(network, masks)
        return Ticket(network, ticket.rewind, masks=masks)

    def chosen(self, network: nn.Module, settings: PruningSettings, current: Round) -> Masks:
        """Masks of the weights that stay; may move these."""
        ranked = replace(settings, criterion=self.ranked_by(settings))
        target = weights_target(network, current)
        return weights_to_keep(network, full_masks(network), ranked, current, target)
