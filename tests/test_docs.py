"""Pages that are made from the code say what the code says."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch

import mirtrim

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("config/*.md")]


def anchors(page: Path) -> set[str]:
    """What its headings are called in addresses: lower case, hyphens, no other marks."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text(encoding="utf-8"))
    for target, anchor in links:
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors(path), f"{target}#{anchor}"


def test_the_table_of_hyperparameters_is_the_present_one() -> None:
    path = DOCS / "write_hyperparameters.py"
    spec = importlib.util.spec_from_file_location("write_hyperparameters", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.page() == (DOCS / "methods.md").read_text(encoding="utf-8"), (
        "run python docs/write_hyperparameters.py"
    )


def test_the_loops_of_the_documentation_run(capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / "trimming.md").read_text(encoding="utf-8")
    part = text.split("## In your own training loop")[1].split("\n## ")[0]
    blocks = [block.split("```")[0] for block in part.split("```python")[1:]]
    torch.manual_seed(0)
    x = torch.randn(64, 6)
    y = (x[:, 0] > x[:, 1]).long()
    layers = torch.nn.Linear(6, 24), torch.nn.ReLU(), torch.nn.Linear(24, 16), torch.nn.ReLU()
    model = torch.nn.Sequential(*layers, torch.nn.Linear(16, 2))
    names = {
        "mirtrim": mirtrim,
        "torch": torch,
        "cross_entropy": torch.nn.functional.cross_entropy,
        "model": model,
        "example": x[:2],
        "loader": [(x[i : i + 4], y[i : i + 4]) for i in range(0, 64, 4)],
    }
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    printed = capsys.readouterr().out
    assert [float(line.split()[0]) >= ratio for line, ratio in _firsts(printed)] == [True, True]
    zeros = sum(int((p == 0).sum()) for p in model.parameters())
    total = sum(p.numel() for p in model.parameters())
    assert total / (total - zeros) >= 8


def _firsts(printed: str) -> list[tuple[str, int]]:
    """The lines that begin with a number, with the ratios that were asked for."""
    return list(
        zip([line for line in printed.splitlines() if line[0].isdigit()], (2, 4), strict=True)
    )
