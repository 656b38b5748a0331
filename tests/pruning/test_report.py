"""What a report says, word for word, and what it counts."""

from dataclasses import replace

import pytest

from mirtrim.pruning.report import LayerReport, TrimReport, modules_of

LAYERS = (
    LayerReport("front", "conv", 16, 5, ""),
    LayerReport("recurrent", "recurrent", 12, 12, "it is an output of the network"),
)
REPORT = TrimReport(LAYERS, 3000, 1200, 90_000, 20_000, 2.5e-7)


def test_a_report_in_words() -> None:
    assert str(REPORT).splitlines() == [
        "layer      kind       units",
        "front      conv       16 → 5",
        "recurrent  recurrent  12 → 12  (kept: it is an output of the network)",
        "parameters 3,000 → 1,200 (ratio 2.50)",
        "MACs 90,000 → 20,000 (theoretical speed-up 4.50)",
        "largest difference to the gated network: 2.5e-07",
    ]


def test_columns_are_as_wide_as_their_heads() -> None:
    short = replace(REPORT, layers=(LayerReport("0", "linear", 3, 2, ""),))
    assert str(short).splitlines()[:2] == ["layer  kind       units", "0      linear     3 → 2"]
    assert str(replace(REPORT, layers=())).splitlines()[0] == "layer  kind       units"


def test_what_could_not_go_and_why() -> None:
    told = replace(
        REPORT,
        kept={"net.sort: cannot be followed": 1200},
        unreached=("spare.weight", "spare.bias", "gain"),
        unreached_parameters=750,
        notes=("a loop was followed once",),
    )
    assert str(told).splitlines()[6:] == [
        "kept 1,200 units: net.sort: cannot be followed",
        "not reached by the example, so kept whole: spare, gain (750 parameters, 25%; the others "
        "pay for them)",
        "note: a loop was followed once",
    ]
    assert REPORT.unreached_parameters == 0
    assert (REPORT.kept, REPORT.unreached, REPORT.notes) == ({}, (), ())


def test_modules_are_named_once_and_bare_parameters_by_name() -> None:
    assert modules_of(["a.b.weight", "a.b.bias", "gain", "a.weight"]) == "a.b, gain, a"


def test_ratios() -> None:
    assert REPORT.ratio == pytest.approx(2.5)
    assert REPORT.speed_up == pytest.approx(4.5)
    assert replace(REPORT, macs_after=0).speed_up == 90_000  # and no division by zero
    assert replace(REPORT, macs_after=1).speed_up == 90_000


def test_a_second_cut_is_told_beside_the_network_before_the_first() -> None:
    """A layer that the first report does not know keeps its own number."""
    first = TrimReport(
        (LayerReport("front", "conv", 64, 16, ""),), 12_000, 3000, 360_000, 90_000, 1.0
    )
    both = REPORT.since(first)
    assert [(layer.units_before, layer.units_after) for layer in both.layers] == [(64, 5), (12, 12)]
    assert (both.ratio, both.speed_up) == (10, 18)
    assert both.equivalence_difference == REPORT.equivalence_difference
    assert both.layers[1] == LAYERS[1]


def test_a_row_of_the_table_is_a_layer() -> None:
    assert REPORT.to_pandas().to_dict("records") == [
        {"layer": layer.name, "kind": layer.kind, "units_before": layer.units_before,
         "units_after": layer.units_after, "kept_because": layer.kept_because}
        for layer in LAYERS
    ]  # fmt: skip


def test_bars_are_the_units_of_layers_from_the_first_down() -> None:
    axes = REPORT.plot()
    bars = [[bar.get_width() for bar in group] for group in axes.containers]
    assert bars == [[16, 12], [5, 12]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["front", "recurrent"]
    assert axes.yaxis_inverted()
    assert axes.get_title() == "3,000 → 1,200 parameters (2.50×), MACs ÷ 4.50"
    assert axes.get_xlabel() == "units"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["before", "after"]
    low = axes.figure.get_size_inches()[1]
    many = replace(REPORT, layers=LAYERS * 10).plot().figure.get_size_inches()[1]
    assert many - low == pytest.approx(18 * 0.28)  # each layer has room for its name
    assert REPORT.plot(axes) is axes
