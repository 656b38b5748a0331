"""The maximum of a few neighbours along one axis, in whole passes over a tensor.

The kernel behind `torch.max_pool2d` visits one window at a time and notes where its maximum was:
eight to twenty nanoseconds each. Taking the larger of two shifted views, once per neighbour, is
several times as fast, with the same bits: the gradient goes to the first of equal neighbours. With
the channels last torch has another kernel, which compares many of them at once; in float32 it
stays, in bfloat16 it takes twice as long as this.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mirtrim.training.kernels.axes import per_axis

# One pass per neighbour.
LONGEST_WINDOW = 8


def max_pool(
    axes: int,
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor | None:
    """`max_pool1d` or `max_pool2d`, by number of `axes`; None where torch is to do it.

    Where an input is not a number neither is the result, and which neighbour gets the gradient
    is then open.
    """
    window = per_axis(kernel_size, axes)
    strides = window if stride is None or stride in ((), []) else per_axis(stride, axes)
    axis = _axis(window)
    if (
        axis is None
        or min(strides) < 1
        or any(step != 1 for at, step in enumerate(strides) if at != axis)
        or set(per_axis(padding, axes)) != {0}
        or set(per_axis(dilation, axes)) != {1}
        or ceil_mode
        or return_indices
        or input.dim() not in (axes + 1, axes + 2)
        or input.device.type != "cpu"
        or not input.is_floating_point()
        or not _fast(input)
        or input.shape[axis - axes] < window[axis]
    ):
        return None
    result: Tensor = _OneAxisMaximum.apply(input, axis - axes, window[axis], strides[axis])
    return result


def _fast(input: Tensor) -> bool:
    """Whether the passes over a tensor of this layout are faster than torch."""
    last = input.dim() == 4 and input.is_contiguous(memory_format=torch.channels_last)
    return input.is_contiguous() or (last and input.dtype == torch.bfloat16)


def _axis(window: tuple[int, ...]) -> int | None:
    """The only axis along which the window is longer than one; None if this is not for us."""
    longer = [axis for axis, length in enumerate(window) if length > 1]
    return longer[0] if len(longer) == 1 and window[longer[0]] <= LONGEST_WINDOW else None


class _OneAxisMaximum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, input: Tensor, axis: int, window: int, stride: int) -> Tensor:
        first, *others = input.unfold(axis, window, stride).unbind(-1)
        best, larger = first, []
        for neighbour in others:
            if context.needs_input_grad[0]:
                # 1 where the neighbour is larger: arithmetic on booleans is far slower.
                place = torch.empty_like(neighbour)
                larger.append(torch.gt(neighbour, best, out=place))
            best = torch.maximum(best, neighbour)
        context.save_for_backward(*larger)
        # A contiguous gradient would be copied back and forth where the channels are last.
        context.layout = torch.empty_like(input, device="meta")
        context.window = (axis, window, stride)
        return best

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs = torch.zeros_like(context.layout, device=gradient.device)
        first, *others = inputs.unfold(*context.window).unbind(-1)
        # The last that was larger than all before it gets all of the gradient. Torch adds up
        # overlapping windows in their order, in which an input is first the last of a window.
        for larger, place in zip(reversed(context.saved_tensors), reversed(others), strict=True):
            place.addcmul_(gradient, larger)
            gradient = torch.addcmul(gradient, gradient, larger, value=-1)
        first.add_(gradient)
        return inputs, None, None, None
