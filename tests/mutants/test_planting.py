"""Faults are planted where they say, every fault of the list has a place, and a run counts."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants.__main__ import PACKAGE, table
from tests.mutants.choosing import files_about, room_of
from tests.mutants.generating import changes, sample
from tests.mutants.planting import DoesNotFit, Fault, plant, read_faults
from tests.mutants.running import Copy

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


def test_tests_that_name_the_definition_come_first(package: Path, tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    (tests / "houses").mkdir(parents=True)
    (tests / "gardens").mkdir()
    import_it = "from town.houses.house import"
    (tests / "houses" / "test_room.py").write_text("")
    (tests / "gardens" / "test_far.py").write_text("")
    (tests / "gardens" / "test_near.py").write_text(f"{import_it} LIMIT\n")
    (tests / "houses" / "test_house.py").write_text(f"{import_it} House\n")
    about = files_about(package / "houses" / "house.py", "House.height", package, tests)
    assert [path.name for path in about] == ["test_house.py", "test_near.py", "test_room.py"]
    assert room_of(package / "houses" / "house.py", package) == "houses"
    assert room_of(package / "api.py", package) == "api"


def test_a_fault_is_noticed_and_gone_afterwards(package: Path, tmp_path: Path) -> None:
    (tmp_path / "test_height.py").write_text(
        "from town.houses.house import height\n\n\ndef test_three():\n    assert height(1) == 4\n"
    )
    (tmp_path / "test_slow.py").write_text("import time\n\n\ndef test_it():\n    time.sleep(60)\n")
    copy, path = Copy(tmp_path), package / "houses" / "house.py"
    assert copy.run(["test_height.py"], 60).state == "alive"
    with copy.changed(path, CODE.replace("3 * floors + 1", "3 * floors")):
        found = copy.run(["test_height.py"], 60)
    assert (found.state, found.test) == ("killed", "test_height.py::test_three")
    assert path.read_text() == CODE
    assert copy.run(["test_height.py"], 60).state == "alive"
    assert copy.run(["test_slow.py"], 3).state == "stopped"


def test_the_table_counts_by_room() -> None:
    states = [("tasks", "killed"), ("tasks", "alive"), ("tasks", "killed"), ("runs", "stopped")]
    assert table(Counter(states)).splitlines()[2:] == [
        "| runs | 1 | 0 | 0 | 1 | 0% |",
        "| tasks | 3 | 2 | 1 | 0 | 67% |",
        "| all | 4 | 2 | 1 | 1 | 50% |",
    ]
