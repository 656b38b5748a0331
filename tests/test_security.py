"""Nothing that is read can run: no pickles, no evaluation; and what is installed is known."""

import ast
import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    *sorted((ROOT / "src").rglob("*.py")),
    *sorted((ROOT / "workflow").rglob("*.py")),
    *sorted((ROOT / "benchmarks").rglob("*.py")),
]
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "os.system", "os.popen", "torch.load", "torch.save", "yaml.load",
    "yaml.unsafe_load", "yaml.full_load", "pd.read_pickle", "pd.eval",
}  # fmt: skip


def dangers(source: str) -> list[str]:
    """What a source does that could run foreign code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            names = [module] if module else [alias.name for alias in node.names]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in FORBIDDEN_CALLS or name.endswith(".to_pickle") else []
            for keyword in node.keywords:
                value = ast.unparse(keyword.value)
                if (keyword.arg, value) in {("allow_pickle", "True"), ("shell", "True")}:
                    found.append(f"{keyword.arg}={value}")
    return found


def test_no_source_reads_pickles_or_evaluates_text() -> None:
    assert len(SOURCES) > 200
    found = {str(path): dangers(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "x = eval(text)", "torch.load(path)",
        "np.load(path, allow_pickle=True)", "subprocess.run(text, shell=True)", "df.to_pickle(p)",
    ],
)  # fmt: skip
def test_the_look_itself_finds_what_it_looks_for(source: str) -> None:
    assert dangers(source)


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {plain(name): version for name, version in pairs}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_requirement_has_one_exact_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    for requirement in (*project["dependencies"], *extras):
        name = plain(re.split(r"[\[<>=;~! ]", requirement)[0])
        assert name == "mirtrim" or re.fullmatch(r"[0-9][\w.]*", pinned().get(name, "")), name


@pytest.fixture
def wheels() -> ModuleType:
    path = ROOT / ".ci/check_wheels.py"
    spec = importlib.util.spec_from_file_location("check_wheels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_listed_files_are_of_the_pinned_versions(wheels: ModuleType) -> None:
    listed = wheels.known()
    assert len(listed) > 50
    for name, digest in listed.items():
        assert re.fullmatch(r"[0-9a-f]{64}", digest)
        package, version = name.removesuffix(".tar.gz").split("-")[:2]
        assert pinned()[plain(package)] == version, name


def test_a_file_that_was_changed_or_is_new_is_named(wheels: ModuleType, tmp_path: Path) -> None:
    def item(name: str, digest: str) -> dict[str, object]:
        url = f"https://example.org/{name}"
        return {"download_info": {"url": url, "archive_info": {"hashes": {"sha256": digest}}}}

    report = tmp_path / "report.json"
    items = [
        item("a-1-py3-none-any.whl", "1" * 64), item("b-1-py3-none-any.whl", "2" * 64),
        item("c-1.tar.gz", "3" * 64), item("d-1-cp311-cp311-manylinux_2_28_x86_64.whl", "4" * 64),
    ]  # fmt: skip
    report.write_text(json.dumps({"install": items}), encoding="utf-8")
    found = wheels.fetched(report)
    assert sorted(found) == ["a-1-py3-none-any.whl", "b-1-py3-none-any.whl", "c-1.tar.gz"]
    lines = wheels.differences(
        found, {"a-1-py3-none-any.whl": "1" * 64, "b-1-py3-none-any.whl": "9" * 64}
    )
    assert [line.split()[0] for line in lines] == ["b-1-py3-none-any.whl", "c-1.tar.gz"]
    assert "has SHA-256 2222" in lines[0]
    assert "is not in wheels.sha256" in lines[1]
