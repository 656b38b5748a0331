"""Feedback in a training by Lightning: `Trainer(callbacks=[FeedbackCallback(ratio=8)])`.

Lightning is not among the dependencies; whoever imports this module has it.
"""

from typing import Any

from torch import Tensor, nn

from mirtrim.pruning.dynamic import Feedback, feedback
from mirtrim.utils.errors import ConfigError

try:
    from lightning.pytorch import Callback
except ImportError:
    try:
        from pytorch_lightning import Callback
    except ImportError as error:
        raise ConfigError(
            "mirtrim.pruning.lightning needs Lightning; install it: pip install lightning"
        ) from error


class FeedbackCallback(Callback):
    """`mirtrim.feedback` around the optimiser steps of a trainer; checkpoints hold its state.

    Attributes:
        pruning: the `Feedback` of the present training. Behind the training `pruning.model` is
            the small network.
    """

    def __init__(
        self, ratio: float, steps: int | None = None, module: str = "", **words: Any
    ) -> None:
        """The arguments of `mirtrim.feedback`, but for these.

        Args:
            steps: optimiser steps; None asks the trainer.
            module: name of the submodule that is pruned, "" for all of the LightningModule.
            words: `of`, `teacher` and so on; `example_inputs` is by default the
                `example_input_array` of the LightningModule.
        """
        self.pruning: Feedback | None = None
        self._ratio, self._steps, self._module, self._words = ratio, steps, module, words
        self._state: dict[str, Tensor] | None = None
        self._seen = 0

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Find the network and its optimiser, and begin or go on."""
        if len(trainer.optimizers) != 1:
            raise ConfigError(
                f"FeedbackCallback: {len(trainer.optimizers)} optimizers; it prunes beside one"
            )
        network: nn.Module = pl_module.get_submodule(self._module)
        if network is pl_module and self._words.get("of") == "units":
            raise ConfigError(
                'FeedbackCallback: units are removed from a plain module; name it: module="…"'
            )
        example = getattr(pl_module, "example_input_array", None)
        steps = self._steps or trainer.estimated_stepping_batches
        if not isinstance(steps, int):
            raise ConfigError("FeedbackCallback: this training has no end; give steps=")
        words = {"example_inputs": example, **self._words}
        self.pruning = feedback(network, trainer.optimizers[0], self._ratio, steps, **words)
        self.pruning.__enter__()
        if self._state is not None:
            self.pruning.load_state_dict(self._state)
            self._state = None
        self._seen = trainer.global_step

    def on_train_batch_end(self, trainer: Any, *unused: Any, **named: Any) -> None:
        """A step, if the optimiser has made one: gradients may be accumulated over batches."""
        if self.pruning is not None and trainer.global_step != self._seen:
            self._seen = trainer.global_step
            self.pruning.step()

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """The network becomes the small one."""
        if self.pruning is not None:
            self.pruning.__exit__(None, None, None)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Put the dense weights back."""
        if self.pruning is not None:
            self.pruning.__exit__(type(exception), exception, None)

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {} if self.pruning is None else self.pruning.state_dict()

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Go on from there when the training starts."""
        self._state = dict(state_dict) or None
