"""mirtrim measure: the right network and inputs reach the measurement."""

import sys
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file

from mirtrim.cli import main
from mirtrim.listening.bundle import write_bundle
from tests.listening.samples import about_of, network_of

SOURCE = """
from torch import nn

def factory():
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
"""


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """Calls of a stand-in for the measurement, which has tests of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "measurednets.py").write_text(SOURCE)
    calls = []
    stand_in = ModuleType("mirtrim.deploy.measuring")

    def measure_network(model, example_inputs, *, seconds):
        calls.append((model, example_inputs, seconds))
        return "what it costs"

    stand_in.measure_network = measure_network
    monkeypatch.setitem(sys.modules, "mirtrim.deploy.measuring", stand_in)
    yield calls
    sys.modules.pop("measurednets", None)


def test_a_factory_with_weights(measured, tmp_path, capsys):
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    save_file(net.state_dict(), tmp_path / "w.safetensors")
    words = "measure measurednets:factory --weights w.safetensors --input 5,3 --seconds 0.5"
    assert main(words.split()) == 0
    assert capsys.readouterr().out == "what it costs\n"
    ((model, inputs, seconds),) = measured
    assert torch.equal(model[0].weight, net[0].weight)
    assert not model.training
    assert [tuple(tensor.shape) for tensor in inputs] == [(5, 3)]
    assert seconds == 0.5


@pytest.mark.parametrize("ending", ["", ".safetensors", ".model.json"])
def test_a_bundle_knows_its_input(measured, tmp_path, ending):
    network = network_of("onset")
    base = write_bundle(tmp_path / "models", "onset-4", network, about_of("onset", network))
    assert main(["measure", f"{base}{ending}"]) == 0
    ((model, inputs, seconds),) = measured
    assert sum(p.numel() for p in model.parameters()) == sum(
        p.numel() for p in network.parameters()
    )
    assert [tuple(tensor.shape) for tensor in inputs] == [(1, 1, 8, 20)]
    assert seconds == 2.0


def test_eight_bits_are_not_taken_for_thirty_two(measured, tmp_path, capsys):
    network = network_of("onset")
    base = write_bundle(tmp_path / "models", "onset-4", network, about_of("onset", network))
    assert main(["measure", f"{base}.int8.onnx"]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {base}.int8.onnx: int8 networks are not measured")
    assert printed.count("\n") == 1
    assert measured == []


@pytest.mark.parametrize(
    ("value", "message"), [("nan", "tensor '2.weight' holds NaN"), ("inf", "outputs hold NaN")]
)
def test_weights_that_are_no_numbers_are_named(measured, capsys, value, message):
    net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    with torch.no_grad():
        net[2].weight[0] = float(value)
        net[0].bias.fill_(-1e3)  # all of them are 0 behind it, and 0 · inf is no number
    save_file(net.state_dict(), "w.safetensors")
    words = "measure measurednets:factory --weights w.safetensors --input 1,3"
    assert main(words.split()) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert measured == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("measurednets:factory", "--input is missing"),
        ("measurednets:factory --input 5,3 --seconds 0", "--seconds 0: must be above 0"),
        ("measurednets", "measurednets: neither package.module:function nor a bundle"),
        ("", "'' names no file"),
        ("models/none --input 5,3", "a bundle has its own --input"),
        ("measurednets:gone --input 5,3", "measurednets:gone: module"),
    ],
)
def test_mistakes_are_one_line(measured, capsys, words, message):
    assert main(["measure", *(words.split() or [""])]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
    assert measured == []
