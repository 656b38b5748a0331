"""What a verdict is about: widths beside the published ones, training, rewind epoch, corpus."""

from pathlib import Path

import pytest
import yaml

from mirtrim.analysis.conditions import conditions_of, in_one_line
from mirtrim.runs.config import validate

ROOT = Path(__file__).parents[2]
PUBLISHED = yaml.safe_load((ROOT / "config/paper.yaml").read_text())["tasks"]
BLOCK = {
    "corpus": "mini",
    "rewind_epoch": 1,
    "network": {"widths": [8, 10, 12], "hidden": 100, "noise": 0.1},
    "training": {"epochs": 5},
}


def test_widths_stand_beside_the_published_ones() -> None:
    known = {"chord": {"network": {"widths": [16, 20, 24], "hidden": 200}}}
    conditions = conditions_of({"chord": BLOCK}, known)["chord"]
    assert conditions.shares == [0.5] * 4
    assert str(conditions) == (
        "widths 8-10-12, hidden 100 (published 16-20-24, 200); Adam, 5 epochs; "
        "rewound to epoch 1; mini"
    )


def test_networks_without_published_widths_are_told_without() -> None:
    for known in (None, {}, {"chord": None}, {"chord": {"network": {"widths": [16, 20]}}}):
        conditions = conditions_of({"chord": BLOCK}, known)["chord"]
        assert conditions.width_text == "widths 8-10-12, hidden 100"
    bare = conditions_of({"genre": {**BLOCK, "network": {}}})["genre"]
    assert bare.width_text == "widths at their defaults"


def test_published_widths_and_precision_are_told() -> None:
    training = {"epochs": 30, "optimizer": "adam", "precision": "bfloat16"}
    block = {**BLOCK, "training": training}
    conditions = conditions_of({"chord": block}, {"chord": block})["chord"]
    assert conditions.width_text == "widths 8-10-12, hidden 100 (as published)"
    assert conditions.training_text == "Adam, 30 epochs in bfloat16"
    assert in_one_line([conditions]).startswith("published widths, 30 epochs of Adam")


def test_a_wider_bottleneck_is_told_and_is_no_width() -> None:
    known = {"chord": {"network": {"widths": [8, 10, 12], "hidden": 100, "bottleneck_channels": 1}}}
    network = {**BLOCK["network"], "bottleneck_channels": 4}
    conditions = conditions_of({"chord": {**BLOCK, "network": network}}, known)["chord"]
    assert conditions.width_text == (
        "widths 8-10-12, hidden 100 (as published), bottleneck channels 4 (published 1)"
    )
    assert conditions.shares == [1.0] * 4
    same = conditions_of({"chord": {**BLOCK, "network": network}}, {"chord": {"network": network}})
    assert "bottleneck" not in same["chord"].width_text


def test_one_line_says_from_where_to_where() -> None:
    other = {
        **BLOCK,
        "corpus": "maxi",
        "rewind_epoch": 6,
        "network": {"channels": 24},
        "training": {"epochs": 40, "optimizer": "sgd"},
    }
    known = {"chord": BLOCK, "onset": {"network": {"channels": 256}}}
    conditions = list(conditions_of({"chord": BLOCK, "onset": other}, known).values())
    assert in_one_line(conditions) == (
        "0.094 to 1 of the published widths, 5 to 40 epochs of Adam and SGD, "
        "rewound to epoch 1 to 6, mini, maxi"
    )
    with pytest.raises(ValueError, match="no conditions"):
        in_one_line([])


def profile(name: str) -> dict[str, dict[str, object]]:
    """Tasks of a profile of one file over the default one, defaults filled in."""

    def merged(base: dict, changes: dict) -> dict:  # type: ignore[type-arg]
        both = {
            key: merged(base[key], value)
            if isinstance(value, dict) and isinstance(base.get(key), dict)
            else value
            for key, value in changes.items()
        }
        return {**base, **both}

    config = yaml.safe_load((ROOT / "config/default.yaml").read_text())
    if name != "default":
        config = merged(config, yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    return validate(config, ROOT / "workflow/schemas/config.schema.yaml", [])["tasks"]


@pytest.mark.parametrize("name", ["default", "feedback"])
def test_the_first_page_says_what_its_headlines_are_about(name: str) -> None:
    """The line is the configuration's; where that changes, the page has to."""
    line = in_one_line(list(conditions_of(profile(name), PUBLISHED).values()))
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert line in readme.replace("`", "")
