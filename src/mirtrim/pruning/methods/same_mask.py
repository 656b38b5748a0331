"""Control of lottery tickets: the mask that another run found, with fresh weights.

The same weights are masked as in the other run; what they were before is forgotten. If this ends
at the error of the other run, its mask is what matters and not its weights (Frankle & Carbin 2019,
Section 2; Zhou et al. 2019).

Weights that were rewound to epoch k have been trained for k epochs before their round begins. The
fresh ones get those epochs as well with `rewind_epochs: added`.
"""

from dataclasses import dataclass
from typing import ClassVar

from mirtrim.pruning.masking import apply_masks, maskable
from mirtrim.pruning.methods.interface import Round, Start, Ticket, method
from mirtrim.pruning.methods.mask import MaskingMethod
from mirtrim.pruning.settings import PruningSettings, choice
from mirtrim.utils.errors import ConfigError

LEFT_OUT, ADDED = "left_out", "added"


@dataclass(frozen=True)
class SameMaskHyperparameters:
    """What is particular to the method."""

    rewind_epochs: str = choice(
        LEFT_OUT,
        help="Whether fresh weights are trained for the epochs before the rewind point as well, "
        "as rewound ones have been.",
        among=(LEFT_OUT, ADDED),
    )


@method("same_mask")
class SameMask(MaskingMethod):
    """Fresh weights under the masks of another run, one training per ratio."""

    Hyperparameters: ClassVar[type] = SameMaskHyperparameters
    start: ClassVar[Start] = "initial"
    uses: ClassVar[frozenset[str]] = frozenset({"reference"})

    def prepare(self, ticket: Ticket, settings: PruningSettings, current: Round) -> Ticket:
        """Those masks, new weights.

        A network is stored without its masks: masked is what is exactly zero in it.
        """
        network = current.reference()
        parameters = dict(network.named_parameters())
        masks = {name: parameters[name].detach() != 0 for name in maskable(network)}
        if all(mask.all() for mask in masks.values()):
            raise ConfigError(f"reference: {settings.reference} masks nothing; name a mask run")
        current.initialise(network, current.generator)
        apply_masks(network, masks)
        return Ticket(network, {}, masks=masks)

    def epochs(self, settings: PruningSettings, epochs: int, rewind_epoch: int) -> int:
        """Epochs of a training.

        Args:
            epochs: those of the task.
            rewind_epoch: the epoch of the dense training to which other runs rewind.
        """
        added = self.own(settings).rewind_epochs == ADDED
        return epochs + rewind_epoch if added else epochs
