"""The drawing in docs/architecture.md, held against the imports of the package."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "mirtrim"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def arrows_in_code() -> set[tuple[str, str]]:
    """(importing room, imported room)."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0]
        if room == "__init__.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mirtrim."):
                other = str(node.module).split(".")[1]
                if other != room:
                    found.add((room, other))
    return found


def arrows_drawn() -> set[tuple[str, str]]:
    return set(re.findall(r"^\s+(\w+) --> (\w+)$", PAGE, re.MULTILINE))


def reachable(arrows: set[tuple[str, str]], start: str) -> set[str]:
    def walk(room: str) -> Iterator[str]:
        for first, second in arrows:
            if first == room:
                yield second
                yield from walk(second)

    return set(walk(start))


def test_every_room_is_in_the_drawing_and_the_table() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert {room for arrow in arrows_drawn() for room in arrow} == rooms
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == rooms


def test_imports_follow_the_arrows() -> None:
    drawn = arrows_drawn()
    below = {room: reachable(drawn, room) for arrow in drawn for room in arrow}
    assert not {(a, b) for a, b in arrows_in_code() if b not in below[a]}


def test_no_arrow_goes_in_a_circle_and_none_is_idle() -> None:
    drawn = arrows_drawn()
    assert not {room for arrow in drawn for room in arrow if room in reachable(drawn, room)}
    assert drawn <= arrows_in_code()


def test_modules_have_no_circle() -> None:
    """Not only rooms: no file imports itself through others."""
    modules = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        graph[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mirtrim"):
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    target = full if full in modules else str(node.module)
                    # A package that names its modules is read after them.
                    if target in modules and not name.startswith(f"{target}."):
                        graph[name].add(target)
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join([*way[way.index(name) :], name])
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*way, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())
