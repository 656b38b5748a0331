"""mirtrim trim, and what it wrote read again: mistakes are one line, and leave nothing."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file, save_model

from mirtrim.cli import main
from mirtrim.cli.networks import build, example, network
from mirtrim.cli.trim import CRITERIA, NEED_DATA
from tests.cli.terminals import on_terminal

SOURCE = """
import torch
from torch import nn

def factory():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 2))

def lost():
    model = factory()
    model[2].bias.data[1] = float("nan")
    return model

class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.e, self.h, self.o = nn.Embedding(9, 6), nn.Linear(6, 6), nn.Linear(6, 9, bias=False)
        self.o.weight = self.e.weight

    def forward(self, words):
        return self.o(self.h(self.e(words)))

def double():
    return factory().double()

def half():
    return factory().half()

def normed():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 2))

class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 16)
        self.out = nn.Linear(16, 4)
        self.calls = 0
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, words):
        self.seen += 1
        return self.out(self.table(words).mean(1))

def two(size):
    return nn.Linear(size, 2)

def built(width=16, kernel=(3,), act="relu", norm=False):
    torch.manual_seed(0)
    layers = [nn.Conv1d(3, width, kernel[0]), nn.BatchNorm1d(width)][: 1 + norm]
    return nn.Sequential(*layers, {"relu": nn.ReLU, "tanh": nn.Tanh}[act](), nn.Conv1d(width, 2, 1))

def raises():
    raise RuntimeError("no such file\\n  as this")

def leaves():
    raise SystemExit(3)

def number():
    return 3

thing = 3
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with such a module."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trimmednets.py").write_text(SOURCE)
    (tmp_path / "folder").mkdir()
    (tmp_path / "brokennets.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "wrongnets.py").write_text("def factory(:\n")
    (tmp_path / "loudnets.py").write_text("raise ValueError('at import')\n")
    yield tmp_path
    for name in ("trimmednets", "brokennets", "wrongnets", "loudnets"):
        sys.modules.pop(name, None)


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_that_needs_no_data(place, capsys, criterion):
    words = f"trim trimmednets:normed --input 5,3 --ratio 2 --criterion {criterion}"
    assert main(words.split()) == 0
    assert "saved trimmed.safetensors" in capsys.readouterr().out


@pytest.mark.parametrize("criterion", NEED_DATA)
def test_those_that_need_data_say_which_do_not(place, capsys, criterion):
    words = f"trim trimmednets:factory --input 5,3 --ratio 2 --criterion {criterion}"
    assert main(words.split()) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: --criterion {criterion}: needs data, which cannot be")
    assert "use magnitude, batchnorm, random" in printed
    assert printed.count("\n") == 1


def test_what_trim_wrote_can_be_trimmed_and_measured(place, capsys):
    words = "trim trimmednets:factory --input 5,3 --ratio 2 --output small"
    assert main(words.split()) == 0
    dense = parameters(build("trimmednets:factory"))
    once = parameters(network("trimmednets:factory", Path("small.safetensors")))
    assert once <= dense / 2
    for named in ("small", "small.safetensors", "small.json"):
        again = f"trim trimmednets:factory --weights {named} --input 5,3 --ratio 2 --output less"
        assert main(again.split()) == 0
        assert parameters(network("trimmednets:factory", Path("less"))) <= once / 2
    capsys.readouterr()
    words = "measure trimmednets:factory --weights small --input 1,3 --seconds 0.05"
    assert main(words.split()) == 0
    assert f"parameters               {once}" in capsys.readouterr().out
    assert main(["measure", "small.safetensors", "--input", "1,3"]) == 1
    assert "holds the weights of a trimmed network; name the function" in capsys.readouterr().err


def test_arguments_of_the_factory(place, capsys):
    given = "--argument width=40 --argument kernel=[5] --argument act=tanh --argument norm=true"
    words = f"trim trimmednets:built --input 2,3,20 --ratio 2 --output small {given}"
    assert main(words.split()) == 0
    arguments = {"width": 40, "kernel": [5], "act": "tanh", "norm": True}
    small = network("trimmednets:built", Path("small"), arguments)
    assert small[0].weight.shape[0] <= 20
    assert small[0].weight.shape[2] == 5
    assert isinstance(small[1], torch.nn.BatchNorm1d)
    assert isinstance(small[2], torch.nn.Tanh)
    capsys.readouterr()
    words = f"measure trimmednets:built --weights small --input 1,3,20 --seconds 0.05 {given}"
    assert main(words.split()) == 0
    assert f"parameters               {parameters(small)}" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["trim", "measure"])
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("width", "--argument width: write NAME=VALUE"),
        ("=3", "--argument =3: write NAME=VALUE"),
        ("a-b=3", "--argument a-b=3: write NAME=VALUE"),
        ("wide=3", "trimmednets:built: cannot be called with wide (TypeError"),
        ("act=sine", "trimmednets:built: cannot be called with act (KeyError"),
        ("width=3 --argument width=4", "--argument width=4: width is given twice"),
    ],
)
def test_wrong_arguments_of_the_factory_are_one_line(place, capsys, verb, given, problem):
    ratio = "--ratio 2" if verb == "trim" else ""
    assert main(f"{verb} trimmednets:built --input 2,3,20 {ratio} --argument {given}".split()) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {problem}")
    assert printed.count("\n") == 1


def test_an_embedding(place, capsys):
    words = "trim trimmednets:Words --input 2,7:int64:50 --ratio 2 --output words"
    assert main(words.split()) == 0
    small = network("trimmednets:Words", Path("words"))
    assert small.table.weight.shape[0] == 50
    assert small.table.weight.shape[1] <= 8
    words = "measure trimmednets:Words --weights words --input 1,7:int64:50 --seconds 0.05"
    assert main(words.split()) == 0


@pytest.mark.parametrize("name", ["double", "half"])
def test_inputs_have_the_precision_of_the_network(place, capsys, name):
    assert main(f"trim trimmednets:{name} --input 5,3 --ratio 2".split()) == 0
    capsys.readouterr()
    assert main(f"measure trimmednets:{name} --input 1,3 --seconds 0.05".split()) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: Sequential cannot be exported: 0.weight is float")
    assert printed.count("\n") == 1


def test_example_inputs():
    assert example("2,3", 0).dtype == torch.float32
    assert example("2,3", 0, torch.float64).dtype == torch.float64
    drawn = example("1000:int64:7", 0)
    assert (drawn.dtype, int(drawn.min()), int(drawn.max())) == (torch.int64, 0, 6)
    assert example("4:bool", 0).dtype == torch.bool
    assert example("2,2:float16", 0, torch.float64).dtype == torch.float16


MISTAKES = [
    ("trimmednets:factory --input 5,4", "--input 5,4: the network cannot take this (RuntimeErr"),
    ("trimmednets:factory --input 5,3 --input 5,3", "cannot take this (TypeError"),
    ("trimmednets:Words --input 2,7", "--input 2,7: the network cannot take this"),
    ("trimmednets:Words --input 2,7:int64:99999", "cannot take this (IndexError"),
    ("trimmednets:factory --input=-1,3", "--input -1,3: write sizes like"),
    ("trimmednets:factory --input 0,3", "--input 0,3: write sizes like"),
    ("trimmednets:factory --input 5,x", "--input 5,x: write sizes like"),
    ("trimmednets:factory --input 5,3:words", "unknown type 'words'; known: float16"),
    ("trimmednets:factory --input 5,3:int64:x", "write sizes like"),
    ("trimmednets:factory --input 99999999,99999999", "--input 99999999,99999999: cannot be made"),
    ("trimmednets:two --input 5,3", "trimmednets:two: cannot be called without arguments (TypeE"),
    ("trimmednets:raises --input 5,3", "(RuntimeError: no such file as this)"),
    ("trimmednets:leaves --input 5,3", "(SystemExit: 3)"),
    ("trimmednets:number --input 5,3", "trimmednets:number: returned int, not a torch module"),
    ("trimmednets:thing --input 5,3", "trimmednets:thing: cannot be called"),
    ("trimmednets:gone --input 5,3", "has no attribute 'gone'"),
    ("trimmednets: --input 5,3", "trimmednets:: write package.module:function"),
    ("./trimmednets.py:factory --input 5,3", "is a path, not a module; write trimmednets:f"),
    ("lib/trimmednets:factory --input 5,3", "is a path, not a module; write lib.trimmednets:f"),
    ("nonets:factory --input 5,3", "nonets:factory: No module named 'nonets'"),
    ("brokennets:factory --input 5,3", "No module named 'nothing_of_this_name'"),
    ("wrongnets:factory --input 5,3", "cannot be imported (SyntaxError"),
    ("loudnets:factory --input 5,3", "cannot be imported (ValueError: at import)"),
    ("trimmednets:factory --weights none.safetensors --input 5,3", "none.safetensors: no such"),
    (
        "trimmednets:factory --weights trimmednets.py --input 5,3",
        "is not a complete safetensors file",
    ),
    ("trimmednets:factory --weights folder --input 5,3", "folder: a folder, not a file; check"),
    ("trimmednets:factory --weights . --input 5,3", "'.' names no file; write a name, such as"),
    ("trimmednets:factory --input 2:int64:99999999999999999999", "cannot be made (Overflow"),
    ("trimmednets:factory --input 99999999999999999999", "cannot be made (randn()"),
    ("trimmednets:lost --input 5,3", "tensor '2.bias' holds NaN"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
@pytest.mark.parametrize("verb", ["trim", "measure"])
def test_mistakes_are_one_line(place, capsys, verb, words, message):
    more = ["--ratio", "2"] if verb == "trim" else []
    before = {path.name for path in place.iterdir()}
    assert main([verb, *words.split(), *more]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
    assert {path.name for path in place.iterdir()} - {"__pycache__"} == before


@pytest.mark.parametrize(
    "words",
    [
        "--input 5,3 --ratio nan",
        "--input 5,3 --ratio 0.5",
        "--input 5,3 --ratio 1e9",
        "--input 5,3 --ratio 2 --protect none",
        "--input 5,3 --ratio 2 --criterion melt",
        "--input 5,3 --ratio 2 --minimum-units 1000",
        "--input 5,3 --ratio 2 --minimum-units 0",
        "--input 5,3 --ratio 2 --minimum-units -5",
    ],
)
def test_wrong_choices_are_one_line(place, capsys, words):
    assert main(["trim", "trimmednets:factory", *words.split()]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--input 5,3 --ratio two", "argument --ratio: invalid float value: 'two'"),
        ("--input 5,3 --ratio 2 --scope all", "argument --scope: invalid choice: 'all'"),
        ("--input 5,3 --ratio 2 --seed 99999999999999999999", "argument --seed: 99999999999999999"),
        ("--input 5,3 --ratio 2 --seed x", "argument --seed: x: write a whole number"),
        ("--ratio 2", "the following arguments are required: --input"),
        ("--input 5,3 --ratio 2 --what 3", "unrecognized arguments: --what 3"),
    ],
)
def test_arguments_that_cannot_be_read_are_one_line(place, capsys, words, message):
    with pytest.raises(SystemExit) as stopped:
        main(["trim", "trimmednets:factory", *words.split()])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {message}")
    assert printed.endswith("--help\n")
    assert printed.count("\n") == 1


def test_weights_of_another_network(place, capsys):
    save_file({"0.weight": torch.zeros(4, 4)}, "w.safetensors")
    words = "trim trimmednets:factory --weights w.safetensors --input 5,3 --ratio 2"
    assert main(words.split()) == 1
    printed = capsys.readouterr().err
    assert "w.safetensors: does not fit the network" in printed
    assert printed.count("\n") == 1


TRIM = "trim trimmednets:factory --input 5,3 --ratio 2"


def one_line(capsys):
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    return printed.err


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", ["model", "model.safetensors", "model.json"])
@pytest.mark.parametrize("own", ["model.safetensors", "model.json", "model.model.json"])
def test_files_of_others_are_not_replaced(place, capsys, own, name):
    (place / own).write_text('{"mine": true}')
    if own == "model.model.json":
        assert main([*TRIM.split(), "--output", "x"]) == 0
        (place / "x.json").rename(place / "model.json")
        capsys.readouterr()
    before = contents(place)
    assert main([*TRIM.split(), "--output", name]) == 1
    assert one_line(capsys).startswith(f"error: --output {name}: ")
    assert contents(place) == before


@pytest.mark.parametrize("weights", ["small", "small.safetensors", "small.json", "./small"])
def test_the_weights_are_not_replaced(place, capsys, weights):
    assert main([*TRIM.split(), "--output", "small"]) == 0
    capsys.readouterr()
    (place / "link.safetensors").symlink_to("small.safetensors")
    before = contents(place)
    for output in ("small", "link"):
        assert main([*TRIM.split(), "--weights", weights, "--output", output]) == 1
        assert "belongs to --weights; choose another" in one_line(capsys)
    assert contents(place) == before


def test_dense_weights_are_not_replaced(place, capsys):
    save_file(build("trimmednets:factory").state_dict(), "w.safetensors")
    before = contents(place)
    assert main([*TRIM.split(), "--weights", "w.safetensors", "--output", "w"]) == 1
    assert "w.safetensors belongs to --weights" in one_line(capsys)
    assert contents(place) == before


def test_what_is_replaced_and_written_is_said(place, capsys):
    for note in (
        "",
        "note: s.safetensors already existed and is replaced\nnote: s.json already existed",
    ):
        assert main([*TRIM.split(), "--output", "s.json"]) == 0
        printed = capsys.readouterr()
        assert printed.out.endswith("saved s.safetensors and s.json\n")
        assert printed.err.startswith(note)
        assert bool(printed.err) == bool(note)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (".", "'.' names no file"),
        ("", "'.' names no file"),
        ("..", "'..' names no file"),
        ("q", "q.json: Is a directory; move it away or choose another name"),
        ("trimmednets.py/x", "trimmednets.py: Not a directory; choose another name"),
        ("x" * 250, "File name too long; choose a shorter name"),
    ],
)
def test_what_cannot_be_written_is_one_line(place, capsys, output, message):
    (place / "q.json").mkdir()
    before = {path.name for path in place.iterdir()}
    assert main([*TRIM.split(), "--output", output]) == 1
    assert message in one_line(capsys)
    assert {path.name for path in place.iterdir()} == before


@pytest.mark.parametrize("named", ["dj", "dj.json", "dj.safetensors"])
def test_a_damaged_trimmed_network_is_called_so(place, capsys, named):
    assert main([*TRIM.split(), "--output", "dj"]) == 0
    capsys.readouterr()
    (place / "dj.json").write_text((place / "dj.json").read_text()[:50])
    assert main([*TRIM.split(), "--weights", named, "--output", "new"]) == 1
    assert "error: dj.json is not valid JSON" in one_line(capsys)


def test_a_trimmed_network_without_its_widths(place, capsys):
    assert main([*TRIM.split(), "--output", "dj"]) == 0
    capsys.readouterr()
    (place / "dj.json").unlink()
    assert main([*TRIM.split(), "--weights", "dj.safetensors", "--output", "new"]) == 1
    assert one_line(capsys).endswith("; if it is trimmed, put its dj.json next to it\n")


def test_what_lies_beside_weights_of_others_is_not_asked(place, capsys):
    save_file(build("trimmednets:factory").state_dict(), "w.safetensors")
    (place / "w.json").write_text("// a configuration with comments")
    assert main([*TRIM.split(), "--weights", "w.safetensors", "--output", "new"]) == 0


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 of another kind", "cut"])
def test_weights_in_another_format(place, capsys, content):
    save_file(build("trimmednets:factory").state_dict(), "w.safetensors")
    whole = (place / "w.safetensors").read_bytes()
    (place / "w.pt").write_bytes(whole[:-9] if content == "cut" else content)
    assert main([*TRIM.split(), "--weights", "w.pt"]) == 1
    printed = one_line(capsys)
    assert printed.startswith("error: w.pt: is not a complete safetensors file")
    assert printed.endswith("; write it with safetensors.torch.save_file\n")


def test_tied_weights_are_read_as_one_or_as_two(place):
    model = build("trimmednets:Tied")
    save_model(model, "one.safetensors")
    save_file({name: one.clone() for name, one in model.state_dict().items()}, "two.safetensors")
    for name in ("one.safetensors", "two.safetensors"):
        found = network("trimmednets:Tied", Path(name))
        assert found.o.weight is found.e.weight
        assert torch.equal(found.o.weight, model.o.weight)


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_terminal_that_cannot_show_the_report(place, encoding):
    for words in (
        "trim trimmednets:factory --input 5,3 --ratio 2",
        "measure trimmednets:factory --weights trimmed --input 1,3 --seconds 0.05",
    ):
        status, out, _ = on_terminal(encoding, *words.split())
        assert status == 0
        assert b"parameters" in out
