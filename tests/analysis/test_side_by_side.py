"""Two profiles' verdicts on the same claims: what agrees, what does not, and where."""

import pandas as pd

from mirtrim.analysis.side_by_side import side_by_side


def verdicts(**of_claims):
    """A table of verdicts: claim_task → (verdict, effect); each claim has an overall line too."""
    lines = []
    for key, (verdict, effect) in of_claims.items():
        claim, task = key.split("_")
        of = {"hypothesis": claim, "measure": "difference of errors"}
        lines += [of | {"task": task, "verdict": verdict, "effect": effect}]
        lines += [of | {"task": "overall", "verdict": verdict, "effect": None}]
    return pd.DataFrame(lines)


def test_agreement_is_counted_and_opposite_verdicts_are_named():
    here = verdicts(
        H1_chord=("refuted", 0.2),
        H1_pitch=("refuted", 0.4851),
        H2_chord=("supported", -0.1),
        H2_pitch=("supported", -0.2),
        H3_pitch=("undecided", 0.01),
        H4_pitch=("undecided", 0.01),
        H5_pitch=("supported", -0.3),
    )
    there = verdicts(
        H1_chord=("refuted", 0.1),
        H1_pitch=("undecided", 0.0594),
        H2_chord=("refuted", 0.3),
        H2_pitch=("supported", -0.1),
        H3_pitch=("undecided", -0.02),
        H4_pitch=("supported", -0.05),
        H5_pitch=("not run", None),
        H6_pitch=("supported", -0.05),
    )
    told, blank, head, _rule, *lines = side_by_side(here, there, "wide")
    assert told == (
        "Claims about a task that were run here and in profile wide: 6. The same verdict: 2; "
        "opposite verdicts: 1 (H2 on chord); undecided in wide alone: 1, here alone: 1, in both: 1."
    )
    assert (blank, head) == ("", "| claim | task | here | wide |")
    assert lines[1] == "| H1 | pitch | refuted +0.485 | undecided +0.059 |"
    assert [line.split(" | ")[0] for line in lines] == [
        "| H1",
        "| H1",
        "| H2",
        "| H2",
        "| H3",
        "| H4",
    ]


def test_profiles_that_share_no_claim_have_nothing_to_compare():
    here, there = verdicts(H1_chord=("refuted", 0.2)), verdicts(H1_pitch=("refuted", 0.2))
    assert list(side_by_side(here, there, "wide")) == []
