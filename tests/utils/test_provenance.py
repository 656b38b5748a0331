"""Digests of code: what a job depends on is in them, and nothing else."""

from pathlib import Path

import pytest

from mirtrim.pruning.methods import settings_of
from mirtrim.runs.code import compress_code, dense_code, features_code
from mirtrim.utils import provenance
from mirtrim.utils.provenance import code_digest, sources


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in which a imports b.c, and d stands alone."""
    home = tmp_path / "tiny"
    (home / "b").mkdir(parents=True)
    (home / "__init__.py").write_text("if TYPE_CHECKING:\n    from tiny import d\n")
    (home / "a.py").write_text("def later():\n    from tiny.b import c\n")
    (home / "b" / "__init__.py").write_text("")
    (home / "b" / "c.py").write_text("import json\n")
    (home / "d.py").write_text("")
    monkeypatch.setattr(provenance, "PACKAGE", home)
    provenance.code_digest.cache_clear()
    provenance._imports.cache_clear()
    provenance._content.cache_clear()
    yield home
    provenance.code_digest.cache_clear()
    provenance._imports.cache_clear()
    provenance._content.cache_clear()


def names(home: Path, *roots: str) -> list[str]:
    return [str(path.relative_to(home)) for path in sources(*roots)]


def test_imports_are_followed_wherever_they_stand(package: Path) -> None:
    assert names(package, "tiny.a") == ["__init__.py", "a.py", "b/__init__.py", "b/c.py"]
    assert names(package, "tiny.b.*") == ["b/__init__.py", "b/c.py"]


def test_a_digest_changes_with_what_it_depends_on_only(package: Path) -> None:
    def digest() -> str:
        provenance.code_digest.cache_clear()
        provenance._imports.cache_clear()
        provenance._content.cache_clear()
        return code_digest("tiny.a")

    first = digest()
    (package / "d.py").write_text("changed = 1\n")
    assert digest() == first
    (package / "b" / "c.py").write_text("import json\nchanged = 1\n")
    assert digest() != first


def test_an_unknown_module_is_named(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"tiny\.nowhere"):
        code_digest("tiny.nowhere")


def test_each_job_has_a_digest_of_its_own() -> None:
    corpus = {"loader": "groove_midi", "mode": "embedded"}
    runs = [{"method": "mask"}, {"method": "trim"}, {"method": "trim", "criterion": "activation"}]
    found = [compress_code("onset", corpus, settings_of(run)) for run in runs]
    digests = {*found, dense_code("onset", corpus), features_code("onset", corpus)}
    assert len(digests) == 5
    assert compress_code("chord", corpus, settings_of(runs[0])) not in digests
    # A control depends on the run whose shape it copies.
    control = settings_of({"method": "same_shape", "reference": "x"})
    copies = {
        compress_code("onset", corpus, control, settings_of(run) if run else None)
        for run in (None, *runs)
    }
    assert len(copies) == 4


@pytest.mark.parametrize(
    ("flags", "processor"),
    [
        ("fpu sse2 avx2 avx512f", "Quick 9000 (AVX-512)"),
        ("fpu sse2 avx2", "Quick 9000 (AVX2)"),
        ("fpu sse2", "Quick 9000"),
    ],
)
def test_the_machine_says_which_kernels_it_gets(
    monkeypatch: pytest.MonkeyPatch, flags: str, processor: str
) -> None:
    known = {"model name": "Quick 9000", "flags": flags}
    monkeypatch.setattr(provenance, "_cpuinfo", lambda: known)
    assert provenance.machine().startswith(f"{processor}; ")


def test_only_the_first_processor_is_described(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = (
        "processor\t: 0\nmodel name\t: One\nflags\t\t: a b\n\nprocessor\t: 1\nmodel name\t: Two\n"
    )
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(provenance, "CPUINFO", tmp_path / "cpuinfo")
    assert provenance._cpuinfo() == {"processor": "0", "model name": "One", "flags": "a b"}
    monkeypatch.setattr(provenance, "CPUINFO", tmp_path / "none")
    assert provenance._cpuinfo() == {}
