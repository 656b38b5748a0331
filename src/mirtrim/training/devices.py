"""Where a network computes: on the processor, or on a GPU."""

import os

import torch
from torch import nn

from mirtrim.utils.errors import ConfigError

CPU = torch.device("cpu")


def choose_device(gpus: int) -> torch.device:
    """The processor for 0 `gpus`, the first visible GPU otherwise, set up for this process.

    A GPU runs deterministic kernels in full float32: the same seed gives the same bits on the same
    GPU, and "bfloat16" is a setting of the training, not a library default. Operations that have no
    deterministic kernel warn.

    Raises:
        ConfigError: a GPU is requested and none is available.
    """
    if not gpus:
        return CPU
    if not torch.cuda.is_available():
        raise ConfigError(
            "resources gpu: a GPU is asked for, but this torch sees none; run without the GPU "
            "profile, or install a CUDA build of the same torch version"
        )
    # cuBLAS reads it when the first kernel starts; the default buffers are not deterministic.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device("cuda", 0)


def device_of(network: nn.Module) -> torch.device:
    """The device of the parameters of `network`; the CPU if it has none."""
    first = next(network.parameters(), None)
    return CPU if first is None else first.device


def name_of_device(device: torch.device) -> str:
    """The GPU's model, empty for the processor."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""
