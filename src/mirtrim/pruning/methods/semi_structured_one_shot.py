"""2:4 sparsity by magnitude, in one cut (Mishra et al., arXiv 2104.08378).

    m = [the two largest |w| of every four],   w ← m ⊙ w,   then training with m fixed

The trained dense network is cut once, and trained again from the weights that are left. It is
what a learned pattern has to beat.
"""

from typing import ClassVar, Literal

from torch import Tensor, nn

from mirtrim.pruning.masking import apply_masks, full_masks
from mirtrim.pruning.methods.interface import Round, Ticket, method
from mirtrim.pruning.methods.mask import MaskingMethod
from mirtrim.pruning.methods.semi_structured import SemiStructured, grouped, pattern
from mirtrim.pruning.methods.within_training import maskable_parameters
from mirtrim.pruning.settings import PruningSettings


@method("semi_structured_one_shot")
class SemiStructuredOneShot(MaskingMethod):
    """One cut and one training, both from the trained dense network."""

    start: ClassVar[Literal["last", "dense", "initial"]] = "dense"
    uses: ClassVar[frozenset[str]] = frozenset()

    def highest_ratio(
        self, network: nn.Module, example_inputs: Tensor, settings: PruningSettings
    ) -> float:
        """Half of every tensor that falls into groups."""
        return SemiStructured().highest_ratio(network, example_inputs, settings)

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """The pattern of the trained weights; tensors without groups of four stay dense."""
        network = ticket.network.eval()
        masks = full_masks(network)
        for name, parameter in maskable_parameters(network).items():
            if grouped(parameter):
                masks[name] = pattern(parameter.detach())
        apply_masks(network, masks)
        return Ticket(network, ticket.rewind, masks=masks)
