"""A masked training step beside the same step without masks, one thread.

python benchmarks/masking.py
"""

from collections.abc import Callable

import torch
from timing import interleaved, print_table, take_no_arguments
from torch import Tensor, nn

from mirtrim.models.spectral import SpectralCNN
from mirtrim.pruning.masking import MaskHook, apply_masks, full_masks

BATCH = 64
STEPS = 10


def mlp() -> nn.Module:
    """784-300-100-10."""
    return nn.Sequential(
        nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "MLP 784-300-100-10": (mlp, (784,)),
    "spectral, 32 channels, hidden 128": (
        lambda: SpectralCNN(channels=32, hidden=128), (1, 64, 50),
    ),
}  # fmt: skip


def stepper(model: nn.Module, inputs: Tensor, masked: bool) -> Callable[[], None]:
    """A function that makes STEPS training steps."""
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    hook = None
    if masked:
        masks = {n: torch.rand(m.shape) > 0.9 for n, m in full_masks(model).items()}
        apply_masks(model, masks)
        hook = MaskHook(model, masks)

    def run() -> None:
        for step in range(STEPS):
            optimizer.zero_grad(set_to_none=True)
            model(inputs).square().mean().backward()
            optimizer.step()
            if hook is not None:
                hook.after_step(step)

    return run


def main() -> None:
    """Print the tables."""
    take_no_arguments(__doc__)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    for name, (factory, shape) in CASES.items():
        inputs = torch.randn(BATCH, *shape)
        plain, masked = interleaved(
            [stepper(factory(), inputs, False), stepper(factory(), inputs, True)], repeats=9
        )
        milliseconds = [f"{t / STEPS * 1e3:.2f}" for t in (plain, masked)]
        rows.append([name, *milliseconds, f"{masked / plain:.3f}"])
    print_table(["network", "plain step, ms", "masked step, ms", "ratio"], rows)

    model = SpectralCNN(detectors=3, outputs_per_frame=2)
    hook = MaskHook(model, {n: torch.rand(m.shape) > 0.9 for n, m in full_masks(model).items()})
    (seconds,) = interleaved([lambda: [hook.after_step(0) for _ in range(STEPS)]], repeats=15)
    count = sum(p.numel() for p in model.parameters())
    print(f"masking alone, {count:,} parameters: {seconds / STEPS * 1e3:.2f} ms per step")


if __name__ == "__main__":
    main()
