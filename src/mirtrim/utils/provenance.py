"""What determined a number: digests of code, versions of libraries, the machine."""

import ast
import hashlib
import importlib.metadata
import platform
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
CPUINFO = Path("/proc/cpuinfo")
# Flag of Linux → name, the widest first.
VECTOR_INSTRUCTIONS = {"amx_tile": "AMX", "avx512f": "AVX-512", "avx2": "AVX2"}
LIBRARIES = ("torch", "numpy", "scipy", "librosa", "mir_eval", "mirdata", "midirenderer")


@cache
def code_digest(*roots: str) -> str:
    """SHA-256 over the sources that modules of the package depend on.

    Rules of the workflow carry such a digest as a parameter, so that editing the library reruns
    the jobs that depend on the edited file and no others.

    Args:
        roots: modules by their full name, or a script outside the package as a path;
            "mirtrim.room.*" stands for all of a room. What a module imports from the package,
            anywhere in it, is followed. Plugins that are found at run time (tasks, methods,
            criteria) are roots of their own.
    """
    digest = hashlib.sha256()
    for path in sources(*roots):
        name = path.relative_to(PACKAGE) if path.is_relative_to(PACKAGE) else path.name
        digest.update(str(name).encode() + b"\0" + _content(path) + b"\0")
    return digest.hexdigest()


def sources(*roots: str) -> list[Path]:
    """The files of the package that `roots` depend on, themselves included, sorted.

    Raises:
        ModuleNotFoundError: a root is not a module of the package.
    """
    waiting: list[Path] = []
    for root in roots:
        if root.endswith(".py"):
            waiting.append(Path(root))
            continue
        room = root.removesuffix(".*")
        path = _source(room)
        if path is None:
            raise ModuleNotFoundError(f"{root} is not a module of the package")
        waiting += sorted(path.parent.rglob("*.py")) if room != root else [path]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imports(path)
    return sorted(found)


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Files of the package that `path` imports, with the packages that they are in."""
    found: list[Path] = []
    for name in _imported_names(ast.parse(_content(path))):
        parts = name.split(".")
        if parts[0] == PACKAGE.name:
            known = (_source(".".join(parts[:end])) for end in range(1, len(parts) + 1))
            found += [source for source in known if source is not None]
    return tuple(found)


def _imported_names(tree: ast.AST) -> Iterator[str]:
    """Full names in all import statements, but for those that only a type checker reads."""
    if isinstance(tree, ast.If) and isinstance(tree.test, ast.Name):
        if tree.test.id == "TYPE_CHECKING":
            return
    elif isinstance(tree, ast.Import):
        yield from (alias.name for alias in tree.names)
    elif isinstance(tree, ast.ImportFrom) and tree.module:
        # An import may be a module of that package, or a name in it.
        yield from (f"{tree.module}.{alias.name}" for alias in tree.names)
    # Expressions, which are most of a tree, hold no import statements.
    for child in ast.iter_child_nodes(tree):
        if not isinstance(child, ast.expr):
            yield from _imported_names(child)


def _source(name: str) -> Path | None:
    """The file of a module or package by its full name, None if there is none."""
    base = PACKAGE.parent.joinpath(*name.split("."))
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def versions() -> str:
    """Python and the libraries that can change a number, as "name version" pairs."""
    pairs = [f"python {platform.python_version()}"]
    for name in LIBRARIES:
        try:
            pairs.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return "; ".join(pairs)


def machine() -> str:
    """Processor, its widest vector instructions, and system, without anything that names the host.

    These instructions select kernels, and other kernels round differently: a training gives the
    same bits only if they are the same.
    """
    known = _cpuinfo()
    model = known.get("model name") or platform.processor() or platform.machine()
    flags = known.get("flags", "").split()
    widest = next((name for flag, name in VECTOR_INSTRUCTIONS.items() if flag in flags), None)
    processor = f"{model} ({widest})" if widest else model
    return f"{processor}; {platform.system()} {platform.machine()}"


def _cpuinfo() -> dict[str, str]:
    """Linux's description of the first processor; empty on other systems."""
    if not CPUINFO.exists():
        return {}
    first, _, _ = CPUINFO.read_text(encoding="utf-8", errors="replace").partition("\n\n")
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
