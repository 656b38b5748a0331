"""What a run is called: short, and never like another one."""

import pytest

from mirtrim.pruning.methods import settings_of
from mirtrim.runs.labels import label_of, label_of_name
from mirtrim.runs.rows import RUN_KEYS

TRIM = "trim_magnitude_local_rewind"
REFERENCES = {
    TRIM: "same shape (of trim)",
    "trim_magnitude_local_finetune": "same shape (of trim (finetune))",
    "trim_magnitude_local_reinit": "same shape (of trim (reinit))",
    "trim_random_global_rewind": "same shape (of trim (random, global))",
    "trim_fast_magnitude_local_rewind": "same shape (of trim fast)",
    f"{TRIM}_order_shuffled": "same shape (of trim (shuffled))",
}


@pytest.mark.parametrize("reference", REFERENCES)
def test_shapes_of_different_resets_and_criteria_have_different_labels(reference: str) -> None:
    run = settings_of({"method": "same_shape", "reference": reference})
    assert label_of({key: run.columns[key] for key in RUN_KEYS}) == REFERENCES[reference]
    assert label_of_name(run.name) == REFERENCES[reference]


def test_a_mask_of_another_run_keeps_its_other_words() -> None:
    run = {"method": "same_mask", "reference": "mask_magnitude_local_finetune"}
    usual = label_of(settings_of(run).columns)
    longer = label_of(settings_of({**run, "rewind_epochs": "added"}).columns)
    assert usual == "same mask (of mask (finetune))"
    assert longer == "same mask (of mask (finetune), rewind epochs added)"


def test_a_reference_that_no_method_has_reads_as_it_is() -> None:
    run = settings_of({"method": "same_shape", "reference": TRIM}).columns
    assert label_of({**run, "reference": "trim_nothing_at_all"}) == (
        "same shape (of trim nothing at all)"
    )
