"""The whole way on a tiny profile, and what happens when something is wrong."""

import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mirtrim.runs.rows import read_rows
from tests.workflow.conftest import make_folder, snakemake

# Everything in a row that is measured with a clock.
CLOCK = ["train_seconds", "total_train_seconds"]


def rows_of(folder: Path) -> pd.DataFrame:
    return read_rows([], tables=[folder / "results/tiny/rows/onset.csv"])


def errors_of(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("error: ")]


def test_rows_reach_the_ratios_that_were_asked(finished: Path) -> None:
    rows = rows_of(finished)
    assert rows.groupby("method").size().to_dict() == {"dense": 1, "mask": 2, "trim": 2}
    dense = rows[rows.method == "dense"].iloc[0]
    mask, trim = rows[rows.method == "mask"], rows[rows.method == "trim"]
    assert mask.ratio.tolist() == pytest.approx([2, 4], rel=0.01)
    assert (trim.ratio >= trim.target_ratio).all()
    assert (trim.ratio <= 1.15 * trim.target_ratio).all()
    assert (mask.parameters == dense.parameters).all()
    assert (mask.macs == dense.macs).all()
    assert (trim.macs < dense.macs).all()
    assert (trim.nonzeros * trim.ratio).tolist() == pytest.approx([dense.parameters] * 2, rel=0.01)
    assert (trim.equivalence_difference.between(0, 1e-5)).all()


def test_everything_that_a_reader_wants_is_there(finished: Path) -> None:
    for name in (
        "results/tiny/tables/onset.csv",
        "results/tiny/tables/onset.md",
        "results/tiny/points/onset.md",
        "results/tiny/points/onset.tex",
        "figures/tiny/onset_curve.svg",
        "figures/tiny/onset_curve.png",
        "results/tiny/networks/onset/trim_magnitude_local_rewind_seed0/ratio-4.safetensors",
    ):
        assert (finished / name).stat().st_size > 0, name
    assert not list((finished / "data/resume").iterdir())


def test_a_person_sees_progress_and_jobs_keep_logs(finished: Path) -> None:
    terminal = (finished / "terminal.txt").read_text()
    assert "epoch" in terminal
    assert "left in this job" in terminal
    log = finished / "results/tiny/logs/compress/onset_trim_magnitude_local_rewind_seed0.log"
    assert "round 2/2, ratio 4 | epoch 2 of at most 2" in log.read_text()


@pytest.mark.parametrize("oldest_first", [True, False])
def test_figures_and_tables_from_rows_retrain_nothing(
    finished: Path, tmp_path: Path, oldest_first: bool
) -> None:
    folder = tmp_path / "rows_only"
    make_folder(folder)
    kept = ("rows", "pieces")
    (folder / "results/tiny").mkdir(parents=True)
    for name in kept:
        source = finished / "results/tiny" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(
            source, folder / "results/tiny" / name
        )
    # A checkout gives files any order of times: the worst one must not start a training.
    paths = sorted((folder / "results").rglob("*.csv"), reverse=not oldest_first)
    for age, path in enumerate(paths):
        os.utime(path, (1e9 + age, 1e9 + age))
    result = snakemake(folder, "figures", "tables")
    assert result.returncode == 0, result.stderr[-3000:]
    assert "rule dense" not in result.stderr
    assert "Corpus mini_" not in result.stderr
    for name in ("figures/tiny/onset_curve.png", "results/tiny/tables/onset.md"):
        assert (folder / name).read_bytes() == (finished / name).read_bytes()


def test_same_seed_gives_the_same_bits_on_one_core(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "again"
    make_folder(folder)
    shutil.copytree(finished / "data", folder / "data")
    result = snakemake(folder, cores="1")
    assert result.returncode == 0, result.stderr[-3000:]
    pd.testing.assert_frame_equal(
        rows_of(folder).drop(columns=CLOCK), rows_of(finished).drop(columns=CLOCK)
    )
    for first in (finished / "results/tiny/networks").rglob("*.safetensors"):
        assert first.read_bytes() == (folder / first.relative_to(finished)).read_bytes()


def test_ratios_that_a_task_does_not_have_train_nothing_anew(copied: Path) -> None:
    more = [{"method": "mask", "ratios": [2, 3, 4]}, {"method": "trim"}]
    result = snakemake(copied, "--dry-run", changes={"runs": more})
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Nothing to be done" in result.stdout + result.stderr
    fewer = [{"method": "mask", "ratios": [4]}, {"method": "trim"}]
    result = snakemake(copied, "--dry-run", changes={"runs": fewer})
    assert re.search(r"^compress +1$", result.stdout + result.stderr, re.MULTILINE)


def test_methods_and_controls_stand_beside_the_runs(copied: Path) -> None:
    result = snakemake(copied, "methods")
    assert result.returncode == 0, result.stderr[-3000:]
    assert "rule dense" not in result.stderr  # the dense network and the main runs are there
    table = pd.read_csv(copied / "results/tiny/studies/methods/onset.csv").set_index(
        ["target_ratio", "run"]
    )
    assert set(table.loc[4].index) == {
        "dense", "mask", "trim", "feedback units", "same shape (of trim)"
    }  # fmt: skip
    assert "mask (shuffled)" in table.loc[2].index
    trim, same = table.loc[4, "trim"], table.loc[4, "same shape (of trim)"]
    assert same.ratio == trim.ratio
    assert (trim.trainings, same.trainings) == (3, 1)
    assert table.loc[4, "feedback units"].cost == pytest.approx(4 / 3, rel=1e-4)
    assert (copied / "figures/tiny/onset_methods.png").stat().st_size > 0


def test_an_audio_file_cut_in_half_is_named(copied: Path) -> None:
    corpus = next((copied / "data/corpora").iterdir())
    audio = sorted(p for p in corpus.rglob("*") if p.suffix in (".wav", ".flac"))[0]
    audio.write_bytes(audio.read_bytes()[: audio.stat().st_size // 2])
    shutil.rmtree(copied / "data/features")
    result = snakemake(copied, "data", "--rerun-triggers", "mtime")
    assert result.returncode != 0
    assert len(errors_of(result.stderr)) == 1
    assert audio.name in errors_of(result.stderr)[0]
    assert not list((copied / "data/features").glob("*/store.json"))


def test_an_index_that_names_a_missing_file(copied: Path) -> None:
    corpus = next((copied / "data/corpora").iterdir())
    audio = sorted(p for p in corpus.rglob("*") if p.suffix in (".wav", ".flac"))[0]
    audio.unlink()
    shutil.rmtree(copied / "data/features")
    result = snakemake(copied, "data", "--rerun-triggers", "mtime")
    assert result.returncode != 0
    assert f"{audio.name}: is missing; fetch or render it again" in errors_of(result.stderr)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rations": [2]}, "config key (top level): unknown key 'rations'"),
        ({"seeds": "0"}, "config key seeds: '0' is not of type array"),
        (
            {"tasks/onset/network/chanels": 3},
            "config key tasks.onset.network: unknown key 'chanels'",
        ),
        ({"runs": [{"method": "melt"}]}, "config key runs.0.method: unknown method 'melt'"),
    ],
)
def test_a_bad_configuration_stops_before_anything_runs(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    make_folder(tmp_path)
    result = snakemake(tmp_path, changes=changes)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "results").exists()


def test_a_ratio_out_of_reach_stops_before_training(copied: Path) -> None:
    changes = {"ratios": [2, 1000], "studies/methods": None}
    result = snakemake(copied, "onset", changes=changes)
    assert result.returncode != 0
    errors = errors_of(result.stderr)
    assert any(
        "trim cannot reach ratio 1000" in line and "lower `ratios`" in line for line in errors
    )
    assert not list((copied / "results/tiny/jobs/rows/onset").glob("trim*"))


def test_one_task_does_not_need_the_others(tmp_path: Path) -> None:
    make_folder(tmp_path)
    others = yaml.safe_load((tmp_path / "config/default.yaml").read_text())["tasks"]["drums"]
    result = snakemake(tmp_path, "onset", "--dry-run", changes={"tasks/drums": others})
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Dense network of task onset" in result.stdout + result.stderr
    assert "of task drums" not in result.stdout + result.stderr
