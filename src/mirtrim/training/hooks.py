"""What a method may do within a training. This base class does nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor

Closure = Callable[[], Tensor]


class Hook:
    """Called by `fit` around every step; a method overrides what it needs.

    Steps are counted over the whole training, from 0.
    """

    def gradients(self, step: int, closure: Closure) -> Tensor:
        """Leave the gradient of step `step` on every parameter and return the loss.

        Args:
            closure: clears the gradients, runs the batch forward and backward and returns its
                loss, detached; it may be called again, at other weights.
        """
        return closure()

    def after_step(self, step: int) -> None:
        """Called when the optimiser has made step `step`."""

    def evaluating(self) -> AbstractContextManager[None]:
        """Within this context the network is the one that would be kept."""
        return nullcontext()

    def ended(self) -> None:
        """Somebody's own training has ended, perhaps with weights that it has loaded."""

    def eligible(self, step: int) -> bool:
        """Whether the network after `step` steps may be chosen as the best one."""
        return True

    def state(self) -> dict[str, Tensor]:
        """State that a resumed training needs in addition to network and optimiser."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Take over what `state` returned."""

    def diagnostics(self) -> dict[str, float]:
        """Values of the training to record, by name."""
        return {}


class StagedHook(Hook):
    """A hook that alters the network before a gradient is taken, and puts it back after.

    Told apart like this, the two can be done around anybody's loop (`pruning.stepping`).
    """

    def begin(self, step: int) -> None:
        """Called before step `step`, with the network as the optimiser left it."""

    def altered(self) -> AbstractContextManager[None]:
        """Within this context the network is the one whose gradient is taken."""
        return nullcontext()

    def gradients(self, step: int, closure: Closure) -> Tensor:
        """The gradient at the altered network."""
        self.begin(step)
        with self.altered():
            return closure()
