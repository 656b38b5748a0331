"""A method's hook in a loop that somebody else wrote.

`training.fit` calls a hook around every step. Here the steps of any optimiser call it: before an
optimiser changes the weights, the network is put back to what it really is (dense weights), and
after the step it becomes again the one whose gradient is taken (masked weights, closed units).
"""

import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from mirtrim.training import Hook, StagedHook
from mirtrim.utils.errors import ConfigError, TrainingError
from mirtrim.utils.tensors import tensor_with_nan


class Stepper:
    """Within this context, steps of optimisers on `network` are steps of `hook`.

    Attributes:
        step: steps made so far.
    """

    def __init__(self, network: nn.Module, hook: Hook) -> None:
        self.step = 0
        self._network, self._hook = network, hook
        self._parameters = dict(network.named_parameters())
        self._places = {name: p.data_ptr() for name, p in self._parameters.items()}
        self._ids = {id(p) for p in self._parameters.values()}
        self._altered = ExitStack()
        self._handles = ExitStack()
        self._moved: set[int] = set()
        self._within: dict[int, int] = {}  # calls of `step` that a call of `step` has made
        self._closure: Any = None

    def __enter__(self) -> "Stepper":
        # Of all optimisers, because a loop makes its own; those of other networks are left alone.
        self._handles.callback(register_optimizer_step_pre_hook(self._before).remove)
        self._handles.callback(register_optimizer_step_post_hook(self._behind).remove)
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._handles.close()
        self.close()

    def begin(self) -> None:
        """What is due before the next step, then the network whose gradient is taken."""
        if isinstance(self._hook, StagedHook):
            self._hook.begin(self.step)
        self.open()

    def open(self) -> None:
        """The network becomes the one whose gradient is taken."""
        if isinstance(self._hook, StagedHook):
            self._altered.enter_context(self._hook.altered())

    def close(self) -> None:
        """The network becomes what it really is, with all its weights."""
        self._altered.close()

    def after_step(self) -> None:
        """The optimiser has made a step.

        Raises:
            ConfigError: the network was moved or its parameters were replaced.
        """
        self._assert_in_place()
        self.close()
        self._hook.after_step(self.step)
        self.step += 1
        self._moved.clear()
        self._within.clear()
        self.begin()

    def assert_told(self) -> None:
        """Raise if an optimiser has made a step of which nothing was said."""
        if self._moved:
            raise TrainingError(
                f"the optimizer made step {self.step + 1}, but pruning was not told; call "
                "after_step() (of `feedback`: pruning.step()) once after every optimizer.step()"
            )

    def _assert_in_place(self) -> None:
        for name, parameter in self._network.named_parameters():
            if parameter.data_ptr() != self._places.get(name):
                raise ConfigError(
                    f"{name} was moved or replaced while it was pruned; bring the model to its "
                    "device and type before"
                )

    def _before(self, optimizer: Optimizer, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        """Called before any optimiser's step; its closure, if it has one, is wrapped."""
        held = (id(p) for group in optimizer.param_groups for p in group["params"])
        if not any(one in self._ids for one in held):
            return None
        closure = kwargs.get("closure", args[1] if len(args) > 1 else None)
        if self._within.get(id(optimizer)) and closure in (None, self._closure):
            self._within[id(optimizer)] += 1
            return None  # an optimiser that makes its step by that of its base class
        if id(optimizer) in self._moved:
            self.assert_told()
        self._moved.add(id(optimizer))
        self._within[id(optimizer)] = 1
        self.close()
        if closure is None:
            if not _is_staged(self._hook):
                # "TopKastHook" is of method top_kast.
                name = re.sub("(?<!^)(?=[A-Z])", "_", type(self._hook).__name__[: -len("Hook")])
                raise ConfigError(
                    f"{name.lower()} has to take the gradient itself; give it the "
                    "forward and backward pass as a closure: optimizer.step(closure)"
                )
            return None
        self._closure = wrapped = self._wrapped(closure)
        if "closure" in kwargs:
            return args, {**kwargs, "closure": wrapped}
        return (args[0], wrapped, *args[2:]), kwargs

    def _behind(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        if id(optimizer) in self._within:
            self._within[id(optimizer)] -= 1

    def _wrapped(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        hook = self._hook

        def staged() -> Any:
            with hook.altered() if isinstance(hook, StagedHook) else ExitStack():
                return closure()

        def whole() -> Any:
            def once() -> Tensor:
                loss = closure()
                if loss is None:
                    raise TrainingError(
                        "the closure of optimizer.step(closure) returned None; let it return the "
                        "loss"
                    )
                return torch.as_tensor(loss).detach()

            return hook.gradients(self.step, once)

        return staged if _is_staged(hook) else whole


def _is_staged(hook: Hook) -> bool:
    """Whether what the hook does to a gradient is done before and after it."""
    return isinstance(hook, StagedHook) or type(hook).gradients is Hook.gradients


def assert_numbers(network: nn.Module) -> None:
    """The weights that a loop has left are numbers, so that what is kept of them can be chosen.

    Raises:
        TrainingError: names a parameter that holds NaN.
    """
    if name := tensor_with_nan(network):
        raise TrainingError(
            f"{name} holds NaN after the training; lower the learning rate, or look for a loss "
            "that is NaN"
        )


def warn_if_unchanged(network: nn.Module, before: Mapping[str, Tensor]) -> None:
    """Say so if a loop that told no step has left the weights what they were `before`."""
    parameters = dict(network.named_parameters())
    if parameters.keys() <= before.keys() and all(
        torch.equal(p.detach().to(before[name]), before[name]) for name, p in parameters.items()
    ):
        warnings.warn(
            "train made no step and left all weights as they were; let it train the network that "
            "it is given",
            stacklevel=5,
        )
