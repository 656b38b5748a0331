"""What every script does around its work: one line for an error, and never two at the same job."""

import importlib.util
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from mirtrim.pruning.settings import DENSE
from mirtrim.runs.learning import epoch_text
from mirtrim.utils.files import lock, sha256_of_value
from tests.workflow.conftest import ROOT

SNAKEMAKE = SimpleNamespace(log=["logs/a.log"], output=["rows/a.csv"])


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`job.py` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("job", ROOT / "workflow/scripts/job.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.01)
    return module


def test_a_job_waits_for_another_process_that_does_it(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    done = threading.Event()

    def work() -> None:
        with script.job(SNAKEMAKE, "a"):
            done.set()

    script.LOCKS.mkdir(parents=True)
    with open(script.LOCKS / sha256_of_value("rows/a.csv")[:16], "ab") as stream:
        assert lock(stream.fileno())
        thread = threading.Thread(target=work)
        thread.start()
        told = ""
        while "another process is still running this job" not in told and not done.is_set():
            told += capsys.readouterr().err
            time.sleep(0.01)
        assert not done.is_set()
    thread.join()
    assert done.is_set()


def test_a_full_disk_is_one_line(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with script.job(SNAKEMAKE, "a"):
            raise OSError(28, "No space left on device", "rows/a.csv")

    with pytest.raises(SystemExit) as stopped:
        work()
    assert stopped.value.code == 1
    assert capsys.readouterr().err == (
        "error: a: rows/a.csv: No space left on device; free some space and run again "
        "(log: logs/a.log)\n"
    )
    assert "Traceback" in Path("logs/a.log").read_text()


def test_a_log_that_cannot_be_written_is_one_line(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("logs").write_text("a file where a folder should be")
    with pytest.raises(SystemExit), script.job(SNAKEMAKE, "a"):
        pass
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: a: logs")


@pytest.mark.parametrize("log", [None, "another process is still running this job\n"])
def test_a_training_is_kept_though_its_log_is_lost(
    script: ModuleType, log: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "results/p/jobs/rows/pitch/dense_seed3.csv"
    rows.parent.mkdir(parents=True)
    cells = {**DENSE.columns, "seed": 3, "target_ratio": 1.0}
    rows.write_text(f"{','.join(cells)}\n{','.join(map(str, cells.values()))}\n")
    if log is not None:
        (tmp_path / "pitch.log").write_text(log)
    job = SimpleNamespace(
        wildcards=SimpleNamespace(task="pitch", seed="3", get=lambda _name, default: default),
        config={"plan": {"variants": {}, "columns": {}}},
        output=SimpleNamespace(rows=str(rows)),
        log=["pitch.log"],
    )
    script.record_learning(job)
    assert "no learning curve of this training: " in capsys.readouterr().err
    assert not (rows.parents[3] / "learning").exists()
    (tmp_path / "pitch.log").write_text(f"INFO {epoch_text('dense', 1, 4, 0.5, 0.25)}\n")
    script.record_learning(job)
    assert list(rows.parents[3].glob("**/learning/**/*pitch*"))
