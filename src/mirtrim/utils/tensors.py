"""Named tensors on disk: safetensors with a digest, written atomically, damage always noticed.

The format has no checksum of its own, so a flipped bit would be read as a weight. It is implemented
here because the library's own writer orders its metadata at random, leaves hidden files after a
kill, and hides disk errors. Format: https://github.com/huggingface/safetensors#format
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import atomic_path

_DIGEST = "digest"
DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str] | None = None
) -> None:
    """Write tensors, and text `about` them, in one atomic step; the same bytes every time."""
    # Wide types first, so that every tensor is aligned.
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    about = dict(about or {})
    header: dict[str, object] = {
        "__metadata__": {**about, _DIGEST: _digest(tensors, about)},
    }
    end = 0
    for name in names:
        tensor = tensors[name]
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            stream.write(_bytes(tensors[name]))


def read_tensors(
    path: Path, remedy: str = "write it again"
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `write_tensors` wrote, or any other safetensors file, which then is not checked.

    Raises:
        ArtefactError: the file is missing or damaged; ends with `remedy`.
    """
    try:
        with safe_open(path, framework="pt") as stream:
            about = dict(stream.metadata() or {})
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ArtefactError(f"{path} cannot be read ({reason}); {remedy}") from error
    known = about.pop(_DIGEST, None)
    if known is not None and known != _digest(tensors, about):
        raise ArtefactError(f"{path} is damaged; {remedy}")
    return tensors, about


def has_digest(path: Path) -> bool:
    """Whether `write_tensors` wrote a file; False also if there is no file."""
    try:
        with safe_open(path, framework="pt") as stream:
            return _DIGEST in (stream.metadata() or {})
    except (SafetensorError, OSError, ValueError):
        return False


def tensor_with_nan(model: nn.Module) -> str | None:
    """Name of the first parameter that contains NaN; buffers may, for values that are not set."""
    for name, tensor in model.named_parameters():
        # Lazy and meta tensors have no values, and some types no NaN.
        with suppress(RuntimeError, ValueError):
            if tensor.isnan().any():
                return name
    return None


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def _digest(tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> str:
    shapes = [[name, str(t.dtype), list(t.shape)] for name, t in sorted(tensors.items())]
    digest = hashlib.sha256(json.dumps([about, shapes], sort_keys=True).encode())
    for _, tensor in sorted(tensors.items()):
        digest.update(_bytes(tensor))
    return digest.hexdigest()
