"""A GPU that is not there: tensors that say another device and compute on the processor.

Every operation runs on the processor, so the numbers are those of a run without a GPU. What a
real GPU refuses is refused here as well: mixing tensors of two devices, and handing a tensor to
NumPy without bringing it back. Enough to find code that forgets where its tensors are; kernels,
speed and memory of a real GPU are another matter.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.backend_registration import _DummyBackendModule
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend as setup

NAME = "pretend"


class Backend(_DummyBackendModule):
    """What torch asks of any accelerator, for as long as the process lives: no generator."""

    def get_rng_state(self, device: Any = None) -> Tensor:
        return torch.zeros(0, dtype=torch.uint8)

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        pass

    def _is_in_bad_fork(self) -> bool:
        return False

    def manual_seed_all(self, seed: int) -> None:
        pass

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return []


setup(NAME, Backend())
GPU = torch.device(NAME, 0)
aten = torch.ops.aten
# Reads or writes across devices, as on a real GPU: copies, and places given by the processor.
CROSSING = {aten.copy_.default, aten._to_copy.default, aten.index.Tensor, aten.index_put_.default}


class OnGpu(Tensor):
    """A tensor of the processor in `inner` that says it were elsewhere."""

    inner: Tensor

    @staticmethod
    def __new__(cls, inner: Tensor) -> "OnGpu":
        wrapped: OnGpu = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, device=GPU, requires_grad=False,
        )  # fmt: skip
        wrapped.inner = inner
        return wrapped

    def __repr__(self, **_: Any) -> str:
        return f"OnGpu({self.inner!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class PretendGpu(TorchDispatchMode):
    """Within it, `device=GPU` makes such tensors."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`func` on the processor; the result says that it is where `func` would have put it."""
    leaves: list[Tensor] = []
    _mapped(leaves.append, (args, kwargs))
    here = any(isinstance(leaf, OnGpu) for leaf in leaves)
    if here and func not in CROSSING:
        for leaf in leaves:
            if not isinstance(leaf, OnGpu) and leaf.dim():
                raise RuntimeError(f"{func}: tensors on two devices; bring them together")
    asked = kwargs.get("device")
    there = torch.device(asked).type == NAME if asked is not None else here
    owners = {id(leaf.inner): leaf for leaf in leaves if isinstance(leaf, OnGpu)}
    if asked is not None:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    bare_args, bare_kwargs = _mapped(_bare, (args, kwargs))
    result = func(*bare_args, **bare_kwargs)
    if func is aten.copy_.default:  # in place, so it stays where it was
        return args[0]
    if func is aten._to_copy.default and not there:
        return _mapped(Tensor.clone, result)
    if not there:
        return result
    return _mapped(lambda leaf: _wrapped(leaf, owners), result)


def _mapped(change: Callable[[Tensor], Any], value: Any) -> Any:
    """The same tuples, lists and dicts with each tensor changed.

    Three times as fast as a `tree_map`, which looks for all kinds of containers.
    """
    if isinstance(value, Tensor):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)(_mapped(change, part) for part in value)
    if type(value) is dict:
        return {key: _mapped(change, part) for key, part in value.items()}
    return value


def _bare(leaf: Tensor) -> Tensor:
    return leaf.inner if isinstance(leaf, OnGpu) else leaf


def _wrapped(leaf: Tensor, owners: dict[int, OnGpu]) -> Tensor:
    """The tensor that was changed in place, or a new one."""
    if isinstance(leaf, OnGpu):
        return leaf
    owner = owners.get(id(leaf))
    return OnGpu(leaf) if owner is None else owner
