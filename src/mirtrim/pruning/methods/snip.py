"""SNIP: single-shot pruning at initialisation (Lee, Ajanthan, Torr, ICLR 2019).

    s_j = |w_j · ∂L/∂w_j| at the initial weights;   the largest k stay, then static training

The score is the criterion `gradient`. Criteria run a network in eval mode, in which fresh batch
norms do not normalise; so that the gradient is that of the network which is about to be trained,
they get the statistics of the scoring batches first.
"""

from typing import ClassVar

from torch import nn

from mirtrim.pruning.masking import Masks
from mirtrim.pruning.methods.batch_statistics import recompute_statistics
from mirtrim.pruning.methods.interface import Round, Start, method
from mirtrim.pruning.methods.one_shot import OneShot
from mirtrim.pruning.settings import PruningSettings
from mirtrim.training import state_of


@method("snip")
class Snip(OneShot):
    """One cut of the initial network and one training per ratio; nothing dense is trained."""

    start: ClassVar[Start] = "initial"
    uses: ClassVar[frozenset[str]] = frozenset({"scope"})

    def ranked_by(self, settings: PruningSettings) -> str:
        """Always this one."""
        return "gradient"

    def chosen(self, network: nn.Module, settings: PruningSettings, current: Round) -> Masks:
        """Masks of the initial weights by their connection sensitivity."""
        initial = state_of(network)
        recompute_statistics(network, current.scoring["batches"])
        masks = super().chosen(network, settings, current)
        network.load_state_dict(initial)
        return masks
