"""The plan of a start: the same whether it is made or read, and read only if nothing changed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mirtrim.pruning.methods import settings_of
from mirtrim.runs import plan as planning
from mirtrim.runs.code import _dense, compress_code
from mirtrim.runs.plan import cached_plan, make_plan
from mirtrim.utils.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
SCRIPTS = sorted((ROOT / "workflow/scripts").glob("*.py"))


@pytest.fixture
def config() -> dict[str, Any]:
    config = yaml.safe_load((ROOT / "config/default.yaml").read_text())
    config["tasks"] = {name: config["tasks"][name] for name in ("pitch", "onset")}
    config["studies"] = {"methods": {**config["studies"]["methods"], "tasks": ["onset"]}}
    return {**config, "costs": {"runs": []}, "models": {"runs": []}}


def test_a_plan_says_what_the_library_says(config: dict[str, Any]) -> None:
    before = json.dumps(config)
    plan = make_plan(config, SCHEMA, SCRIPTS)
    assert json.dumps(config) == before
    assert list(plan.config["tasks"]) == ["pitch", "onset"]  # the order of the configuration
    assert plan.config["tasks"]["onset"]["ratios"] == config["ratios"]
    trim = settings_of(plan.config["runs"][1])
    assert plan.runs[1] == "trim_magnitude_local_rewind"
    assert plan.columns["trim_magnitude_local_rewind"] == trim.columns
    corpus = plan.config["corpora"]["mini_groove_midi"]
    code = compress_code("onset", corpus, trim)
    assert plan.code["compress onset trim_magnitude_local_rewind"] == code
    assert plan.rounds["pitch feedback_local"] == [[4, 4], [6, 11]]  # 16 is none of its ratios
    expected = plan.expected()["onset"]["trim_magnitude_local_rewind"]
    assert (expected.code, expected.ratios) == (code, (1.5, 2, 4, 8, 16, 32))
    assert expected.settings == plan.settings["task onset"]
    assert plan.studies["methods"][-1] == "dense_longer"
    assert plan.scripts.keys() == {path.name for path in SCRIPTS} - {"job.py"}


def test_code_of_flaws_is_behind_flawed_trainings_alone() -> None:
    plain = _dense("chord", {"loader": "guitarset", "mode": "audio"}, {"label_noise": 0})
    noisy = _dense("chord", {"loader": "guitarset", "mode": "audio"}, {"label_noise": 0.1})
    assert "mirtrim.runs.jobs.dense.train_dense" in plain
    assert set(noisy) - set(plain) == {"mirtrim.runs.jobs.altered.flawed", "mirtrim.tasks.flaws"}
    with pytest.raises(ConfigError, match="training.label_noise is for"):
        _dense("onset", {"loader": "groove_midi", "mode": "audio"}, {"label_noise": 0.1})


def test_a_kept_plan_is_the_same_and_needs_no_torch(config: dict[str, Any], tmp_path: Path) -> None:
    plan = cached_plan(config, SCHEMA, SCRIPTS, tmp_path)
    assert plan == make_plan(config, SCHEMA, SCRIPTS)
    code = f"""
import json, sys
from pathlib import Path
from mirtrim.runs.plan import cached_plan
scripts = sorted(Path({str(SCRIPTS[0].parent)!r}).glob("*.py"))
plan = cached_plan(json.loads({json.dumps(config)!r}), Path({str(SCHEMA)!r}), scripts,
                   Path({str(tmp_path)!r}))
assert "torch" not in sys.modules
print(plan.code["corpus mini_groove_midi"])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == plan.code["corpus mini_groove_midi"]


def test_a_change_makes_another_plan(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def make(*given: Any) -> planning.Plan:
        made.append(given[0]["profile"])
        return make_plan(*given)

    monkeypatch.setattr(planning, "make_plan", make)
    cached_plan(config, SCHEMA, SCRIPTS, tmp_path)
    cached_plan(config, SCHEMA, SCRIPTS, tmp_path)
    assert made == ["default"]
    cached_plan({**config, "profile": "other"}, SCHEMA, SCRIPTS, tmp_path)
    assert made == ["default", "other"]
    # The text of a source: a comment is enough.
    changed = tmp_path / "job.py"
    changed.write_text(SCRIPTS[0].read_text() + "# changed\n")
    scripts = [changed, *(path for path in SCRIPTS if path.name != "job.py")]
    cached_plan(config, SCHEMA, scripts, tmp_path)
    assert len(made) == 3


def test_a_damaged_plan_is_made_again_and_old_ones_go(
    config: dict[str, Any], tmp_path: Path
) -> None:
    plan = cached_plan(config, SCHEMA, SCRIPTS, tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_text(kept.read_text()[:-20])
    for number in range(planning.KEPT + 3):
        (tmp_path / f"{number}.json").write_text("{}")
    assert cached_plan(config, SCHEMA, SCRIPTS, tmp_path) == plan
    assert len(list(tmp_path.iterdir())) == planning.KEPT
    assert json.loads(kept.read_text())["runs"] == plan.runs


def test_without_a_place_to_keep_it_a_plan_is_made(config: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    plan = cached_plan(config, SCHEMA, SCRIPTS, tmp_path / "file")
    assert plan == make_plan(config, SCHEMA, SCRIPTS)


def test_a_wrong_configuration_is_refused_every_time(
    config: dict[str, Any], tmp_path: Path
) -> None:
    config["ratios"] = [4, 2]
    for _ in range(2):
        with pytest.raises(ConfigError, match="ratios"):
            cached_plan(config, SCHEMA, SCRIPTS, tmp_path)
    assert not list(tmp_path.iterdir())
