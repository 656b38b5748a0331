"""Brief trims: the cuts of plain ones, trained for a part of the epochs."""

import pytest

from mirtrim.pruning.methods import get_method, settings_of
from mirtrim.runs.jobs.compress import setting_of_run
from mirtrim.runs.jobs.setting import Setting
from mirtrim.tasks.pitch import Pitch
from mirtrim.utils.errors import ConfigError


@pytest.mark.parametrize(
    ("length", "epochs", "wanted"),
    [(0.4, 8, 3), (0.4, 10, 4), (1.0, 8, 8), (0.25, 20, 5), (0.1, 4, 1), (0.01, 3, 1)],
)
def test_a_training_has_its_share_of_the_epochs_and_one_at_least(
    length: float, epochs: int, wanted: int
) -> None:
    settings = settings_of({"method": "trim_briefly", "reset": "finetune", "length": length})
    config = {"training": {"epochs": epochs, "batch_size": 4}, "rewind_epoch": 1}
    setting = Setting("test", "c", Pitch(), config, None)  # type: ignore[arg-type]
    assert setting_of_run(setting, settings).config["training"] == {
        "epochs": wanted,
        "batch_size": 4,
    }


def test_plain_trims_keep_all_epochs() -> None:
    assert not hasattr(get_method("trim"), "epochs")


@pytest.mark.parametrize(("length", "words"), [(0, "below 0.01"), (1.5, "above 1")])
def test_a_length_is_a_share(length: float, words: str) -> None:
    with pytest.raises(ConfigError, match=f"length: {length:g} is {words}"):
        settings_of({"method": "trim_briefly", "length": length})


def test_it_is_called_by_its_length_where_that_is_not_the_usual_one() -> None:
    usual = settings_of({"method": "trim_briefly", "reset": "finetune"})
    assert usual.name == "trim_briefly_magnitude_local_finetune"
    half = settings_of({"method": "trim_briefly", "reset": "finetune", "length": 0.5})
    assert half.name == "trim_briefly_magnitude_local_finetune_length_0p5"
