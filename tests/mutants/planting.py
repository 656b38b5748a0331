"""Planting a fault: a fragment of one definition is replaced by another.

A fault names a definition and a fragment of its code, never a file or a line, and the fragment is
compared as a syntax tree: a fault stays what it is when files move or code is laid out anew.
"""

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Assign
KEYS = ("definition", "replace", "by", "reason")


class DoesNotFit(Exception):
    """A fault has no place, or more than one."""


@dataclass(frozen=True)
class Fault:
    """One small change that a test should notice.

    Attributes:
        definition: qualified name of a function, method, class or constant within its module,
            such as `Setting.evaluate`.
        replace, by: an expression or statements, before and after.
        reason: the claim that would be wrong, in one line.
    """

    definition: str
    replace: str
    by: str
    reason: str


@dataclass(frozen=True)
class Planted:
    """A file with a fault in it: its path and its whole new text."""

    path: Path
    text: str
    nodes: list[Any]

    @property
    def line(self) -> int:
        """The first line of the place, from 1."""
        return int(self.nodes[0].lineno)


def read_faults(path: Path) -> list[Fault]:
    """The faults of a YAML list.

    Raises:
        DoesNotFit: an entry has other keys than a fault.
    """
    faults = []
    for number, entry in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), start=1):
        if sorted(entry) != sorted(KEYS):
            raise DoesNotFit(f"{path}: entry {number}: must have the keys {', '.join(KEYS)}")
        faults.append(Fault(**entry))
    return faults


def plant(fault: Fault, package: Path) -> Planted:
    """Find the one place of a fault in the modules below `package`.

    Raises:
        DoesNotFit: no definition of that name has the fragment, or it stands there repeatedly.
    """
    wanted = _fragment(fault.replace, whole=not _is_expression(fault.by))
    # Parsing takes long, so only files that could have the definition are parsed.
    name = re.escape(fault.definition.rpartition(".")[2])
    could = re.compile(rf"^(\s*(async def|def|class) {name}\b|{name} = )", re.MULTILINE)
    found = [
        (path, text, nodes)
        for path in sorted(package.rglob("*.py"))
        if could.search(text := path.read_text(encoding="utf-8"))
        for qualified, definition in definitions(ast.parse(text))
        if qualified == fault.definition
        for nodes in _places(definition, wanted)
    ]
    if len(found) != 1:
        raise DoesNotFit(f"{fault.definition}: {len(found)} places for: {fault.replace.strip()}")
    path, text, nodes = found[0]
    return Planted(path, replaced(text, nodes, fault.by), nodes)


def definitions(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Every class, function and constant of a module with its qualified name."""

    def below(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield f"{prefix}{child.name}", child
                yield from below(child, f"{prefix}{child.name}.")
            else:
                yield from below(child, prefix)

    yield from below(tree, "")
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node


def replaced(text: str, nodes: list[Any], by: str) -> str:
    """`text` with `by` in the place of `nodes`: one expression, or statements in a row."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    first, last = nodes[0], nodes[-1]
    begin = starts[first.lineno - 1] + first.col_offset
    end = starts[last.end_lineno - 1] + last.end_col_offset
    if isinstance(first, ast.stmt):
        decorators = getattr(first, "decorator_list", [])
        if decorators:
            begin = starts[decorators[0].lineno - 1] + first.col_offset
        new = textwrap.indent(textwrap.dedent(by).strip(), " " * first.col_offset).lstrip()
    else:
        new = f"({by.strip()})"
    whole = text.encode()
    result = (whole[:begin] + new.encode() + whole[end:]).decode()
    ast.parse(result)
    return result


def _is_expression(code: str) -> bool:
    try:
        ast.parse(textwrap.dedent(code).strip(), mode="eval")
    except SyntaxError:
        return False
    return True


def _fragment(code: str, whole: bool) -> list[ast.AST]:
    """The trees of a fragment; `whole` makes a statement of an expression."""
    code = textwrap.dedent(code).strip()
    if _is_expression(code) and not whole:
        return [ast.parse(code, mode="eval").body]
    return list(ast.parse(code).body)


def _places(definition: ast.AST, wanted: list[ast.AST]) -> Iterator[list[Any]]:
    """Where the fragment stands in a definition; statements must follow one another."""
    dumps = [ast.dump(node) for node in wanted]
    for node in ast.walk(definition):
        if isinstance(wanted[0], ast.expr):
            if isinstance(node, ast.expr) and ast.dump(node) == dumps[0]:
                yield [node]
            continue
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                for start in range(len(body) - len(dumps) + 1):
                    part = body[start : start + len(dumps)]
                    if [ast.dump(one) for one in part] == dumps:
                        yield part
