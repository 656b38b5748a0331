"""Scripts in `benchmarks/` say what they measure before they begin."""

import ast
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = [path for path in sorted(FOLDER.glob("*.py")) if "__main__" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_every_benchmark_reads_its_arguments(path):
    """All of them: `parse_args` answers --help and refuses what it does not know."""
    tree = ast.parse(path.read_text("utf-8"))
    names = {getattr(n.func, "attr", getattr(n.func, "id", "")) for n in ast.walk(tree)
             if isinstance(n, ast.Call)}  # fmt: skip
    assert names & {"parse_args", "take_no_arguments"}
    assert ast.get_docstring(tree)


def test_a_benchmark_without_arguments_says_what_it_measures(monkeypatch, capsys):
    take_no_arguments = runpy.run_path(str(FOLDER / "timing.py"))["take_no_arguments"]
    monkeypatch.setattr("sys.argv", ["masking.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        take_no_arguments("A masked step.\n\nMore.")
    assert ended.value.code == 0
    assert "A masked step." in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["masking.py", "fast"])
    with pytest.raises(SystemExit) as ended:
        take_no_arguments("A masked step.")
    assert ended.value.code == 2
    assert "unrecognized arguments: fast" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["masking.py"])
    take_no_arguments("A masked step.")
