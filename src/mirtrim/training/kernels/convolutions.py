"""Long convolutions of few channels, on the processor, as one matrix product.

The kernels behind `torch.conv1d` and `torch.conv2d` work on blocks of eight or sixteen channels.
A network of eight channels or fewer, and one that has been trimmed to three, leaves most of each
block empty: 2 to 20 billion operations a second where a matrix product reaches 60. What such a
convolution has enough of is time. So `block` neighbouring outputs are computed together, each
weight standing once per output in a band of a larger matrix (a Toeplitz matrix), and one matrix
product does the batch:

    y[n, o, i·block + b] = Σ over c, s of band[(o, b), (c, s)] · x[n, c, i·block·stride + s]

with band[(o, b), (c, s)] = w[o, c, s − b·stride] where that exists, and zero elsewhere. The zeros
are multiplied too, at most as often as weights.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from mirtrim.training.kernels.axes import per_axis

# Where the matrix product is the faster one (benchmarks/kernels.py).
SHORTEST_KERNEL = 16
MOST_PAIRS = 128
BLOCK = 8
EMPTY_BLOCKS = 0.5
SHORTEST_OF_ONE_CHANNEL = 256  # in bfloat16
# Rows of the band matrix: fewer waste the processor's registers, more waste work on zeros.
BAND_ROWS = 112


def convolution_pays(module: nn.Module) -> bool:
    """Whether the module is a convolution that a matrix product computes faster."""
    return isinstance(module, nn.Conv1d | nn.Conv2d) and _pays(module.weight)


def convolution(*arguments: Any, **named: Any) -> Tensor | None:
    """`torch.conv1d` or `torch.conv2d`; values and gradients are torch's up to rounding. None where
    torch is to do it.
    """
    if torch.is_autocast_enabled("cpu"):
        return None
    call = _Call.of(*arguments, **named)
    return call.result() if call is not None and call.pays else None


def convolution_in_bfloat16(
    *arguments: Any, only_if_it_pays: bool = False, **named: Any
) -> Tensor | None:
    """The same in bfloat16, with sums in float32. None where it is not computed this way."""
    call = _Call.of(*arguments, **named, dtype=torch.bfloat16)
    if call is None or (only_if_it_pays and not call.pays):
        return None
    return call.result()


def _pays(weight: Tensor) -> bool:
    outputs, channels, taps = weight.shape[:3]
    if taps < SHORTEST_KERNEL or outputs * channels > MOST_PAIRS or weight.device.type != "cpu":
        return False
    # Over two axes torch is good at what fills its blocks; over one axis it never is.
    filled = outputs * channels / (_whole_blocks(outputs) * _whole_blocks(channels))
    return weight.dim() == 3 or filled < EMPTY_BLOCKS


def _pays_in_bfloat16(weight: Tensor) -> bool:
    """With matrix units torch is good at most convolutions, but not at these."""
    outputs, channels, taps = weight.shape[:3]
    if outputs == 1:
        return taps >= SHORTEST_KERNEL
    return channels == 1 and taps >= SHORTEST_OF_ONE_CHANNEL


def _whole_blocks(units: int) -> int:
    return -(-units // BLOCK) * BLOCK


@dataclass(frozen=True)
class _Call:
    """A convolution over two axes; (height, width) of stride and zeros at either end."""

    images: Tensor
    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, int]
    padding: tuple[int, int]
    one_axis: bool
    pays: bool

    @staticmethod
    def of(
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        *,
        dtype: torch.dtype | None = None,
    ) -> "_Call | None":
        """The call with torch's own arguments, or None where it is no matrix product of ours.

        Args:
            dtype: what to compute in; None is the dtype that all arguments share.
        """
        pays = _pays(weight) if dtype is None else _pays_in_bfloat16(weight)
        if dtype is not None:
            input, weight = input.to(dtype), weight.to(dtype)
            bias = None if bias is None else bias.to(dtype)
        images, axes = input, weight.dim() - 2
        if (
            images.dim() != weight.dim()
            or not len(images)
            or images.dtype != weight.dtype
            or images.device.type != "cpu"
            or isinstance(padding, str)
            or groups != 1
            or set(per_axis(dilation, axes)) != {1}
        ):
            return None
        strides, zeros = per_axis(stride, axes), per_axis(padding, axes)
        if axes == 1:
            images, weight = images.unsqueeze(3), weight.unsqueeze(3)
            strides, zeros = (*strides, 1), (*zeros, 0)
        reach = (images.shape[2] + 2 * zeros[0], images.shape[3] + 2 * zeros[1])
        if reach[0] < weight.shape[2] or reach[1] < weight.shape[3]:
            return None  # torch says what is wrong
        return _Call(images, weight, bias, strides, zeros, axes == 1, pays)

    def result(self) -> Tensor:
        """The convolution."""
        result: Tensor = _BandProduct.apply(
            self.images, self.weight, self.bias, self.stride, self.padding
        )
        return result.squeeze(3) if self.one_axis else result


@dataclass(frozen=True)
class _Blocks:
    """How the outputs (height, width) of a convolution fall into blocks along the height.

    Attributes:
        block: outputs along the height that a block has; `blocks` of them cover the height.
        span: input rows under a block.
    """

    image: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    outputs: tuple[int, int]
    block: int
    blocks: int

    @staticmethod
    def of(
        images: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> "_Blocks":
        image, kernel = (images.shape[2], images.shape[3]), (weight.shape[2], weight.shape[3])
        height, width = (
            (image[axis] + 2 * padding[axis] - kernel[axis]) // stride[axis] + 1 for axis in (0, 1)
        )
        # A block longer than a kernel has more zeros than weights in its band.
        longest = max(1, min(BAND_ROWS // len(weight), kernel[0] // stride[0], height))
        blocks = -(-height // longest)
        block = -(-height // blocks)
        return _Blocks(image, kernel, stride, padding, (height, width), block, blocks)

    @property
    def step(self) -> int:
        return self.stride[0] * self.block

    @property
    def span(self) -> int:
        return self.step - self.stride[0] + self.kernel[0]

    @property
    def padded_height(self) -> int:
        """Rows that the blocks look at: may leave out the last rows of the input, or go beyond."""
        return self.step * (self.blocks - 1) + self.span

    @property
    def has_zeros(self) -> bool:
        """Whether blocks look at anything but the input."""
        return self.padding != (0, 0) or self.padded_height > self.image[0]

    def unfold(self, images: Tensor) -> Tensor:
        """Images (batch, channels, height, width) → (batch · width' · blocks, kernel width · span ·
        channels): what each block of outputs looks at.
        """
        batch, channels = images.shape[:2]
        (top, left), width = self.padding, self.image[1]
        # Channels last: what a block reads of a column is then one piece of memory.
        shape = (batch, width + 2 * left, self.padded_height, channels)
        padded = images.new_zeros(shape) if self.has_zeros else images.new_empty(shape)
        # A long stride may stop before it reaches the input.
        room = max(0, self.padded_height - top)
        inside = images.permute(0, 3, 2, 1)[:, :, :room]
        padded[:, left : left + width, top : top + inside.shape[2]].copy_(inside)
        column = self.padded_height * channels
        rows = (batch, self.outputs[1], self.blocks)
        columns = (self.kernel[1], self.span * channels)
        strides = (column * shape[1], self.stride[1] * column, self.step * channels, column, 1)
        looked_at = padded.as_strided((*rows, *columns), strides)
        return looked_at.reshape(math.prod(rows), math.prod(columns))

    def fold(self, looked_at: Tensor, channels: int) -> Tensor:
        """The adjoint of `unfold`: everything goes back to where it was read, and adds up."""
        batch = len(looked_at) // (self.outputs[1] * self.blocks)
        (top, left), (height, width) = self.padding, self.image
        across, down = width + 2 * left, max(self.padded_height, top + height)
        padded = looked_at.new_zeros(batch, across, down, channels)
        parts = looked_at.view(batch, self.outputs[1], self.blocks, self.kernel[1], -1)
        step, column = self.step * channels, down * channels
        strides = (column * across, self.stride[1] * column, step, 1)
        # Neighbouring blocks read some rows twice; pieces as long as a step never do.
        for start in range(0, self.span * channels, step):
            for number in range(self.kernel[1]):
                part = parts[:, :, :, number, start : start + step]
                padded.as_strided(part.shape, strides, number * column + start).add_(part)
        inside = padded[:, left : left + width, top : top + height]
        return inside.permute(0, 3, 2, 1).contiguous()

    def diagonals(self, band: Tensor, outputs: int, channels: int) -> Tensor:
        """A view (outputs, block, channels, *kernel) of the places that the weights have in the
        band matrix (outputs · block, kernel width · span · channels).
        """
        column = self.span * channels
        row = self.kernel[1] * column
        return band.as_strided(
            (outputs, self.block, channels, *self.kernel),
            (self.block * row, row + self.stride[0] * channels, 1, channels, column),
        )

    def spread(self, outputs: Tensor) -> Tensor:
        """Outputs (batch, outputs, height', width') → (batch · width' · blocks, outputs · block),
        zeros where a block goes beyond them.
        """
        beyond = self.block * self.blocks - self.outputs[0]
        outputs = functional.pad(outputs, (0, 0, 0, beyond))
        blocks = outputs.unflatten(2, (self.blocks, self.block))
        return blocks.permute(0, 4, 2, 1, 3).reshape(-1, outputs.shape[1] * self.block)

    def gather(self, rows: Tensor, outputs: int) -> Tensor:
        """The inverse of `spread`."""
        blocks = rows.view(-1, self.outputs[1], self.blocks, outputs, self.block)
        images = blocks.permute(0, 3, 2, 4, 1).flatten(2, 3)
        return images[:, :, : self.outputs[0]].contiguous()


class _BandProduct(torch.autograd.Function):
    """Convolution of images (batch, channels, height, width) by a band matrix."""

    @staticmethod
    def forward(
        context: Any,
        images: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
    ) -> Tensor:
        blocks = _Blocks.of(images, weight, stride, padding)
        outputs, channels = weight.shape[:2]
        columns = blocks.unfold(images)
        band = weight.new_zeros(outputs * blocks.block, columns.shape[1])
        blocks.diagonals(band, outputs, channels).copy_(weight[:, None])
        context.save_for_backward(columns, band)
        context.blocks, context.outputs, context.channels = blocks, outputs, channels
        if bias is None:
            rows = columns @ band.T
        else:
            rows = torch.addmm(bias.repeat_interleave(blocks.block), columns, band.T)
        return blocks.gather(rows, outputs)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        columns, band = context.saved_tensors
        blocks: _Blocks = context.blocks
        of_images, of_weight, of_bias = context.needs_input_grad[:3]
        images = weight = bias = None
        rows = blocks.spread(gradient)
        if of_images:
            images = blocks.fold(rows @ band, context.channels)
        if of_weight:
            places = blocks.diagonals(rows.T @ columns, context.outputs, context.channels)
            weight = places.sum(1)
        if of_bias:
            bias = gradient.sum((0, 2, 3))
        return images, weight, bias, None, None
