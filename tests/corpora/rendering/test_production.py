"""The digest of the code that decides how tracks sound."""

import shutil
from pathlib import Path

import pytest

from mirtrim.corpora.rendering import production
from mirtrim.corpora.rendering.varied import making


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


@pytest.mark.parametrize("edited", ["chords/harmony.py", "varied/kits.py"])
def test_an_edit_of_what_varied_corpora_share_makes_all_of_them_stale(
    code: Path, monkeypatch: pytest.MonkeyPatch, edited: str
) -> None:
    monkeypatch.setattr(making, "__file__", str(code / "varied" / "making.py"))
    before = making._shared_recipe()
    (code / edited).write_text((code / edited).read_text() + "\n")
    assert making._shared_recipe() != before
