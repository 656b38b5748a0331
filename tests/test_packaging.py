"""What is installed: few dependencies, a light import, a wheel that works on its own."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "numpy", "numba", "pandas", "scipy", "matplotlib", "safetensors", "onnx")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

LOADED = """
import sys
before = set(sys.modules)
{code}
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""
WITHOUT = """
import sys
for name in {names}:
    sys.modules[name] = None
{code}
"""
USE = """
import torch
from torch import nn
import mirtrim

net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 2))
x = torch.randn(8, 6)
small = mirtrim.trim(net, x, ratio=2)
assert small.trim_report.ratio >= 2
mirtrim.save(small, "small")
assert torch.equal(mirtrim.load("small", lambda: net)(x), small(x))

def fit(model, after_step):
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(4):
        model(x).sum().backward()
        optimizer.step()
        after_step()

(ticket,) = mirtrim.tickets(net, x, fit, [2], "mask")
assert not ticket.model[0].weight[~ticket.masks["0.weight"]].any()
optimizer = torch.optim.Adam(net.parameters(), 0.01)
with mirtrim.feedback(net, optimizer, 2, 4) as pruning:
    for _ in range(4):
        net(x).sum().backward()
        optimizer.step()
        pruning.step()
print(mirtrim.__file__)
"""


def python(code, folder, path=ROOT / "src"):
    """What a fresh interpreter prints in `folder`."""
    environment = os.environ | {"PYTHONPATH": str(path), "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_an_import_loads_nothing_heavy(tmp_path):
    found = python(LOADED.format(code="import mirtrim"), tmp_path)
    assert "mirtrim" in found
    assert not set(found) & set(HEAVY)


def test_trimming_and_training_load_what_the_library_asks_for_and_no_more(tmp_path):
    code = "import mirtrim\nmirtrim.trim, mirtrim.tickets, mirtrim.feedback, mirtrim.save"
    found = set(python(LOADED.format(code=code), tmp_path)) & set(HEAVY)
    assert found == {"torch", "numpy", "safetensors"}


def test_the_library_works_without_the_packages_of_the_replication(tmp_path):
    extras = PROJECT["optional-dependencies"]["replicate"]
    names = {re.split(r"[\[<>=;~! ]", line)[0].replace("-", "_") for line in extras}
    names = names - {"mirtrim", "numpy"} | {"yaml", "mir_eval"}
    assert {"numba", "pandas", "scipy", "matplotlib"} <= names
    python(WITHOUT.format(names=sorted(names), code=USE), tmp_path)


def test_the_library_asks_for_ranges():
    asked = PROJECT["dependencies"]
    assert {re.split(r"[<>=]", line)[0] for line in asked} == {"torch", "numpy", "safetensors"}
    assert not any("==" in line or "<" in line for line in asked)
    assert "numpy<2.4" in PROJECT["optional-dependencies"]["replicate"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout, made from a copy of it."""
    if importlib.util.find_spec("build") is None:
        pytest.skip("the package build is not installed")
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", copy / "src", ignore=ignored)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(copy)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (copy / "dist").glob("*.whl")
    return path


def test_a_wheel_holds_every_file_of_the_package(wheel):
    source = ROOT / "src"
    files = {
        path.relative_to(source).as_posix()
        for path in (source / "mirtrim").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith("METADATA"))
        text = archive.read(metadata).decode()
    assert files - names == set()
    assert {name for name in names if name.startswith("mirtrim/")} == files
    assert "Requires-Dist: torch>=2.6" in text


def test_a_wheel_works_outside_the_checkout(wheel, tmp_path):
    place = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    (found,) = python(USE, tmp_path, place)
    assert Path(found).is_relative_to(place)
    (place / "othernets.py").write_text(
        "from torch import nn\n"
        "def net(width):\n"
        "    return nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, 2))\n"
    )
    code = "from mirtrim.cli import main\n" + "".join(
        f"assert main({words!r}.split()) == 0\n"
        for words in (
            "trim othernets:net --argument width=32 --input 1,3 --ratio 2 --output tiny",
            "measure othernets:net --argument width=32 --weights tiny --input 1,3 --seconds 0.05",
        )
    )
    assert {"saved", "parameters"} <= set(python(code, tmp_path, place))
