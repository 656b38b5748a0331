"""Trimmed networks on disk: weights as safetensors, widths as JSON, never a pickle.

A network is rebuilt by making the dense one, putting in the pairs of layers that stand in the
place of one (`units.pairs`), giving every tensor and attribute its stored width, and filling in
the weights.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mirtrim.units.pairs import build_pairs, described
from mirtrim.units.storable import check_storable
from mirtrim.units.stored_sizes import set_sizes, sizes_of
from mirtrim.units.widths import every_tensor, tensor_attributes
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import atomic_path, json_text, read_json
from mirtrim.utils.tensors import has_digest, read_tensors, write_tensors

FORMAT = "mirtrim widths"
VERSION = 1
REMEDY = "save the network again"


def paths_of(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Files of a network: weights and widths. `path` may have the ending of either.

    Raises:
        ArtefactError: it names no file.
    """
    base = Path(path)
    name = base.name.removesuffix(".safetensors" if base.suffix != ".json" else ".json")
    if name in ("", ".", ".."):
        raise ArtefactError(f"{os.fspath(path)!r} names no file; write a name, such as small")
    base = base.with_name(name)
    return base.with_name(f"{base.name}.safetensors"), base.with_name(f"{base.name}.json")


def save(model: nn.Module, path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write `path`.safetensors (weights, buffers) and `path`.json (widths); returns both paths.

    The JSON holds the shape of every tensor and the integer attributes of every module that
    counts units, so that `load` can check one against the other.

    Raises:
        ArtefactError: `model` is no network, holds what is no plain tensor, or `path` names no
            file; nothing is written.
    """
    if not isinstance(model, nn.Module):
        raise ArtefactError(f"model: {type(model).__name__} is not a torch module to save")
    weights_path, widths_path = paths_of(path)
    tensors = every_tensor(model)
    check_storable(model, tensors)
    tensors = {n: t.detach().cpu().resolve_neg().contiguous() for n, t in tensors.items()}
    imaginary = sorted(name for name, tensor in tensors.items() if tensor.is_complex())
    for name in imaginary:
        tensors[name] = torch.view_as_real(tensors[name].resolve_conj()).contiguous()
    modules = sizes_of(model)
    widths: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "shapes": {name: list(tensor.shape) for name, tensor in tensors.items()},
        "modules": modules,
    }
    if pairs := described(model):
        widths["pairs"] = pairs
    if passing := sorted(tensor_attributes(model)):
        widths["attributes"] = passing  # what the factory lacks of these is no loss
    if imaginary:
        widths["complex"] = imaginary  # stored as pairs of real numbers
    # Both are whole before either is put in its place: weights of one network beside the widths
    # of another are neither.
    with atomic_path(widths_path) as temporary:
        temporary.write_text(json_text(widths), encoding="utf-8")
        write_tensors(weights_path, tensors)
    return weights_path, widths_path


def packed(model: nn.Module) -> dict[str, Tensor]:
    """Tensors and sizes of a network as one dictionary of tensors, which `unpacked` reads.

    Complex tensors stay complex; nothing is shared with the network.
    """
    tensors = {f"tensor/{n}": t.detach().clone() for n, t in every_tensor(model).items()}
    for module, sizes in sizes_of(model).items():
        for attribute, size in sizes.items():
            tensors[f"size/{module}/{attribute}"] = torch.tensor(size)
    return tensors


def unpacked(packed: Mapping[str, Tensor], model: nn.Module) -> nn.Module:
    """`model`, the dense network, made into the one that was packed.

    Raises:
        ArtefactError: it is another network.
    """
    where = Path("state_dict")
    stored: dict[str, Tensor] = {}
    modules: dict[str, dict[str, Any]] = {}
    for key, value in packed.items():
        kind, _, name = key.partition("/")
        if kind == "tensor":
            stored[name] = value
        else:
            module, _, attribute = name.rpartition("/")
            modules.setdefault(module, {})[attribute] = value.tolist()
    tensors = every_tensor(model)
    if odd := sorted(set(tensors) ^ set(stored)):
        raise ArtefactError(f"{where} is of another network: {', '.join(odd[:4])} do not match")
    _resize(model, tensors, {n: t.clone() for n, t in stored.items()}, where)
    set_sizes(model, modules, where)
    return model


def is_saved(path: str | os.PathLike[str]) -> bool:
    """Whether `path` (with or without an ending) names a network that `save` wrote.

    Raises:
        ArtefactError: the file that says so is damaged, or `path` names no file.
    """
    weights_path, widths_path = paths_of(path)
    try:
        content = read_json(widths_path, REMEDY) if widths_path.is_file() else None
    except ArtefactError:
        # Beside weights that somebody else wrote, it may be anything.
        if Path(path).suffix == ".safetensors" and not has_digest(weights_path):
            return False
        raise
    return isinstance(content, dict) and content.get("format") == FORMAT


def load(path: str | os.PathLike[str], factory: Callable[[], nn.Module]) -> nn.Module:
    """The network that `save` wrote.

    Args:
        path: as given to `save`.
        factory: makes the dense network.

    Raises:
        ArtefactError: a file is missing, damaged, of another version or of another network, or
            the factory makes none.
    """
    weights_path, widths_path = paths_of(path)
    shapes, modules, lists, pairs = _read_widths(widths_path)
    stored, _ = read_tensors(weights_path)
    found = {name: list(tensor.shape) for name, tensor in stored.items()}
    if found != shapes:
        raise ArtefactError(f"{weights_path} and {widths_path.name} disagree; write both again")
    for name in lists["complex"]:
        if name not in stored or not _is_pairs(stored[name]):
            raise ArtefactError(
                f"{widths_path} calls {name!r} complex, which it is not; save again"
            )
        stored[name] = torch.view_as_complex(stored[name])
    model = made_by(factory)
    try:
        build_pairs(model, pairs, shapes)
    except ValueError as error:
        raise ArtefactError(f"{widths_path}: {error}; save the network again") from error
    tensors = every_tensor(model)
    # States that come and go with use: only where both have them they are read.
    passing = set(tensor_attributes(model)) | set(lists["attributes"])
    both = {name for name in set(tensors) & set(stored) if _fits(stored[name], tensors[name])}
    both |= (set(tensors) & set(stored)) - passing
    stored = {n: t for n, t in stored.items() if n in both or n not in passing}
    tensors = {n: t for n, t in tensors.items() if n in both or n not in passing}
    odd = sorted(set(tensors) ^ set(stored))
    if odd:
        raise ArtefactError(
            f"{weights_path} is of another network than the factory makes: tensor {odd[0]!r} is "
            "only in one of them"
        )
    # With other layers than the dense network, it may be wider elsewhere.
    _resize(model, tensors, stored, weights_path, may_grow=bool(pairs))
    set_sizes(model, modules, widths_path)
    return model


def _is_pairs(tensor: Tensor) -> bool:
    """Whether a tensor may be the real view of a complex one."""
    return tensor.shape[-1:] == (2,) and tensor.is_floating_point()


def made_by(factory: Callable[[], nn.Module]) -> nn.Module:
    """What a factory makes.

    Raises:
        ArtefactError: it is none, or what it makes is no network, or a lazy one.
    """
    if isinstance(factory, nn.Module) or not callable(factory):
        raise ArtefactError(
            f"factory: {type(factory).__name__} is not a function that makes the dense network"
        )
    model = factory()
    if not isinstance(model, nn.Module):
        raise ArtefactError(
            f"factory: made {type(model).__name__}, not a torch module; return the dense network"
        )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            raise ArtefactError(
                f"factory: {name} of a lazy module has no shape yet; call the network once in it"
            )
    return model


def _read_widths(
    path: Path,
) -> tuple[dict[str, list[int]], dict[str, dict[str, Any]], dict[str, list[str]], dict[str, Any]]:
    if not path.exists():
        raise ArtefactError(f"{path} is missing; check the name, or {REMEDY}")
    content = read_json(path, REMEDY)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ArtefactError(f"{path} does not hold the widths of a network; choose another file")
    if content.get("version") != VERSION:
        raise ArtefactError(
            f"{path} has version {content.get('version')!r}, this reads {VERSION}; save again"
        )
    shapes: Any = content.get("shapes")
    modules: Any = content.get("modules")
    lists = {key: content.get(key, []) for key in ("complex", "attributes")}
    pairs = content.get("pairs", {})
    for key, names in lists.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ArtefactError(f"{path}: {key} is no list of names; {REMEDY}")
    for key, named in (("shapes", shapes), ("modules", modules), ("pairs", pairs)):
        if not isinstance(named, dict):
            raise ArtefactError(f"{path}: {key} is no object; {REMEDY}")
    return shapes, modules, lists, pairs


def _fits(new: Tensor, old: Tensor, may_grow: bool = False) -> bool:
    """Whether `new` may be what is left of `old`."""
    smaller = may_grow or new.numel() <= old.numel()
    return new.dim() == old.dim() and new.dtype == old.dtype and smaller


def _resize(
    model: nn.Module,
    tensors: dict[str, Tensor],
    stored: dict[str, Tensor],
    path: Path,
    may_grow: bool = False,
) -> None:
    """Put the stored values into the network, keeping ties between parameters."""
    replaced: dict[int, Tensor] = {}
    for name, old in tensors.items():
        new = stored[name].to(old.device)
        if not _fits(new, old, may_grow):
            raise ArtefactError(
                f"{path} holds {name} as {new.dtype} {tuple(new.shape)}, which does not fit the "
                f"factory's {old.dtype} {tuple(old.shape)}"
            )
        replaced[id(old)] = (
            nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new
        )
    for module in model.modules():
        for slots in (module._parameters, module._buffers):
            for key, value in slots.items():
                if value is not None:
                    slots[key] = replaced[id(value)]  # type: ignore[assignment]
        for key, value in vars(module).items():
            vars(module)[key] = _with(replaced, value)
        if isinstance(module, nn.RNNBase):
            module._init_flat_weights()


def _with(replaced: Mapping[int, Tensor], value: Any) -> Any:
    """A tensor, or a nested container of some, with those of `replaced` in their places."""
    if isinstance(value, Tensor):
        return replaced.get(id(value), value)
    if type(value) in (list, tuple):
        parts = [_with(replaced, part) for part in value]
        same = all(one is other for one, other in zip(parts, value, strict=True))
        return value if same else type(value)(parts)
    if type(value) is dict:
        changed = {key: _with(replaced, part) for key, part in value.items()}
        return value if all(changed[key] is value[key] for key in value) else changed
    return value
