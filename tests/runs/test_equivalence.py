"""Proofs that two commits compute the same bits: what they see, and what they note."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from mirtrim.runs import equivalence, sample
from mirtrim.runs.config import validate
from mirtrim.runs.freshness import LEDGER, Equivalences
from mirtrim.utils.errors import ArtefactError, ConfigError

ROOT = Path(__file__).resolve().parents[2]
HEAD = "task,method,seed,target_ratio,test_error,train_seconds,code_digest"
ROW = f"{HEAD}\nonset,trim,0,2.0,{{}},{{}},{{}}\n"


def trained(home: Path, error: str = "0.25", seconds: str = "1.0", digest: str = "a") -> None:
    """What a training of the sample leaves, as far as it is compared."""
    store = home / f"data/features/onset-mini_groove_midi-{digest}0{digest}"
    store.mkdir(parents=True)
    (store / "frames.npy").write_bytes(b"frames")
    for profile in sample.PROFILES:
        results = home / "results" / profile
        for folder in ("networks/onset/trim_seed0", "jobs/rows/onset", "jobs/pieces/onset"):
            (results / folder).mkdir(parents=True)
        (results / "networks/onset/trim_seed0/ratio-2.safetensors").write_bytes(b"weights")
        (results / "jobs/rows/onset/trim_seed0.csv").write_text(ROW.format(error, seconds, digest))
        (results / "jobs/pieces/onset/trim_seed0.csv").write_text("track_id,score\nx,0.75\n")


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    """Two checkouts with equal results of different seconds, code and names of folders."""
    trained(tmp_path / "old")
    trained(tmp_path / "new", seconds="2.0", digest="b")
    return tmp_path / "old", tmp_path / "new"


def test_equal_bits_are_counted(homes: tuple[Path, Path]) -> None:
    assert sample.compare(*homes) == (
        "2 files of networks, 2 rows, 2 scores of pieces, 1 arrays of features"
    )


def test_words_of_version_0_1_are_those_of_today(tmp_path: Path) -> None:
    home = tmp_path / "old"
    home.mkdir()
    config = {"runs": [{"method": "trim", "budget": "macs", "minimum_units": 3}], "studies": None}
    said = sample.in_words_of(home, config)
    assert said["runs"] == [{"method": "trim", "counted": "macs", "floor": 3}]
    jobs = home / "results/proof/jobs/rows/onset"
    jobs.mkdir(parents=True)
    (jobs / "trim_counted_macs_seed0.csv").write_text("task,ratio_asked,counted\nonset,2,macs\n")
    assert sample._tables(home / "results/proof", "rows") == {
        "onset trim_budget_macs_seed0": [{"task": "onset", "target_ratio": "2", "budget": "macs"}]
    }


def weights(home: Path) -> None:
    path = home / "results/proof_bfloat16/networks/onset/trim_seed0/ratio-2.safetensors"
    path.write_bytes(b"weightS")


def last_digit(home: Path) -> None:
    path = home / "results/proof/jobs/rows/onset/trim_seed0.csv"
    path.write_text(path.read_text().replace("0.25", "0.25000000000000006"))


def piece(home: Path) -> None:
    path = home / "results/proof/jobs/pieces/onset/trim_seed0.csv"
    path.write_text(path.read_text().replace("0.75", "0.5"))


def frames(home: Path) -> None:
    next(home.glob("data/features/*/frames.npy")).write_bytes(b"frameS")


def one_job_less(home: Path) -> None:
    (home / "results/proof/jobs/rows/onset/trim_seed0.csv").unlink()


def one_line_more(home: Path) -> None:
    path = home / "results/proof/jobs/rows/onset/trim_seed0.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")


def nothing_at_all(home: Path) -> None:
    shutil.rmtree(home / "results")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (weights, "results/proof_bfloat16/networks/onset/trim_seed0/ratio-2.safetensors differs"),
        (last_digit, "line 1, test_error: 0.25 and 0.25000000000000006"),
        (piece, "proof, pieces of onset trim_seed0, line 1, score: 0.75 and 0.5"),
        (frames, "data/features/onset-mini_groove_midi/frames.npy differs"),
        (one_job_less, "proof, rows: onset trim_seed0 is with one commit only"),
        (one_line_more, "1 lines, and 2"),
        (nothing_at_all, "is with one commit only"),
    ],
)
def test_the_first_difference_is_named(
    homes: tuple[Path, Path], change: Callable[[Path], None], said: str
) -> None:
    change(homes[1])
    with pytest.raises(ArtefactError) as caught:
        sample.compare(*homes)
    assert said in str(caught.value)


def test_the_sample_covers_what_it_says() -> None:
    """Every task, method and criterion; both precisions; and the present code knows it."""
    from mirtrim.pruning.criteria import UNIT_CRITERIA, WEIGHT_CRITERIA
    from mirtrim.pruning.methods import METHODS
    from mirtrim.tasks.registry import TASKS

    plain, reduced = sample.variants(yaml.safe_load((ROOT / sample.SAMPLE).read_text()))
    runs = [*plain["runs"], *plain["studies"]["everything"]["runs"]]
    assert {run["method"] for run in runs} == set(METHODS)
    for method, criteria in (("trim", UNIT_CRITERIA), ("mask", WEIGHT_CRITERIA)):
        found = {run.get("criterion", "magnitude") for run in runs if run["method"] == method}
        # The example of the documentation may have registered its own before.
        assert found == set(criteria) - {"largest_weight"}
    assert set(plain["tasks"]) == set(TASKS) - {"genre", "drums_five"}  # have no corpus to render
    assert {task["training"]["precision"] for task in reduced["tasks"].values()} == {"bfloat16"}
    for config in (plain, reduced):
        default = yaml.safe_load((ROOT / "config/default.yaml").read_text())
        for task, block in config["tasks"].items():
            default["tasks"][task]["training"] |= block["training"]
            default["tasks"][task] |= {"ratios": block.get("ratios")}
        given = {key: value for key, value in config.items() if key not in ("tasks", "corpora")}
        validate({**default, **given}, ROOT / "workflow/schemas/config.schema.yaml")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of two commits."""
    root = tmp_path / "repository"
    (root / "config").mkdir(parents=True)
    (root / "results/default").mkdir(parents=True)
    (root / sample.SAMPLE).write_text("profile: proof\n")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@localhost"]
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    for name in ("one", "two"):
        (root / "code.py").write_text(name)
        subprocess.run(["git", "add", "-A"], cwd=root, check=True)
        subprocess.run([*git, "commit", "-qm", name], cwd=root, check=True)
    return root


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the code of each commit computes, in the place of minutes of training."""
    errors = {"one": "0.25", "two": "0.25"}

    def train(home: Path, _: Path, methods: set[str]) -> None:
        assert methods == {"trim"}  # what both know
        trained(home, errors[(home / "code.py").read_text()])

    def digests(home: Path) -> dict[str, dict[str, dict[str, str]]]:
        name = (home / "code.py").read_text()
        code = {"dense onset": name, "compress onset trim": name, "dense pitch": "same"}
        return {"default": {"code": code, "settings": {"task onset": name}}}

    def known_to(home: Path) -> set[str]:
        new = (home / "code.py").read_text() == "two"
        return {"trim", "later"} if new else {"trim"}

    monkeypatch.setattr(equivalence, "train", train)
    monkeypatch.setattr(equivalence, "known_to", known_to)
    monkeypatch.setattr(equivalence, "digests_of", digests)
    return errors


def test_what_is_proven_is_noted(
    repository: Path, computing: dict[str, str], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(repository)
    assert equivalence.main(["HEAD~1"]) == 0
    assert "equal, bit for bit; noted for default" in capsys.readouterr().out
    path = repository / "results/default" / LEDGER
    (proof,) = json.loads(path.read_text())["proofs"]
    # What is the same needs no proof, and settings cannot be proven by a sample.
    assert proof["digests"] == {
        "code dense onset": ["one", "two"],
        "code compress onset trim": ["one", "two"],
    }
    commits = subprocess.run(
        ["git", "rev-parse", "HEAD~1", "HEAD"], cwd=repository, capture_output=True, text=True
    )
    assert [proof["old"], proof["new"]] == commits.stdout.split()
    assert Equivalences.read(path).latest("one", "code dense onset") == "two"


def test_what_differs_is_not_noted(
    repository: Path, computing: dict[str, str], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(repository)
    computing["two"] = "0.5"
    assert equivalence.main(["HEAD~1", "HEAD"]) == 1
    said = capsys.readouterr().err
    assert "test_error: 0.25 and 0.5; nothing was noted" in said
    assert not (repository / "results/default" / LEDGER).exists()
    assert equivalence.main(["nowhere"]) == 1
    assert "nowhere: no such commit; nothing was noted" in capsys.readouterr().err


def test_a_commit_that_cannot_train_the_sample_is_named(tmp_path: Path) -> None:
    (tmp_path / "proof.yaml").write_text("profile: proof\nstudies: null\ntasks: {}\n")
    with pytest.raises(ConfigError, match="the sample cannot be trained"):
        sample.train(tmp_path, tmp_path / "proof.yaml", ["trim"])


def test_runs_of_a_method_that_only_one_commit_knows_are_left_out() -> None:
    runs = [{"method": "trim"}, {"method": "later"}]
    config = {"runs": list(runs), "studies": {"all": {"runs": list(runs)}}}
    found = sample.with_known(config, {"trim"})
    assert found == {"runs": runs[:1], "studies": {"all": {"runs": runs[:1]}}}
    assert sample.with_known({"runs": runs, "studies": None}, {"trim"})["runs"] == runs[:1]
    assert {"mask", "trim", "same_mask"} <= sample.known_to(ROOT)


def test_digests_are_asked_of_the_code_of_a_checkout(tmp_path: Path) -> None:
    """Without a profile there is none; what is wrong with a profile is told."""
    assert equivalence.digests_of(tmp_path) == {}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "own.yaml").write_text("profile: mine\n")
    (tmp_path / "results" / "mine").mkdir(parents=True)
    with pytest.raises(ConfigError, match=rf"^{tmp_path}: no digests: \S") as caught:
        equivalence.digests_of(tmp_path)
    assert "config/default.yaml" in str(caught.value)  # which is not there


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (
            "raise ValueError('one\\n  two\\n')",
            'ValueError: one two (File "<string>", line 1',
        ),
        ("import sys; sys.exit('enough')", "no numbers: enough"),
        ("import sys; sys.exit(3)", "no numbers: it says nothing"),
        (
            "import sys; sys.exit('Error: a\\nb')",
            "Error: a b",
        ),
    ],
)
def test_one_line_tells_why_a_program_failed(tmp_path: Path, program: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        sample.printed(tmp_path, program, "numbers")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kept_folder_is_checked_out_anew(repository: Path, tmp_path: Path) -> None:
    """What an earlier proof has left there, results above all, is no part of the commit."""
    home = tmp_path / "kept" / "old"
    trained(home)
    equivalence._check_out(repository, "HEAD", home)
    assert sorted(path.name for path in home.iterdir()) == ["code.py", "config"]
    assert (home / "code.py").read_text() == "two"
    equivalence._check_out(repository, "HEAD~1", home)
    assert (home / "code.py").read_text() == "one"


def test_an_archive_that_git_cannot_make_is_an_error_of_git(tmp_path: Path) -> None:
    """Not one of unpacking nothing, of which it could not be told what went wrong."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        equivalence._check_out(tmp_path, "f" * 40, tmp_path / "home")
    assert caught.value.cmd[0] == "git"
