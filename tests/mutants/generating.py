"""Faults made by rule: flipped comparisons and signs, other constants, dropped statements.

`mutmut` and `cosmic-ray` were tried first. The one replaces every function by a switch between its
variants, which neither the digests of the code nor tests that import by path survive; the other
knows one test command for all modules, draws no sample and drops no statement.
"""

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.choosing import imported
from tests.mutants.planting import definitions, replaced

FLIPS: dict[type[Any], type[Any]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True)
class Change:
    """A place in a file, and what could stand there instead."""

    path: Path
    definition: str
    nodes: tuple[Any, ...]
    by: str

    @property
    def line(self) -> int:
        """The line of the place, from 1."""
        return int(self.nodes[0].lineno)

    def text(self) -> str:
        """The file's whole text with the change in it."""
        return replaced(self.path.read_text(encoding="utf-8"), list(self.nodes), self.by)

    def described(self) -> str:
        """Before and after, in one line."""
        before, after = (" ".join(t.split()) for t in (ast.unparse(self.nodes[0]), self.by))
        return f"{before[:60]}  ->  {after[:60]}"


def sample(package: Path, rooms: Sequence[str], count: int, seed: int) -> list[Change]:
    """`count` of all changes in `rooms`, each with its share; fewer if there are fewer.

    Modules that draw are left out: no test says how thick a line is.
    """
    every = [
        change
        for room in rooms
        for path in sorted((package / room).rglob("*.py"))
        if not _draws(path)
        for change in changes(path)
    ]
    # Every step-th of all in the order of rooms and files, from a place within the first step: the
    # rooms have their shares, give or take one.
    step = max(1.0, len(every) / count)
    begin = random.Random(seed).random() * step
    chosen = [every[int(begin + step * n)] for n in range(min(count, len(every)))]
    random.Random(seed).shuffle(chosen)
    return chosen


def _draws(path: Path) -> bool:
    names = imported(path.read_text(encoding="utf-8"))
    return any(name.partition(".")[0] == "matplotlib" for name in names)


def changes(path: Path) -> Iterator[Change]:
    """Every change that the rules make in the functions and classes of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    seen: set[int] = set()
    # From the inside out, so that a change is told by the innermost definition.
    for name, definition in reversed(list(definitions(tree))):
        for node in _code(definition):
            if id(node) not in seen:
                seen.add(id(node))
                for by in _others(node):
                    yield Change(path, name, (node,), by)


def _code(node: ast.AST) -> Iterator[Any]:
    """Nodes that compute something: no annotations, messages of errors, texts or decorators."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.Raise | ast.JoinedStr):
                yield child
                yield from _code(child)


def _others(node: Any) -> Iterator[str]:
    """What may stand in the place of a node."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in FLIPS:
        ops = [FLIPS[type(node.ops[0])](), *node.ops[1:]]
        yield ast.unparse(ast.Compare(node.left, ops, node.comparators))
    elif isinstance(node, ast.BinOp) and type(node.op) in FLIPS and not _of_text(node):
        yield ast.unparse(ast.BinOp(node.left, FLIPS[type(node.op)](), node.right))
    elif isinstance(node, ast.BoolOp):
        yield ast.unparse(ast.BoolOp(FLIPS[type(node.op)](), node.values))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield repr(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield repr(node.value + 1)
    elif isinstance(node, ast.IfExp):
        yield ast.unparse(ast.IfExp(node.test, node.orelse, node.body))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield ast.unparse(node.operand)
    elif isinstance(node, ast.If):
        negated = ast.UnaryOp(ast.Not(), node.test)
        yield ast.unparse(ast.If(negated, node.body, node.orelse))
    elif isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant | ast.Yield)
    ):
        yield "pass"


def _of_text(node: ast.BinOp) -> bool:
    sides = (node.left, node.right)
    return any(
        isinstance(side, ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        for side in sides
    )
