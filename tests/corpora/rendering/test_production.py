"""The digest of the code that decides how tracks sound."""

import shutil
from pathlib import Path

import pytest

from mirtrim.corpora.rendering import production


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the code that production takes for its own."""
    original = Path(production.__file__).parent
    copied = shutil.copytree(original, tmp_path / "rendering")
    monkeypatch.setattr(production, "__file__", str(copied / "production.py"))
    return copied


@pytest.mark.parametrize(
    ("edited", "stale"),
    [
        ("scene.py", ["drums", "chords"]),
        ("chords/harmony.py", ["chords"]),
        ("melodies/melody.py", []),
    ],
)
def test_an_edit_makes_those_stale_that_it_may_change(
    code: Path, edited: str, stale: list[str]
) -> None:
    names = ("drums", "chords")
    before = {name: production._recipe(name) for name in names}
    (code / edited).write_text((code / edited).read_text() + "\n")
    assert [name for name in names if production._recipe(name) != before[name]] == stale
