"""Pitch of one frame of samples: CREPE (Kim, Salamon, Li & Bello, ICASSP 2018).

Six convolution stages over 1024 samples at 16 kHz, then 360 bins of 20 cents. Fewer samples
at a lower rate, with a shorter first kernel, cover the same time.
"""

import math

from torch import Tensor, nn
from torch.nn import functional

from mirtrim.utils.errors import ConfigError

FRAME_SAMPLES = 1024
BINS = 360
STAGES = 6
FIRST_KERNEL, FIRST_STRIDE = 512, 4
KERNEL = 64
FILTERS = (32, 4, 4, 4, 8, 16)
SHORTEST_SAMPLES = FIRST_STRIDE * 2**STAGES


class Crepe(nn.Module):
    """Logits of 360 pitch bins, 20 cents apart.

    Args:
        capacity: filters per stage are `capacity` times (32, 4, 4, 4, 8, 16); the published
            sizes are 4 (tiny), 8, 16 (medium), 24 and 32 (full).
        samples: length of an input frame, a multiple of 256.
        first_kernel: taps of the first convolution.
        bins: outputs.
        dropout: probability of zeroing an activation after each stage.
        prior: mean activation of an untrained network; near the share of bins that a frame
            fills, training does not begin with silencing all of them, which costs a narrow
            network its features (Lin et al., ICCV 2017, §4.1). 0.5 is the published network.
    """

    def __init__(
        self,
        *,
        capacity: int = 4,
        samples: int = FRAME_SAMPLES,
        first_kernel: int = FIRST_KERNEL,
        bins: int = BINS,
        dropout: float = 0.25,
        prior: float = 0.5,
    ) -> None:
        super().__init__()
        if samples < SHORTEST_SAMPLES or samples % SHORTEST_SAMPLES:
            raise ConfigError(
                f"frame of {samples} samples: six halvings after a stride of {FIRST_STRIDE} "
                f"need a multiple of {SHORTEST_SAMPLES}"
            )
        widths = [capacity * filters for filters in FILTERS]
        self.stage1 = Stage(1, widths[0], first_kernel, FIRST_STRIDE, dropout)
        self.stage2 = Stage(widths[0], widths[1], KERNEL, 1, dropout)
        self.stage3 = Stage(widths[1], widths[2], KERNEL, 1, dropout)
        self.stage4 = Stage(widths[2], widths[3], KERNEL, 1, dropout)
        self.stage5 = Stage(widths[3], widths[4], KERNEL, 1, dropout)
        self.stage6 = Stage(widths[4], widths[5], KERNEL, 1, dropout)
        positions = samples // SHORTEST_SAMPLES
        self.output = nn.Linear(positions * widths[5], bins)
        self.prior_logit = math.log(prior / (1 - prior))

    def forward(self, x: Tensor) -> Tensor:
        """Frames (batch, 1, samples), mean 0 and deviation 1 → logits (batch, bins).

        The lengths below are those of 1024 samples.
        """
        x = self.stage1(x)  # (batch, 32 · capacity, 128)
        x = self.stage2(x)  # (batch, 4 · capacity, 64)
        x = self.stage3(x)  # (batch, 4 · capacity, 32)
        x = self.stage4(x)  # (batch, 4 · capacity, 16)
        x = self.stage5(x)  # (batch, 8 · capacity, 8)
        x = self.stage6(x)  # (batch, 16 · capacity, 4)
        return self.output(x.flatten(1)) + self.prior_logit

    def published_protected(self) -> tuple[str, ...]:
        """Names of the layers whose units the replicated paper never removes."""
        return ("stage6.convolution", "output")


class Stage(nn.Module):
    """Convolution, ReLU, batch norm, halving of the time axis, dropout."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, dropout: float) -> None:
        super().__init__()
        # One position per stride; an odd count of zeros has one more on the right.
        both_sides, self.extra_zeros = divmod(kernel - stride, 2)
        self.convolution = nn.Conv1d(inputs, outputs, kernel, stride, both_sides)
        self.norm = nn.BatchNorm1d(outputs)
        self.pool = nn.MaxPool1d(2)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        if self.extra_zeros:
            x = functional.pad(x, (0, self.extra_zeros))
        # A function, as in the published network, whose cost counter sees modules only.
        x = self.norm(functional.relu(self.convolution(x)))
        return self.dropout(self.pool(x))
