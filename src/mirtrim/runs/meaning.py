"""A digest of what code means: it changes when the code computes something else, and not before.

The unit is a definition at the top level of a module: a function, a class, an assigned name. A
digest covers the definitions that its roots need, directly or through others, wherever they stand.
Of each it sees the syntax tree without docstrings, comments, annotations and formatting, without
the text of errors, and without what is only documentation (`help=`, `"description":`).

What it cannot see:

* a choice at run time that no name in the code shows, such as a table that decorators fill or a
  module that is imported by a computed name: callers name these as roots;
* a statement of a module that binds no name, such as a call that switches something on globally;
* the modules in `RECORDING`, which write down what was found and do not change it, and constants
  whose name begins with HEARING;
* anything outside the package: libraries, the interpreter, environment variables, the processor.
"""

import ast
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mirtrim.runs.syntax import Module, Plain, local_names, written

# Modules that are not followed. They name, report, check or store results; if a change in them #
# corrupts a number, the tests of reading and writing fail.
RECORDING = (
    "mirtrim.utils.errors",
    "mirtrim.utils.files",
    "mirtrim.utils.provenance",
    "mirtrim.utils.tensors",
    "mirtrim.training.resume",
    "mirtrim.analysis",
    "mirtrim.runs.cost_rows",
    "mirtrim.runs.labels",
    "mirtrim.runs.rows",
    "mirtrim.runs.tables",
    "mirtrim.runs.tables_on_disk",
    "mirtrim.runs.jobs.finished",
    "mirtrim.units.storage",
    "mirtrim.corpora.progress",
    "mirtrim.tasks.hearing",
)
# Tables that list all methods, tasks, criteria and readers. A job depends on the entry that it
# uses, which is a root, and not on the others.
TABLES = (
    "mirtrim.pruning.methods.interface.METHODS",
    "mirtrim.pruning.criteria.scoring.UNIT_CRITERIA",
    "mirtrim.pruning.criteria.scoring.WEIGHT_CRITERIA",
    "mirtrim.tasks.registry.TASKS",
    "mirtrim.corpora.loaders.READERS",
)
# How to listen with a task's networks; no training depends on it.
DESCRIBING = "HEARING"
# Rounds of mixing the digests of what a definition uses into its own, so that users of two #
# definitions with the same name but different content get different digests.
ROUNDS = 3


@dataclass
class Definition:
    """What one top-level name stands for.

    Attributes:
        name: its own name, without the module.
        text: its normalised syntax, names of other definitions of the package written plainly.
        uses: full names of the definitions that it mentions, in order of appearance.
    """

    name: str
    text: str
    uses: tuple[str, ...]


@dataclass
class Package:
    """The sources of one package, read as text and never imported.

    Attributes:
        home: the folder of the package; its name is the package's.
        recording: full names of modules, or packages, that are not followed.
        tables: full names of definitions that are not followed.
    """

    home: Path
    recording: Sequence[str] = RECORDING
    tables: Sequence[str] = TABLES
    _modules: dict[str, "Module | None"] = field(default_factory=dict)

    def digest(self, *roots: str) -> str:
        """SHA-256 of what `roots` mean.

        Args:
            roots: full names, "mirtrim.module.name" for one definition, "mirtrim.module" for all
                of a module, "mirtrim.room.*" for all modules of a package.

        Raises:
            ModuleNotFoundError: a root is not in the package.
        """
        needed = self.needed(*roots)
        parts = sorted(self._mixed[name] for name in needed)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def needed(self, *roots: str) -> set[str]:
        """Full names of all definitions that `roots` depend on, themselves included."""
        waiting = [name for root in roots for name in self._named(root)]
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._definitions[name].uses
        return found

    def _named(self, root: str) -> list[str]:
        room = root.removesuffix(".*")
        if room != root:
            modules = [name for name in self._all_modules if name == room or _within(name, [room])]
            if not modules:
                raise ModuleNotFoundError(f"{root} is not a package of {self.home.name}")
            return [found for name in modules for found in self._named(name)]
        module = self._module(root)
        if module is not None:
            return [f"{root}.{name}" for name in module.bodies if not self._ignored(root, name)]
        place = self._resolve(root)
        if place is None:
            raise ModuleNotFoundError(f"{root} is not in the package {self.home.name}")
        return [place]

    @cached_property
    def _all_modules(self) -> list[str]:
        return sorted(
            ".".join([self.home.name, *path.relative_to(self.home).with_suffix("").parts])
            .removesuffix(".__init__")
            for path in self.home.rglob("*.py")
        )  # fmt: skip

    def _module(self, name: str) -> "Module | None":
        if name not in self._modules:
            base = self.home.parent.joinpath(*name.split("."))
            paths = [p for p in (base / "__init__.py", base.with_suffix(".py")) if p.is_file()]
            self._modules[name] = Module.read(name, paths[0]) if paths else None
        return self._modules[name]

    def _resolve(self, full_name: str) -> str | None:
        """Where a name is really defined: `a.b.C` → its defining module's `x.y.C`; None if the
        package has no such definition or must not be followed there."""
        seen: set[str] = set()
        while full_name not in seen:
            seen.add(full_name)
            module_name, _, name = full_name.rpartition(".")
            module = self._module(module_name) if module_name else None
            if module is None:
                return None
            if name in module.bodies:
                return None if self._ignored(module_name, name) else full_name
            if name not in module.imports:
                return None
            full_name = module.imports[name]
        return None

    def _ignored(self, module: str, name: str) -> bool:
        return (
            module in self.recording
            or _within(module, self.recording)
            or f"{module}.{name}" in self.tables
            or name.startswith(DESCRIBING)
        )

    @cached_property
    def _definitions(self) -> dict[str, Definition]:
        found = {}
        for module_name in self._all_modules:
            module = self._module(module_name)
            assert module is not None
            for name, nodes in module.bodies.items():
                if not self._ignored(module_name, name):
                    found[f"{module_name}.{name}"] = self._define(module, name, nodes)
        return found

    def _define(self, module: "Module", name: str, nodes: list[ast.stmt]) -> Definition:
        names = _Names(self, module)
        clean = [Plain().visit(ast.parse(ast.unparse(node)).body[0]) for node in nodes]
        texts = [written(names.visit(node)) for node in clean if node is not None]
        uses = tuple(dict.fromkeys(use for use in names.uses if use != f"{module.name}.{name}"))
        return Definition(name, "\n".join(texts), uses)

    @cached_property
    def _mixed(self) -> dict[str, str]:
        """Full name → digest of the definition and of what it uses, some steps deep."""
        own = {
            full: hashlib.sha256(f"{d.name}\0{d.text}".encode()).hexdigest()
            for full, d in self._definitions.items()
        }
        for _ in range(ROUNDS):
            own = {
                full: hashlib.sha256(
                    "\n".join([own[full], *(own[use] for use in d.uses)]).encode()
                ).hexdigest()
                for full, d in self._definitions.items()
            }
        return own


def _within(module: str, packages: Iterable[str]) -> bool:
    return any(module.startswith(f"{package}.") for package in packages)


class _Names(ast.NodeTransformer):
    """Replaces every global name by its full name, and collects those of the package."""

    def __init__(self, package: Package, module: Module) -> None:
        self.package, self.module = package, module
        self.uses: list[str] = []
        self._local: list[set[str]] = []
        self._classes = 0

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for outer in (node.bases, node.keywords, node.decorator_list):
            outer[:] = [self.visit(part) for part in outer]
        self._classes += 1
        node.body = [self.visit(part) for part in node.body]
        self._classes -= 1
        return node

    def visit_Name(self, node: ast.Name | ast.Attribute) -> ast.AST:
        if self._classes and isinstance(node.ctx, ast.Store) and isinstance(node, ast.Name):
            return node  # an attribute of the class, whatever the module has of that name
        meaning = self._meaning(node)
        return self.generic_visit(node) if meaning is None else ast.Name(meaning, node.ctx)

    visit_Attribute = visit_Name  # noqa: N815 - of ast

    def _meaning(self, node: ast.Name | ast.Attribute) -> str | None:
        """How a global name or a chain a.b.c that starts with one is written; None to look into
        it."""
        parts: list[str] = []
        inner: ast.expr = node
        while isinstance(inner, ast.Attribute):
            parts.insert(0, inner.attr)
            inner = inner.value
        if not isinstance(inner, ast.Name) or any(inner.id in names for names in self._local):
            return None
        first = inner.id
        if first in self.module.bodies:
            base = f"{self.module.name}.{first}"
        elif first in self.module.imports:
            base = self.module.imports[first]
        else:
            return None
        # The longest part of the chain that is a definition; the rest are its attributes.
        for length in range(len(parts), -1, -1):
            found = self.package._resolve(".".join([base, *parts[:length]]))
            if found is not None:
                self.uses.append(found)
                return ".".join([found.rpartition(".")[2], *parts[length:]])
        if base.partition(".")[0] != self.package.home.name:
            return ".".join([base, *parts])  # of a library: np.mean and numpy.mean are the same
        # Not followed, or a module as a value: by its last name, wherever it stands.
        whole = self.package._module(base)
        if whole is not None and not parts:
            self.uses += self.package._named(base)
        return ".".join([base.rpartition(".")[2], *parts])

    def _scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> ast.AST:
        """Decorators and defaults belong to the outer scope, the body to its own."""
        decorators = getattr(node, "decorator_list", [])
        decorators[:] = [self.visit(decorator) for decorator in decorators]
        arguments = node.args
        arguments.defaults = [self.visit(value) for value in arguments.defaults]
        arguments.kw_defaults = [value and self.visit(value) for value in arguments.kw_defaults]
        self._local.append(local_names(node))
        if isinstance(node, ast.Lambda):
            node.body = self.visit(node.body)
        else:
            node.body = [self.visit(part) for part in node.body]
        self._local.pop()
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _scope  # noqa: N815 - of ast

    def _comprehension(self, node: ast.AST) -> ast.AST:
        self._local.append(
            {
                part.id
                for part in ast.walk(node)
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            }
        )
        node = self.generic_visit(node)
        self._local.pop()
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = (  # noqa: N815 - of ast
        _comprehension
    )
