"""What a training loop of somebody else is given, and what its optimiser remembers."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from mirtrim.pruning.distilling import Distance, distillation
from mirtrim.pruning.stepping import Stepper
from mirtrim.training import State, state_of
from mirtrim.units.cutting import assert_cuttable
from mirtrim.utils.errors import ConfigError

Train = Callable[[nn.Module, "AfterStep"], object]
Slots = dict[str, dict[str, Any]]  # what an optimiser remembers, by name of parameter


class AfterStep:
    """What a training loop is given besides the network; called after every optimiser step.

    Attributes:
        ratio: that of the ticket that is being trained, 1 for the dense network.
        steps: steps made so far in this training.
    """

    def __init__(
        self,
        network: nn.Module,
        stepper: Stepper,
        ratio: float,
        slots: Slots,
        teacher: nn.Module | None,
        distance: Distance,
    ) -> None:
        self.ratio = ratio
        self._network, self._stepper, self._slots = network, stepper, slots
        self._teacher, self._distance = teacher, distance
        self._optimizer: Optimizer | None = None
        self.rewind: tuple[State, Slots] | None = None

    @property
    def steps(self) -> int:
        """Steps made so far in this training."""
        return self._stepper.step

    def __call__(self) -> None:
        """Call once after every `optimizer.step()`."""
        self._stepper.after_step()
        if self.steps == 1 and self._optimizer is not None:
            assert_cuttable(self._optimizer)

    def rewind_here(self) -> None:
        """Name the present state as the one that tickets are rewound to.

        Only the training of the dense network has a say; without it that is its initial state.
        """
        self.rewind = state_of(self._network), slots_of(self._optimizer, self._network)

    def carry(self, optimizer: Optimizer) -> Optimizer:
        """The optimiser with the state that the reset leaves it, cut like the network.

        After "finetune" that is its state at the end of the last training, after "rewind" its
        state where `rewind_here` was called, otherwise nothing. Rates and other options stay
        those of `optimizer`.

        Raises:
            ConfigError: the optimiser holds no parameter of the network, or has a state that
                belongs to several parameters together, as that of LBFGS.
        """
        assert_cuttable(optimizer)
        self._optimizer = optimizer
        fill_slots(optimizer, self._network, self._slots)
        return optimizer

    def distillation(self, outputs: Any, *inputs: Any, **named: Any) -> Tensor:
        """How far `outputs` are from the teacher's for the same inputs; 0 without a teacher."""
        return distillation(self._teacher, self._distance, outputs, *inputs, **named)

    def slots(self) -> Slots:
        """State of the carried optimiser by name of parameter; empty if none was carried."""
        return slots_of(self._optimizer, self._network)


def slots_of(optimizer: Optimizer | None, network: nn.Module) -> Slots:
    """A copy of what an optimiser remembers of the parameters of `network`, by name."""
    if optimizer is None:
        return {}
    return {
        name: {k: v.clone() if isinstance(v, Tensor) else v for k, v in optimizer.state[p].items()}
        for name, p in network.named_parameters()
        if p in optimizer.state
    }


def fill_slots(optimizer: Optimizer, network: nn.Module, slots: Slots) -> None:
    """Make an optimiser of `network` remember `slots`, which are copied."""
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    parameters = dict(network.named_parameters())
    if not held & {id(p) for p in parameters.values()}:
        raise ConfigError("the optimizer holds no parameter of the model; make it of this one")
    for name, state in slots.items():
        if id(parameters[name]) in held:
            optimizer.state[parameters[name]] = {
                k: v.clone() if isinstance(v, Tensor) else v for k, v in state.items()
            }
