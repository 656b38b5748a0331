"""Python read as text: what a module binds, and its syntax without what means nothing."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCUMENTATION = frozenset({"help", "description"})
# Annotations that change what a dataclass makes of a name.
SPECIAL_FIELDS = ("ClassVar", "InitVar", "KW_ONLY")


@dataclass
class Module:
    """The top level of a module.

    Attributes:
        bodies: name → the statements that bind or change it.
        imports: name → full name of what it stands for, inside or outside the package.
    """

    name: str
    bodies: dict[str, list[ast.stmt]]
    imports: dict[str, str]

    @staticmethod
    def read(name: str, path: Path) -> "Module":
        tree = ast.parse(path.read_bytes(), filename=str(path))
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        module = Module(name, {}, dict(_imports(tree, package)))
        for node in tree.body:
            for bound in _bound(node):
                module.bodies.setdefault(bound, []).append(node)
        return module


def _imports(tree: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """(name, full name) of every import anywhere in the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    yield alias.asname, alias.name
                else:
                    first = alias.name.partition(".")[0]
                    yield first, first
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                parts = package.split(".")
                origin = ".".join([*parts[: len(parts) - node.level + 1], *filter(None, [origin])])
            for alias in node.names:
                yield alias.asname or alias.name, f"{origin}.{alias.name}"


def _bound(node: ast.stmt) -> list[str]:
    """Names that a statement of the top level binds, or whose value it changes."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return []
    if isinstance(node, ast.Expr):  # TABLE.update(…), but no docstring
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            return [owner] if (owner := _owner(call.func)) else []
        return []
    if isinstance(node, ast.If) and _mentions(node.test, "TYPE_CHECKING"):
        return []
    found: list[str] = []
    for part in ast.walk(node):
        if isinstance(part, ast.FunctionDef | ast.ClassDef):
            found.append(part.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store | ast.Del):
            found.append(part.id)
        elif isinstance(part, ast.Attribute | ast.Subscript) and isinstance(part.ctx, ast.Store):
            found.append(_owner(part) or "")
    return [name for name in dict.fromkeys(found) if name not in ("", "__all__")]


def _owner(node: ast.expr) -> str | None:
    """`TABLE` of TABLE["x"], TABLE.update or TABLE.a.b; None where it is no plain name."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _mentions(node: ast.expr, name: str) -> bool:
    return any(
        (isinstance(part, ast.Name) and part.id == name)
        or (isinstance(part, ast.Attribute) and part.attr == name)
        for part in ast.walk(node)
    )


class Plain(ast.NodeTransformer):
    """Takes away what means nothing: docstrings, annotations, text of errors, documentation."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        value = node.value
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return None
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        return self._with_body(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - of ast

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._with_body(node)

    def _with_body(self, node: ast.AST) -> ast.AST:
        node = self.generic_visit(node)
        node.body = [part for part in node.body if not isinstance(part, ast.Pass)]  # type: ignore[attr-defined]
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        special = [name for name in SPECIAL_FIELDS if _mentions(node.annotation, name)]
        kept = ast.Constant(special[0] if special else "")
        if node.value is None and not isinstance(node.target, ast.Name):
            return None
        # The order and names of the fields of a dataclass mean something, their types do not.
        value = self.visit(node.value) if node.value is not None else ast.Constant(...)
        if special:
            value = ast.Tuple([kept, value], ast.Load())
        return ast.Assign([node.target], value, lineno=0)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        node.cause = None
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        node.keywords = [word for word in node.keywords if word.arg not in DOCUMENTATION]
        return self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        pairs = [
            (key, value)
            for key, value in zip(node.keys, node.values, strict=True)
            if not (isinstance(key, ast.Constant) and key.value in DOCUMENTATION)
        ]
        node.keys, node.values = [key for key, _ in pairs], [value for _, value in pairs]
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if _mentions(node.test, "TYPE_CHECKING") else self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        return None

    visit_ImportFrom = visit_Import  # noqa: N815 - of ast


def local_names(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> set[str]:
    """Names that a function binds itself: arguments, assignments, inner functions."""
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [part for part in (arguments.vararg, arguments.kwarg) if part]
    names = {argument.arg for argument in every}
    if isinstance(node, ast.Lambda):
        return names
    outer: set[str] = set()
    for part in ast.walk(node):
        if part is node:
            continue
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            names.add(part.id)
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(part.name)
        elif isinstance(part, ast.Global | ast.Nonlocal):
            outer |= set(part.names)
        elif isinstance(part, ast.ExceptHandler) and part.name:
            names.add(part.name)
    return names - outer


def written(node: object) -> str:
    """A tree as text, the same under every Python: what 3.11 calls `ast.dump`.

    Later ones leave out empty lists and have a field for parameters of types, and what is written
    here is in the digests of rows.
    """
    if isinstance(node, list):
        return f"[{', '.join(map(written, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = []
    for name in node._fields:
        value = getattr(node, name, None)
        missing = value is None and getattr(type(node), name, ...) is None
        if hasattr(node, name) and not missing and not (name == "type_params" and not value):
            fields.append(f"{name}={written(value)}")
    return f"{type(node).__name__}({', '.join(fields)})"
