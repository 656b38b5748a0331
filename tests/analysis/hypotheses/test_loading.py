"""The table of hypotheses: the project's own is sound, and a bad key is named."""

from pathlib import Path

import pytest
import yaml

from mirtrim.analysis.hypotheses.loading import load_hypotheses
from mirtrim.pruning.methods import settings_of
from mirtrim.utils.errors import ConfigError

OWN = Path(__file__).parents[3] / "config" / "hypotheses.yaml"
# Controls that no method makes yet; verdicts that need them are "not run".
COMING = {
    "nothing_removed_finetune",
    "same_mask_reference_mask_magnitude_local_rewind",
    "same_mask_reference_mask_magnitude_local_rewind_rewind_epochs_added",
}
GOOD = {
    "id": "H1",
    "sentence": "Nothing is lost.",
    "computation": "not_worse",
    "family": "claims",
    "settings": {"run": "trim", "against": "dense", "ratios": [8]},
}


def test_the_projects_own_table() -> None:
    found = load_hypotheses(OWN)
    names = [hypothesis.id for hypothesis in found]
    asked = ["H1", "H1'", "H2", "H2c", *(f"H{n}" for n in range(3, 13))]
    assert [name for name in names if name in asked] == asked


def test_what_is_claimed_of_rewound_trims_is_claimed_of_kept_ones_as_well() -> None:
    """The two differ in the reset alone, of the run and of its control, and share a family."""
    found = {hypothesis.id: hypothesis for hypothesis in load_hypotheses(OWN)}
    twins = [hypothesis for hypothesis in found.values() if hypothesis.twin]
    assert {"H1", "H1'", "H2", "H2c"} <= {hypothesis.twin for hypothesis in twins}
    names = {
        "trim_magnitude_local_rewind": "trim_magnitude_local_finetune",
        "nothing_removed": "nothing_removed_finetune",
    }
    for kept in twins:
        rewound = found[kept.twin]
        assert (kept.computation, kept.family) == (rewound.computation, rewound.family)
        changed = {
            key: [names.get(v, v) for v in value]
            if isinstance(value, list)
            else names.get(value, value)
            if isinstance(value, str)
            else value
            for key, value in rewound.settings.items()
        }
        assert kept.settings == changed


def test_every_run_that_is_named_is_one_of_the_default_profile() -> None:
    config = yaml.safe_load((OWN.parent / "default.yaml").read_text())
    studies = config["studies"].values()
    runs = [*config["runs"], *(run for study in studies for run in study["runs"])]
    known = {"dense", *(settings_of(run).name for run in runs), *COMING}
    for hypothesis in load_hypotheses(OWN):
        named: list[str] = []
        for key in ("run", "against", "runs", "unchanged", "reduced", "faster"):
            value = hypothesis.settings.get(key, [])
            named += [value] if isinstance(value, str) else value
        assert named, hypothesis.id
        assert set(named) <= known, hypothesis.id


def test_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hypotheses.yaml"
    path.write_text(yaml.safe_dump([{**GOOD, "sentence": "Nothing\n  is lost.", "tasks": ["a"]}]))
    (found,) = load_hypotheses(path)
    assert (found.sentence, found.tasks) == ("Nothing is lost.", ("a",))
    assert found.settings["ratios"] == [8]


@pytest.mark.parametrize(
    ("at_most", "accepted"),
    [({"onset": 2.0}, True), ({"onset": "two"}, False), ({3: 2.0}, False), ([2.0], False)],
)
def test_keys_and_values_of_a_mapping_are_checked(
    tmp_path: Path, at_most: object, accepted: bool
) -> None:
    settings = {"run": "trim", "times": 1.0, "at_most": at_most}
    path = tmp_path / "hypotheses.yaml"
    path.write_text(
        yaml.safe_dump([{**GOOD, "computation": "within_budget", "settings": settings}])
    )
    if accepted:
        assert load_hypotheses(path)[0].settings["at_most"] == at_most
        return
    with pytest.raises(ConfigError, match=r"settings\.at_most: must be dict\[str, float\], not"):
        load_hypotheses(path)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({}, "key (top level): {} is not of type 'array'"),
        ([3], "key 0: 3 is not of type 'object'"),
        ([{**GOOD, "id": "X1"}], "key X1.id: 'X1' does not match"),
        ([{**GOOD, "sentence": ""}], "key H1.sentence: '' does not match"),
        (
            [{**GOOD, "thresold": 1}],
            "('thresold' was unexpected)",
        ),
        ([{**GOOD, "computation": "guess"}], "key H1.computation: 'guess' is not one of"),
        ([{**GOOD, "tasks": "onset"}], "key H1.tasks: 'onset' is not of type 'array'"),
        ([{**GOOD, "settings": []}], "key H1.settings: [] is not of type 'object'"),
        ([{**GOOD, "settings": {"run": "trim"}}], "key settings.against: not_worse needs it"),
        ([{**GOOD, "settings": {**GOOD["settings"], "marginn": 1}}], "settings.marginn: unknown"),
        ([{**GOOD, "settings": {**GOOD["settings"], "ratios": 8}}], "must be list[float], not 8"),
        ([{**GOOD, "settings": {**GOOD["settings"], "times": True}}], "must be float, not True"),
        ([GOOD, GOOD], "H1: stands there twice"),
        ([{**GOOD, "twin": 2}], "key H1.twin: 2 is not of type 'string'"),
        ([{**GOOD, "twin": "H9"}], "H1: key twin: no hypothesis 'H9'; known: H1"),
    ],
)
def test_a_bad_key_is_named(tmp_path: Path, entries: object, message: str) -> None:
    path = tmp_path / "hypotheses.yaml"
    path.write_text(yaml.safe_dump(entries))
    with pytest.raises(ConfigError) as caught:
        load_hypotheses(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_yaml(tmp_path: Path) -> None:
    path = tmp_path / "hypotheses.yaml"
    path.write_text("- {id: H1\n")
    with pytest.raises(ConfigError, match="not readable as YAML"):
        load_hypotheses(path)
