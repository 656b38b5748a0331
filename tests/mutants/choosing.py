"""Which tests are about a module: how near each file of tests is to it."""

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path


def room_of(path: Path, package: Path) -> str:
    """The room of a module: the first folder below the package, or the module's own name."""
    return path.relative_to(package).with_suffix("").parts[0]


def nearness(path: Path, definition: str, package: Path) -> Callable[[str], float]:
    """How near a file of tests is to a definition: 1 if it names it, 3 if it imports the module
    or belongs to its room, 10 otherwise.

    Args:
        path: the module, below `package`.
        definition: qualified name of what was changed in it.
        package: the folder of the package, whose copy of the project the tests belong to.

    Returns:
        A function of the path of a file of tests, from the folder of the project.
    """
    root = package.parents[1]
    room = room_of(path, package)
    module = ".".join((package.name, *path.relative_to(package).with_suffix("").parts))
    module = module.removesuffix(".__init__")
    words = {definition.partition(".")[0], definition.rpartition(".")[2]}

    @cache
    def near(name: str) -> float:
        text = (root / name).read_text(encoding="utf-8")
        below = Path(name).parts[1:]
        imports = module in text and module in imported(text)
        if imports and any(word in text for word in words):
            return 1.0
        return 3.0 if imports or below[0] in (room, f"test_{room}.py") else 10.0

    return near


def imported(text: str) -> set[str]:
    """Dotted names of all modules, and of what is taken from them, that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names
