"""Which tests are about a module: those of its room, the nearest ones first."""

import ast
from pathlib import Path


def room_of(path: Path, package: Path) -> str:
    """The room of a module: the first folder below the package, or the module's own name."""
    return path.relative_to(package).with_suffix("").parts[0]


def files_about(path: Path, definition: str, package: Path, tests: Path) -> list[Path]:
    """Test files that import a module or belong to its room.

    Args:
        path: the module, below `package`.
        definition: qualified name of what was changed in it.
        tests: the folder of all tests.

    Returns:
        Those that name the definition come first, then those that import the module, then the
        rest of the room; within these, short files first.
    """
    room = room_of(path, package)
    module = ".".join((package.name, *path.relative_to(package).with_suffix("").parts))
    module = module.removesuffix(".__init__")
    words = {definition.partition(".")[0], definition.rpartition(".")[2]}
    ranked = []
    for file in sorted(tests.rglob("test_*.py")):
        text = file.read_text(encoding="utf-8")
        below = file.relative_to(tests).parts
        of_room = below[0] in (room, f"test_{room}.py") and below[0] != "mutants"
        imports = module in text and module in imported(text)
        named = imports and any(word in text for word in words)
        if of_room or imports:
            ranked.append((not named, not imports, len(text), file))
    return [file for *_, file in sorted(ranked)]


def imported(text: str) -> set[str]:
    """Dotted names of all modules, and of what is taken from them, that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
