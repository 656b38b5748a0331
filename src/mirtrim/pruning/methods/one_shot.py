"""One-shot pruning and fine-tuning (Han, Pool, Tran, Dally, NeurIPS 2015, with a single cut).

    m = [|w| among the largest k],   w ← m ⊙ w,   then training with m fixed

The trained dense network is cut once to its final size and trained again, from the weights that
are left. Any other criterion for weights may take the place of the magnitude.
"""

from typing import ClassVar, Literal

from mirtrim.pruning.masking import apply_masks, full_masks
from mirtrim.pruning.methods.interface import Round, Ticket, method
from mirtrim.pruning.methods.mask import MaskingMethod, weights_target, weights_to_keep
from mirtrim.pruning.settings import PruningSettings


@method("one_shot")
class OneShot(MaskingMethod):
    """One cut and one training per ratio, both from the trained dense network."""

    start: ClassVar[Literal["last", "dense", "initial"]] = "dense"
    uses: ClassVar[frozenset[str]] = frozenset({"criterion", "scope", "order"})

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Mask the trained weights down to the target and keep what they are."""
        network = ticket.network.eval()
        target = weights_target(network, current)
        masks = weights_to_keep(network, full_masks(network), settings, current, target)
        apply_masks(network, masks)
        return Ticket(network, ticket.rewind, masks=masks)
