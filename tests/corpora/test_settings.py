"""Every setting that decides what is in a corpus' folder is part of the folder's name."""

from pathlib import Path

import yaml

from mirtrim.corpora.reader import SETTINGS_OF_MODE

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
# Always part of the name; and where files come from, which does not change them.
ALWAYS = {"loader", "mode"}
PLACES = {"folder", "index"}


def test_every_setting_of_the_schema_decides_or_is_a_place() -> None:
    properties = yaml.safe_load(SCHEMA.read_text())["$defs"]["corpus"]["properties"]
    deciding = {name for names in SETTINGS_OF_MODE.values() for name in names}
    assert deciding == set(properties) - ALWAYS - PLACES
    assert set(SETTINGS_OF_MODE) == set(properties["mode"]["enum"])


def test_the_parts_that_are_downloaded_decide() -> None:
    assert "parts" in SETTINGS_OF_MODE["audio"]
    # Rendered corpora download nothing, or always the same archive.
    assert "parts" not in SETTINGS_OF_MODE["embedded"] + SETTINGS_OF_MODE["performances"]
