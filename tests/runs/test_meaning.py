"""The digest of meaning: what changes it, and what does not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mirtrim.runs.meaning import Package

SOURCES = {
    "tool/__init__.py": "",
    "tool/maths.py": '''
"""Numbers."""

import numpy as np

FACTOR = 2.0
TABLE = {"one": 1}
TABLE["two"] = 2


def double(x: float) -> float:
    """Twice x."""
    # By the factor.
    return FACTOR * np.abs(x)


def looked_up(name):
    return TABLE[name]


def unused():
    return 1
''',
    "tool/work.py": '''
from dataclasses import dataclass

from tool import maths
from tool.maths import double


@dataclass
class Job:
    """A job."""

    name: str
    size: int = 3

    def run(self) -> float:
        if self.size < 0:
            raise ValueError(f"{self.name} is too small")
        return double(self.size) + maths.looked_up("one")


def start(size: int) -> float:
    """Do it."""
    return Job("first", size=size).run()
''',
    "tool/records.py": "def write(value):\n    return str(value)\n",
    "tool/plugins/__init__.py": "KNOWN = {}\n",
    "tool/plugins/first.py": "from tool.plugins import KNOWN\n\ndef first():\n    return 1\n",
}
Change = tuple[str, str, str]


def digest(folder: Path, *roots: str, changes: tuple[Change, ...] = (), **words: object) -> str:
    """The digest of a package made of SOURCES, in which each (file, old, new) is replaced."""
    for name, text in SOURCES.items():
        for path, old, new in changes:
            if path == name:
                assert old in text
                text = text.replace(old, new)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for path, old, new in changes:
        if path not in SOURCES:
            assert not old
            (folder / path).write_text(new)
    return Package(folder / "tool", recording=("tool.records",), tables=(), **words).digest(*roots)


@pytest.fixture
def same(tmp_path: Path) -> Callable[..., bool]:
    """Whether the digest of `tool.work.start` stays the same under changes."""

    def check(*changes: Change, root: str = "tool.work.start") -> bool:
        return digest(tmp_path / "a", root) == digest(tmp_path / "b", root, changes=changes)

    return check


@pytest.mark.parametrize(
    "change",
    [
        ("tool/work.py", '"""Do it."""', '"""Do it at once, and well."""'),
        ("tool/work.py", '    """A job."""\n', ""),
        ("tool/maths.py", "    # By the factor.\n", ""),
        ("tool/maths.py", "    # By the factor.\n", "    # Since 1900.\n\n\n"),
        ("tool/maths.py", "(x: float) -> float", "(x)"),
        ("tool/work.py", "size: int = 3", "size: 'float' = 3"),
        ("tool/maths.py", "FACTOR * np.abs(x)", "(\n        FACTOR\n        * np.abs(x)\n    )"),
        ("tool/maths.py", "import numpy as np", "import numpy as np\nimport json"),
        ("tool/maths.py", "return 1", "return 2"),  # nobody uses it
        ("tool/work.py", "is too small", "must not be below 0"),
        ("tool/records.py", "str(value)", "repr(value)"),
        (
            "tool/work.py",
            "from tool.maths import double",
            "from tool.maths import double as double",
        ),
    ],
)
def test_what_means_nothing_changes_nothing(same: Callable[..., bool], change: Change) -> None:
    assert same(change)


@pytest.mark.parametrize(
    "change",
    [
        ("tool/maths.py", "FACTOR = 2.0", "FACTOR = 2.5"),
        ("tool/maths.py", "FACTOR * np.abs(x)", "np.abs(x) * FACTOR"),
        ("tool/maths.py", '"one": 1', '"one": 2'),
        ("tool/maths.py", 'TABLE["two"] = 2', 'TABLE["two"] = 3'),
        ("tool/work.py", "size: int = 3", "size: int = 4"),
        ("tool/work.py", "    name: str\n    size: int = 3", "    size: int\n    name: str = 3"),
        ("tool/work.py", "self.size < 0", "self.size <= 0"),
        ("tool/work.py", "raise ValueError(", "raise TypeError("),
        ("tool/work.py", "@dataclass\n", "@dataclass(order=True)\n"),
        ("tool/work.py", 'looked_up("one")', 'looked_up("two")'),
        ("tool/work.py", "size: int = 3", "size: ClassVar[int] = 3"),
        ("tool/maths.py", "import numpy as np", "import torch as np"),
    ],
)
def test_what_means_something_changes_it(same: Callable[..., bool], change: Change) -> None:
    assert not same(change)


def test_the_same_sources_have_the_same_digest_for_ever(tmp_path: Path) -> None:
    """Rows carry such digests. If they were computed differently, all of them would be stale."""
    for root, expected in (
        ("tool.work.start", "63f2fad47ea44276fa007f8665be328df8573bac92c6868c7eaef15c15939c02"),
        ("tool.plugins.*", "8a3b90111cb6b072ef054c8c6f3c758609ded4b20ec64d38cd4f40e30000659a"),
        ("tool.maths", "34c6873138c9e4a5b93cce60174abeda5dc0ee28066b27dcf1f60e3182f69b91"),
    ):
        assert digest(tmp_path / root[-5:], root) == expected


def test_a_field_of_one_special_type_is_not_one_of_another(tmp_path: Path) -> None:
    """`ClassVar` is no field of a dataclass, `InitVar` an argument that is not kept."""
    found = {
        digest(
            tmp_path / kind,
            "tool.work.start",
            changes=(("tool/work.py", "size: int = 3", f"size: {kind}[int] = 3"),),
        )
        for kind in ("ClassVar", "InitVar", "list")
    }
    assert len(found) == 3


def test_a_definition_may_move(same: Callable[..., bool]) -> None:
    text = SOURCES["tool/maths.py"]
    begin, end = text.index("def double"), text.index("def looked_up")
    moved = "import numpy\n\nfrom tool.maths import FACTOR\n\n\n" + text[begin:end].replace(
        "np.abs", "numpy.abs"
    )
    assert same(
        ("tool/maths.py", text[begin:end], ""),
        ("tool/elsewhere.py", "", moved),
        ("tool/work.py", "from tool.maths import double", "from tool.elsewhere import double"),
    )


def test_another_definition_of_the_same_name_is_another(same: Callable[..., bool]) -> None:
    """`run` takes `double` from a module where it is something else; all else is the same."""
    assert not same(
        ("tool/other.py", "", "def double(x):\n    return 3 * x\n"),
        ("tool/work.py", "from tool.maths import double", "from tool.other import double"),
    )


def test_a_local_name_is_not_the_global_one(same: Callable[..., bool]) -> None:
    """`size` becomes the name of a function of the module; `start` has an argument of that name."""
    assert same(("tool/work.py", "def start", "def size():\n    return 7\n\n\ndef start"))


@pytest.mark.parametrize(
    ("words", "chain"),
    [
        ("", "Job.size"),
        ("from tool import work\n\n", "work.Job.size"),
        ("import tool.work\n\n", "tool.work.Job.size.real"),
    ],
)
def test_an_attribute_brings_in_the_definition_that_has_it(
    tmp_path: Path, words: str, chain: str
) -> None:
    """However long the chain, and whatever the module is called on the way."""
    where = "tool/users.py" if words else "tool/work.py"
    text = f"{words}def largest():\n    return {chain}\n"
    begin = "" if words else "def start"
    new = (where, begin, text + (f"\n\n{begin}" if begin else ""))
    plain, other = (
        digest(tmp_path / name, f"{where[:-3].replace('/', '.')}.largest", changes=changes)
        for name, changes in (
            ("a", (new,)),
            ("b", (new, ("tool/work.py", "size: int = 3", "size: int = 4"))),
        )
    )
    assert plain != other


@pytest.mark.parametrize("before", ["", "    class Local:\n        size = 1\n\n"])
def test_a_global_that_a_function_sets_is_a_part_of_it(tmp_path: Path, before: str) -> None:
    """Behind a class of its own as well, whose attributes are none of the module."""
    found = []
    for value in (1, 2):
        text = f"LEVEL = {value}\n\n\ndef louder():\n{before}    global LEVEL\n    LEVEL = 3\n"
        change = ("tool/levels.py", "", text)
        found.append(digest(tmp_path / f"{value}", "tool.levels.louder", changes=(change,)))
    assert found[0] != found[1]


def test_an_attribute_of_a_class_is_not_the_global_of_its_name(tmp_path: Path) -> None:
    """Nor is it behind a class within the class."""
    within = "    class Inner:\n        depth = 0\n\n"
    for name, before in (("plain", ""), ("nested", within)):
        found = []
        for value in (1, 2):
            text = f"LEVEL = {value}\n\n\nclass Loud:\n{before}    LEVEL = 3\n"
            change = ("tool/levels.py", "", text)
            folder = tmp_path / f"{name}{value}"
            found.append(digest(folder, "tool.levels.Loud", changes=(change,)))
        assert found[0] == found[1]


def test_a_new_file_in_a_room_changes_the_digest_of_the_room_alone(tmp_path: Path) -> None:
    new = ("tool/plugins/second.py", "", "def second():\n    return 2\n")
    for root, equal in (("tool.plugins.*", False), ("tool.plugins.first", True)):
        first, second = tmp_path / f"a{equal}", tmp_path / f"b{equal}"
        assert (digest(first, root) == digest(second, root, changes=(new,))) is equal


def test_two_that_call_each_other_have_an_end(tmp_path: Path) -> None:
    even = (
        "def even(n):\n    return n == 0 or odd(n - 1)\n\ndef odd(n):\n    return n and even(n - 1)"
    )
    odd = even.replace("n and", "n != 1 and")
    found = [
        digest(tmp_path / str(number), "tool.parity.even", changes=(("tool/parity.py", "", text),))
        for number, text in enumerate((even, even, odd))
    ]
    assert found[0] == found[1] != found[2]


def test_tables_are_not_followed(tmp_path: Path) -> None:
    def of_table(name: str, text: str) -> str:
        home = tmp_path / name / "tool"
        home.mkdir(parents=True)
        (home / "__init__.py").write_text("")
        (home / "table.py").write_text(text)
        return Package(home, recording=(), tables=("tool.table.ALL",)).digest("tool.table.get")

    get = "def get(name):\n    return ALL[name]\n\n\n"
    one = of_table("one", f"ALL = {{}}\n\n\n{get}")
    assert one == of_table("two", f"ALL = {{'new': 1}}\n\n\n{get}")


def test_an_unknown_root_is_named(tmp_path: Path) -> None:
    for root in ("tool.nowhere", "tool.work.nothing", "tool.nowhere.*"):
        with pytest.raises(ModuleNotFoundError, match="nowhere|nothing"):
            digest(tmp_path, root)


def of_text(folder: Path, text: str, root: str = "tool.own.f") -> str:
    """The digest of a definition of the module `tool.own`, which has that text."""
    return digest(folder, root, changes=(("tool/own.py", "", text),))


def told_apart(folder: Path, text: str) -> bool:
    """Whether the digest of `f` is another one if # stands for 5 or for 7."""
    found = {of_text(folder / value, text.replace("#", value)) for value in "57"}
    return len(found) == 2


@pytest.mark.parametrize(
    "text",
    [
        # What the top level binds, or changes afterwards.
        "A, B = 1, #\ndef f(): return B",
        "A = 1\nA += #\ndef f(): return A",
        "A = {'x': {}}\nA['x']['y'] = #\ndef f(): return A",
        "class A: pass\nA.level = #\ndef f(): return A()",
        "class A: x = {}\nA.x['y'].z = #\ndef f(): return A()",
        "A = []\nA.append(#)\ndef f(): return A",
        "A = {'x': []}\nA['x'].append(#)\ndef f(): return A",
        "A = {}\nfor n in range(#):\n    A[n] = n\ndef f(): return A",
        "try:\n    A = #\nexcept ValueError:\n    A = 0\ndef f(): return A",
        "if True:\n    def g(): return #\ndef f(): return g()",
        "if True:\n    class A: x = #\ndef f(): return A()",
        "A: int = #\ndef f(): return A",
        # What a definition mentions, wherever it stands.
        "A = #\ndef f(): return [A * y for y in (1, 2)]",
        "A = #\ndef f(): return {A * y for y in (1, 2)}",
        "A = #\ndef f(): return {y: A for y in (1, 2)}",
        "A = #\ndef f(): return sum(A * y for y in (1, 2))",
        "A = #\nf = lambda x: A * x",
        "A = #\ndef f(x=A): return x",
        "A = #\ndef f(*, y=None, x=A): return x",
        "A = #\nf = lambda x=A: x",
        "def a(g): return #\n@a\ndef f(): return 1",
        "class A: x = #\nclass f(A): pass",
        "class A(type): x = #\nclass f(metaclass=A): pass",
        "def a(g): return #\n@a\nclass f: pass",
        "A = #\nclass f:\n    def run(self): return A",
        "A = #\nclass f:\n    x = A",
        "A = #\ndef f():\n    def g(): return A\n    return g()",
        "A = #\nasync def f(): return A",
        "async def g(): return #\nasync def f(): return await g()",
        "A = #\ndef f():\n    global A\n    A += 1",
        "A = #\ndef f(x): return A if x else (lambda A: A)(x)",
        "def f(x): raise ValueError if x == # else KeyError",
        "def f(x): return g(x, label='#')",
        "def f(x): return {'label': '#'}",
    ],
)
def test_what_a_definition_rests_on(tmp_path: Path, text: str) -> None:
    assert told_apart(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        # A name of its own is not the global one, which is called alike.
        "A = #\ndef f(A): return A",
        "A = #\ndef f(A, /): return A",
        "A = #\ndef f(*, A): return A",
        "A = #\ndef f(*A): return A",
        "A = #\ndef f(**A): return A",
        "A = #\ndef f():\n    A = 1\n    return A",
        "A = #\ndef f():\n    for A in (1, 2): pass\n    return A",
        "A = #\ndef f():\n    with g() as A: return A",
        "A = #\ndef f():\n    try: pass\n    except ValueError as A: return A",
        "A = #\ndef f():\n    def A(): return 1\n    return A()",
        "A = #\ndef f():\n    async def A(): return 1\n    return A()",
        "A = #\ndef f():\n    class A: pass\n    return A()",
        "A = #\ndef f(): return [A for A in (1, 2)]",
        "A = #\ndef f(): return {A for A in (1, 2)}",
        "A = #\ndef f(): return {A: A for A in (1, 2)}",
        "A = #\ndef f(): return sum(A for A in (1, 2))",
        "A = #\nf = lambda A: A",
        "A = #\nf = lambda *A: A",
        "A = #\nasync def f(A): return A",
        "A = #\ndef f():\n    A = 1\n    def g(): return A\n    return g()",
        # What means nothing.
        "if TYPE_CHECKING:\n    A = #\ndef f(): return A",
        "import typing\nif typing.TYPE_CHECKING:\n    A = #\ndef f(): return A",
        "def f():\n    if TYPE_CHECKING:\n        x = #\n    return 1",
        "__all__ = ['#']\ndef f(): return __all__",
        "def f(x: '#') -> '#': return x",
        "async def f(x: '#') -> '#': return x",
        "async def f():\n    '''#'''\n    return 1",
        "class f:\n    '''#'''",
        "def f():\n    x: '#'\n    return 1",
        "def f(x):\n    x.y: '#'\n    return 1",
        "def f(x): return g(x, help='#', description='#')",
        "def f(x): return {'help': '#', 'description': '#', 'x': x}",
        "def f(x): raise ValueError('#')",
        "def f(x): raise ValueError from KeyError('#')",
        "HEARING = #\ndef f(): return HEARING",
        "print(#)\ndef f(): return 1",
    ],
)
def test_what_a_definition_does_not_rest_on(tmp_path: Path, text: str) -> None:
    assert not told_apart(tmp_path, text)


@pytest.mark.parametrize(
    "words",
    [
        "from .levels import A",
        "from . import levels\nA = levels.A",
        "from tool.levels import A as B\nA = B",
        "import tool.levels\nA = tool.levels.A",
        "import tool.levels as other\nA = other.A",
        "from tool import levels as other\nA = other.A",
        "from .deep.below import A",
        "def f():\n    from tool.levels import A\n    return A",
    ],
)
def test_imports_are_followed_however_they_are_written(tmp_path: Path, words: str) -> None:
    text = words if "def f" in words else f"{words}\n\n\ndef f(): return A"
    found = []
    for value in ("1", "2"):
        home = tmp_path / value
        (home / "tool" / "deep").mkdir(parents=True)
        (home / "tool" / "levels.py").write_text(f"A = {value}\n")
        (home / "tool" / "deep" / "__init__.py").write_text("from ..levels import A\n")
        (home / "tool" / "deep" / "below.py").write_text("from . import A\n")
        found.append(of_text(home, text))
    assert found[0] != found[1]
