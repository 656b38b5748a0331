"""Pages that are made from the code say what the code says."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


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
