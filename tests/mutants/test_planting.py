"""Faults are planted where they say, every fault of the list has a place, and a run counts."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.__main__ import PACKAGE, Mutant, Record, equivalent, outcome_of, table
from tests.mutants.choosing import nearness, room_of
from tests.mutants.generating import changes, sample
from tests.mutants.planting import DoesNotFit, Fault, plant, read_faults
from tests.mutants.reaching import MeasuredTest, about_change, lines_of, read_tests
from tests.mutants.running import Copy, Outcome

FAULTS = read_faults(Path(__file__).with_name("planted.yaml"))
CODE = '''"""A module."""

LIMIT = 3


class House:
    """A house."""

    def height(self, floors: int) -> int:
        """In metres."""
        if floors > LIMIT:
            raise ValueError(f"{floors + 1} are too many")
        height = (
            3 * floors
            + 1
        )
        print("built")
        return height


def height(floors: int) -> int:
    return 3 * floors + 1
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "src" / "town" / "houses"
    folder.mkdir(parents=True)
    (folder / "house.py").write_text(CODE)
    return folder.parent


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.definition}: {f.reason}")
def test_every_fault_of_the_list_has_one_place(fault: Fault) -> None:
    found = plant(fault, PACKAGE)
    before = found.path.read_text(encoding="utf-8")
    assert ast.dump(ast.parse(found.text)) != ast.dump(ast.parse(before))


def test_no_fault_is_listed_twice() -> None:
    counts = Counter((fault.definition, fault.replace, fault.by) for fault in FAULTS)
    assert max(counts.values()) == 1


def test_a_fragment_is_found_however_it_is_laid_out(package: Path) -> None:
    found = plant(Fault("House.height", "3*floors+1", "4 * floors", "x"), package)
    assert found.path == package / "houses" / "house.py"
    assert found.line == 14
    assert "        height = (\n            (4 * floors)\n        )\n" in found.text
    assert found.text.endswith("return 3 * floors + 1\n")


def test_statements_are_replaced_by_statements(package: Path) -> None:
    fault = Fault("House.height", 'print("built")\nreturn height', "pass\nreturn -height", "x")
    assert plant(fault, package).text == CODE.replace(
        '        print("built")\n        return height\n', "        pass\n        return -height\n"
    )
    assert "LIMIT = (4)" in plant(Fault("LIMIT", "3", "4", "x"), package).text


@pytest.mark.parametrize(
    ("definition", "fragment", "places"),
    [("House.height", "4 * floors", 0), ("House.width", "3 * floors + 1", 0), ("House", "3", 1)],
)
def test_what_does_not_fit_is_named(
    package: Path, definition: str, fragment: str, places: int
) -> None:
    fault = Fault(definition, fragment, "0", "x")
    if places:
        assert plant(fault, package).line == 14
        return
    with pytest.raises(DoesNotFit, match=rf"{definition}: 0 places for: "):
        plant(fault, package)


def test_a_fragment_that_stands_twice_does_not_fit(package: Path) -> None:
    (package / "other.py").write_text(CODE)
    with pytest.raises(DoesNotFit, match="height: 2 places for: 3 "):
        plant(Fault("height", "3 * floors + 1", "0", "x"), package)


def test_an_entry_with_another_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- {definition: a, replace: b, by: c, why: d}\n")
    with pytest.raises(DoesNotFit, match="entry 1: must have the keys definition, replace, by"):
        read_faults(path)


def test_changes_are_made_by_rule_and_leave_texts_alone(package: Path) -> None:
    made = [
        (c.definition, c.described())
        for c in changes(package / "houses" / "house.py")
        if c.definition != "height"
    ]
    assert set(made) == {
        ("House.height", "floors > LIMIT  ->  floors >= LIMIT"),
        (
            "House.height",
            "if floors > LIMIT: raise ValueError(f'{floors + 1} are too m  ->  "
            "if not floors > LIMIT: raise ValueError(f'{floors + 1} are t",
        ),
        ("House.height", "3 * floors + 1  ->  3 * floors - 1"),
        ("House.height", "3 * floors  ->  3 / floors"),
        ("House.height", "3  ->  4"),
        ("House.height", "1  ->  2"),
        ("House.height", "print('built')  ->  pass"),
        ("LIMIT", "3  ->  4"),
    }
    for change in changes(package / "houses" / "house.py"):
        assert change.text() != CODE


def test_a_sample_is_seeded(package: Path) -> None:
    first, again, other = (
        [c.described() for c in sample(package, ["houses"], 5, seed)] for seed in (1, 1, 2)
    )
    assert first == again != other
    assert len(first) == 5
    assert sample(package, ["gardens"], 5, 1) == []
    (package / "houses" / "house.py").write_text(f"import matplotlib.pyplot as plt\n{CODE}")
    assert sample(package, ["houses"], 5, 1) == []


def test_a_sample_takes_of_every_room_its_share(package: Path) -> None:
    for room, files in (("houses", 3), ("gardens", 1)):
        (package / room).mkdir(exist_ok=True)
        for number in range(files):
            (package / room / f"file{number}.py").write_text(CODE)
    (package / "houses" / "house.py").unlink()
    chosen = sample(package, ["houses", "gardens"], 12, 3)
    assert Counter(room_of(c.path, package) for c in chosen) == {"houses": 9, "gardens": 3}
    assert len({(c.path, c.line, c.by) for c in chosen}) == 12


def test_tests_that_name_the_definition_are_the_nearest(package: Path, tmp_path: Path) -> None:
    for folder in ("houses", "gardens"):
        (tmp_path / "tests" / folder).mkdir(parents=True)
    import_it = "from town.houses.house import"
    texts = {
        "houses/test_room.py": "",
        "gardens/test_far.py": "",
        "gardens/test_near.py": f"{import_it} LIMIT\n",
        "houses/test_house.py": f"{import_it} House\n",
    }
    for name, text in texts.items():
        (tmp_path / "tests" / name).write_text(text)
    near = nearness(package / "houses" / "house.py", "House.height", package)
    assert [near(f"tests/{name}") for name in texts] == [3, 10, 3, 1]
    assert room_of(package / "houses" / "house.py", package) == "houses"
    assert room_of(package / "api.py", package) == "api"


def _lines(package: Path, name: str, code: str) -> dict[str, list[int]]:
    """Lines to be reached for a change of the first expression or statement that reads `code`."""
    path = package / name
    found = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.expr | ast.stmt) and ast.unparse(node).startswith(code)
    ]
    nodes = sorted(found, key=lambda node: node.lineno)
    definition = next(c.definition for c in changes(path) if c.line == nodes[0].lineno)
    masks = lines_of(path, definition, nodes[:1], package)
    return {f: [n for n in range(mask.bit_length()) if mask >> n & 1] for f, mask in masks.items()}


def test_a_change_is_reached_where_it_stands(package: Path) -> None:
    (package / "street.py").write_text(
        "from town.houses.house import LIMIT\n\n\ndef full(n: int, more: int = 2) -> bool:\n"
        "    for other in range(\n        n + 1\n    ):\n        print(other)\n"
        "    return n > LIMIT\n\n\ndef empty(n: int) -> bool:\n    return not n\n"
    )
    house = "houses/house.py"
    # A statement with all its lines, the head of an `if` or a loop without what is in it.
    assert _lines(package, house, "3 * floors") == {house: [13, 14, 15, 16]}
    assert _lines(package, house, "if floors") == {house: [11]}
    assert _lines(package, "street.py", "n + 1") == {"street.py": [5, 6, 7]}
    # What importing computes, in the functions that name it.
    assert _lines(package, house, "3") == {house: [11], "street.py": [9]}
    assert _lines(package, "street.py", "2") == {"street.py": [5, 6, 7, 8, 9]}


def test_short_and_near_tests_run_first(package: Path, tmp_path: Path) -> None:
    for room in ("houses", "gardens"):
        (tmp_path / "tests" / room).mkdir(parents=True)
        (tmp_path / "tests" / room / "test_it.py").write_text("")
    reach = {"houses/house.py": 1 << 14}
    tests = [
        MeasuredTest("tests/gardens/test_it.py::short", 0.18, reach),
        MeasuredTest("tests/houses/test_it.py::long", 3.0, reach),
        MeasuredTest("tests/houses/test_it.py::short", 0.58, reach),
        MeasuredTest("tests/houses/test_it.py::elsewhere", 0.1, {"houses/house.py": 1 << 17}),
    ]
    path = package / "houses" / "house.py"
    nodes = [n for n in ast.walk(ast.parse(CODE)) if isinstance(n, ast.Constant) and n.value == 3]
    height = [node for node in nodes if node.lineno == 14]
    about = about_change(path, "House.height", height, package, tests)
    # (0.58 + 0.02) x 3 = 1.8; (0.18 + 0.02) x 10 = 2; (3 + 0.02) x 3 = 9.06.
    assert [test.name.rpartition("/")[0] + test.name.rpartition("::")[2] for test in about] == [
        "tests/housesshort",
        "tests/gardensshort",
        "tests/houseslong",
    ]


REACHING = """
import pytest
from town.houses.house import House, height

assert height(1) == 4


@pytest.fixture(scope="module")
def low():
    return House().height(2)


def test_neither():
    pass


def test_first(low):
    assert low == 7


def test_second(low):
    assert low > 6


def test_error():
    with pytest.raises(ValueError):
        House().height(4)
"""


def test_lines_are_counted_for_each_test_apart(package: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(REACHING)
    copy = Copy(tmp_path)
    copy.reach("test_it.py", package, tmp_path / "kept.jsonl", 60)
    found = {}
    for test in read_tests(tmp_path / "kept.jsonl"):
        mask = test.lines["houses/house.py"]
        found[test.name] = {line for line in (11, 12, 14, 17, 22) if mask >> line & 1}
        assert test.seconds < 30
    # Line 22 is run by the import of the tests, lines of the fixture belong to both that use it.
    assert found == {
        "test_it.py::test_neither": {22},
        "test_it.py::test_first": {11, 14, 17, 22},
        "test_it.py::test_second": {11, 14, 17, 22},
        "test_it.py::test_error": {11, 12, 22},
    }
    # After the limit no further test begins.
    copy.reach("test_it.py", package, tmp_path / "kept.jsonl", 0)
    assert [test.name for test in read_tests(tmp_path / "kept.jsonl")] == [
        "test_it.py::test_neither"
    ]


def test_an_outcome_is_kept_while_its_tests_are_the_same(tmp_path: Path) -> None:
    for name in ("test_one.py", "test_two.py"):
        (tmp_path / name).write_text("")
    about = [MeasuredTest(f"{name}::test", 0.1, {}) for name in ("test_one.py", "test_two.py")]
    path = PACKAGE / "runs" / "plan.py"
    killed, alive = (
        Mutant(path, text, "f", ast.parse("f()").body, "f()  ->  pass") for text in ("1", "2")
    )
    record = Record(tmp_path / "outcomes.jsonl", tmp_path)
    record.keep(killed, about, Outcome("killed", "test_one.py::test", 1.0))
    record.keep(alive, about, Outcome("alive", "", 2.0))
    again = Record(tmp_path / "outcomes.jsonl", tmp_path)
    assert again.find(killed, about) == Outcome("killed", "test_one.py::test", 1.0)
    assert again.find(alive, about) == Outcome("alive", "", 2.0)
    assert again.find(Mutant(path, "3", "f", killed.nodes, ""), about) is None
    (tmp_path / "test_two.py").write_text("# Changed.\n")
    assert again.find(killed, about) is not None
    assert again.find(alive, about) is None
    (tmp_path / "test_one.py").write_text("# Changed.\n")
    assert again.find(killed, about) is None


def test_what_changes_nothing_is_listed_with_a_place() -> None:
    assert all(path.is_file() for path, _ in equivalent())


def test_a_fault_is_noticed_and_gone_afterwards(package: Path, tmp_path: Path) -> None:
    (tmp_path / "test_height.py").write_text(
        "from town.houses.house import height\n\n\ndef test_three():\n    assert height(1) == 4\n"
    )
    (tmp_path / "test_slow.py").write_text("def test_it():\n    while True:\n        pass\n")
    copy, path = Copy(tmp_path), package / "houses" / "house.py"
    assert copy.run(["test_height.py"], 60).state == "alive"
    with copy.changed(path, CODE.replace("3 * floors + 1", "3 * floors")):
        found = copy.run(["test_height.py"], 60)
    assert (found.state, found.test) == ("killed", "test_height.py::test_three")
    assert path.read_text() == CODE
    assert copy.run(["test_height.py"], 60).state == "alive"
    assert copy.run(["test_slow.py"], 3).state == "stopped"


ORDERED = """
from town.houses.house import height


def test_one():
    assert height(1) == 4


def test_two():
    assert height(2) == 7


def test_broken():
    raise OSError
"""


def test_the_tests_about_a_fault_run_in_their_order_up_to_the_budget(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.mutants.__main__.ROOT", tmp_path)
    (tmp_path / "test_it.py").write_text(ORDERED)
    two, one = (MeasuredTest(f"test_it.py::test_{name}", 5.0, {}) for name in ("two", "one"))
    broken = MeasuredTest("test_it.py::test_broken", 50.0, {})
    path, copy = package / "houses" / "house.py", Copy(tmp_path)
    wrong, right = (
        Mutant(path, CODE.replace("3 * floors + 1", by), "height", ast.parse(by).body, "")
        for by in ("4 * floors", "1 + 3 * floors")
    )
    found = outcome_of(copy, wrong, [one, two, broken], 20)
    # 4 floors are right for one floor by chance.
    assert (found.state, found.test) == ("killed", "test_it.py::test_two")
    assert outcome_of(copy, right, [one, two, broken], 20).state == "alive"
    assert outcome_of(copy, right, [one, two, broken], 70).test == "test_it.py::test_broken"
    assert outcome_of(copy, right, [], 20).state == "unreached"


def test_the_table_counts_by_room() -> None:
    states = [
        *[("tasks", "killed")] * 3,
        ("tasks", "alive"),
        ("tasks", "equivalent"),
        ("runs", "stopped"),
        ("runs", "unreached"),
    ]
    assert table(Counter(states)).splitlines()[2:] == [
        "| runs | 2 | 0 | 1 | 0 | 1 | 0 | 0% |",
        "| tasks | 5 | 3 | 0 | 1 | 0 | 1 | 75% |",
        "| all | 7 | 3 | 1 | 1 | 1 | 1 | 50% |",
    ]
