"""The calls that other people make: trim, save, load, and the same on the command line."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import mirtrim
from mirtrim.cli import main
from mirtrim.utils.errors import ConfigError, RatioError, TraceError

FACTORY = """
import torch
from torch import nn

class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.front = nn.Conv1d(3, 16, 5, padding=2)
        self.norm = nn.BatchNorm1d(16)
        self.memory = nn.GRU(16, 12, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(24, 4)

    def forward(self, x):
        hidden = self.norm(self.front(x)).relu().transpose(1, 2)
        return self.head(self.memory(hidden)[0])

def factory():
    torch.manual_seed(0)
    return Recurrent()

def wrong():
    return 3
"""
INPUT = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mynets.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mynets", raising=False)
    return tmp_path


def factory() -> nn.Module:
    import mynets  # written by the fixture

    model: nn.Module = mynets.factory()
    return model.eval()


def test_trim_gives_a_smaller_module_and_a_report(package: Path) -> None:
    model = factory()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    small = mirtrim.trim(model, INPUT, ratio=4, criterion="magnitude")
    assert small(INPUT).shape == (2, 20, 4)
    report = small.trim_report
    assert isinstance(report, mirtrim.TrimReport)
    assert report.parameters_before == sum(p.numel() for p in model.parameters())
    assert report.parameters_after == sum(p.numel() for p in small.parameters())
    assert 4 <= report.ratio < 5
    assert report.speed_up > 1
    units = {layer.name: (layer.units_before, layer.units_after) for layer in report.layers}
    assert units["head"] == (4, 4)
    assert units["front"][1] < 16
    assert "memory" in str(report)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_saved_network_is_read_by_a_process_that_has_only_the_factory(package: Path) -> None:
    small = mirtrim.trim(factory(), INPUT, ratio=4)
    mirtrim.save(small, package / "small")
    save_file({"x": INPUT, "y": small.eval()(INPUT).detach()}, package / "io.safetensors")
    script = (
        "import mirtrim, mynets, torch; from safetensors.torch import load_file\n"
        "io = load_file('io.safetensors'); net = mirtrim.load('small', mynets.factory).eval()\n"
        "assert torch.equal(net(io['x']), io['y'])\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=package, check=True, timeout=120)


def chain() -> nn.Sequential:
    """8 + 8 · 4 + 4 = 44 weights; of two and two units 2 + 4 + 2 are left, of one and one 3."""
    torch.manual_seed(0)
    sizes = nn.Linear(1, 8, bias=False), nn.Linear(8, 4, bias=False), nn.Linear(4, 1, bias=False)
    return nn.Sequential(*sizes)


ONE = torch.ones(1, 1)


def left(small: nn.Module) -> list[list[float]]:
    return [p.flatten().tolist() for p in small.parameters()]


def test_two_units_of_every_layer_stay_unless_fewer_are_allowed() -> None:
    small = mirtrim.trim(chain(), ONE, ratio=5.5)
    assert [layer.units_after for layer in small.trim_report.layers] == [2, 2, 1]
    with pytest.raises(RatioError, match="cannot get below 8"):
        mirtrim.trim(chain(), ONE, ratio=5.51)
    smaller = mirtrim.trim(chain(), ONE, ratio=44 / 3, minimum_units=1)
    assert [layer.units_after for layer in smaller.trim_report.layers] == [1, 1, 1]


@pytest.mark.parametrize("budget", ["parameters", "macs"])
def test_a_network_without_parameters_has_nothing_to_trim(budget: str) -> None:
    with pytest.raises(RatioError, match=f"ReLU has no {budget}: nothing to trim"):
        mirtrim.trim(nn.ReLU(), torch.ones(2, 3), ratio=2, budget=budget)


def test_a_ratio_is_a_number_from_1_on() -> None:
    whole = mirtrim.trim(chain(), ONE, ratio=1)
    assert sum(p.numel() for p in whole.parameters()) == 44
    for ratio, problem in (
        (True, "ratio True: must be a number"),
        ("4", "ratio '4': must be a number"),
        (None, "ratio None: must be a number"),
        (0.999, "ratio 0.999: must be at least 1"),
        (float("nan"), "ratio nan: must be at least 1"),
    ):
        with pytest.raises(ConfigError, match=problem):
            mirtrim.trim(chain(), ONE, ratio=ratio)


def test_chance_is_that_of_seed_0_unless_another_is_given() -> None:
    found = [
        left(mirtrim.trim(chain(), ONE, ratio=3, criterion="random", **words))
        for words in ({}, {"seed": 0}, {"seed": 1})
    ]
    assert found[0] == found[1] != found[2]


def test_what_cannot_be_followed_is_kept_unless_that_is_forbidden() -> None:
    class Sorted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.first(x).sort(dim=1).values)

    torch.manual_seed(0)
    assert mirtrim.trim(Sorted(), torch.rand(2, 3), ratio=1).first.out_features == 8
    with pytest.raises(TraceError, match="sort"):
        mirtrim.trim(Sorted(), torch.rand(2, 3), ratio=1, strict=True)


def test_what_the_example_does_not_reach_is_told() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.last, self.spare = nn.Linear(3, 8), nn.Linear(8, 1), nn.Linear(2, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(self.used(x).relu())

    torch.manual_seed(0)
    with pytest.warns(UserWarning, match="the example does not reach spare") as told:
        small = mirtrim.trim(Half(), torch.rand(2, 3), ratio=1.2)
    assert told[0].filename == __file__  # it is the caller who can do something about it
    report = small.trim_report
    assert report.unreached_parameters == 15
    assert report.parameters_before == 32 + 9 + 15


def test_macs_can_be_counted(package: Path) -> None:
    small = mirtrim.trim(factory(), INPUT, ratio=3, budget="macs", scale="macs", scope="global")
    assert small.trim_report.speed_up >= 3


def test_protected_layers_keep_all_units(package: Path) -> None:
    small = mirtrim.trim(factory(), INPUT, ratio=2, protect=["front"])
    units = {layer.name: layer.units_after for layer in small.trim_report.layers}
    assert units["front"] == 16


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ratio": 1000}, RatioError, "largest ratio from here"),
        ({"ratio": 0.5}, ConfigError, "ratio 0.5: must be at least 1"),
        ({"ratio": 2, "criterion": "beauty"}, ConfigError, "unknown criterion 'beauty'; known:"),
        ({"ratio": 2, "budget": "watts"}, ConfigError, "unknown budget 'watts'"),
        ({"ratio": 2, "protect": ["bakc"]}, Exception, "bakc"),
    ],
)
def test_mistakes_are_named(
    package: Path, arguments: dict, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        mirtrim.trim(factory(), INPUT, **arguments)


def test_a_report_is_a_table_and_a_picture(package: Path, tmp_path: Path) -> None:
    report = mirtrim.trim(factory(), INPUT, ratio=2).trim_report
    table = report.to_pandas()
    assert list(table) == ["layer", "kind", "units_before", "units_after", "kept_because"]
    assert table.layer.tolist() == [layer.name for layer in report.layers]
    assert dict(zip(table.layer, table.units_before, strict=True))["front"] == 16
    assert (table.units_after <= table.units_before).all()
    axes = report.plot()
    widths = [[bar.get_width() for bar in bars] for bars in axes.containers]
    assert widths == [table.units_before.tolist(), table.units_after.tolist()]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == table.layer.tolist()
    assert f"{report.parameters_after:,}" in axes.get_title()
    assert report.plot(axes) is axes
    axes.figure.savefig(tmp_path / "units.svg")
    assert (tmp_path / "units.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("call", "package_name"), [("to_pandas", "pandas"), ("plot", "matplotlib")]
)
def test_what_a_table_or_a_picture_needs_is_named(
    package: Path, monkeypatch: pytest.MonkeyPatch, call: str, package_name: str
) -> None:
    report = mirtrim.trim(factory(), INPUT, ratio=2).trim_report
    for name in (package_name, f"{package_name}.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"pip install {package_name}"):
        getattr(report, call)()


def test_command_line(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file(factory().state_dict(), package / "w.safetensors")
    words = (
        "trim mynets:factory --weights w.safetensors --input 1,3,20 --ratio 4 --output out/small"
    )
    assert main(words.split()) == 0
    printed = capsys.readouterr().out
    assert "theoretical speed-up" in printed
    again = mirtrim.load(package / "out/small", factory)
    assert sum(p.numel() for p in again.parameters()) < 0.25 * sum(
        p.numel() for p in factory().parameters()
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("trim mynets --input 1,3,20 --ratio 4", "write package.module:function"),
        ("trim mynets:missing --input 1,3,20 --ratio 4", "mynets:missing: module 'mynets' has no"),
        ("trim mynets:wrong --input 1,3,20 --ratio 4", "returned int, not a torch module"),
        ("trim mynets:factory --input 1x3 --ratio 4", "--input 1x3: write sizes like"),
        ("trim mynets:factory --input 1,3,20 --ratio 999", "largest ratio from here"),
        (
            "trim mynets:factory --weights bad.bin --input 1,3,20 --ratio 2",
            "bad.bin: is not a complete",
        ),
        ("trim mynets:factory --weights none.bin --input 1,3,20 --ratio 2", "none.bin"),
    ],
)
def test_command_line_mistakes_are_one_line(
    package: Path, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    (package / "bad.bin").write_bytes(b"not weights")
    assert main(words.split()) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
    assert not list(package.glob("trimmed*"))


def test_the_example_of_the_documentation_works(package: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/trimming.md").read_text()
    block = text.split("## A criterion of your own")[1].split("```python")[1].split("```")[0]
    assert len([line for line in block.splitlines() if line.strip()]) <= 10
    exec(block, {})
    small = mirtrim.trim(factory(), INPUT, ratio=2, criterion="largest_weight")
    assert small.trim_report.ratio >= 2


def test_a_report_cuts_what_else_belongs_to_the_network():
    net = nn.Sequential(nn.Linear(1, 3, bias=False), nn.Linear(3, 1, bias=False))
    net.load_state_dict(
        {"0.weight": torch.tensor([[3.0], [1.0], [2.5]]), "1.weight": torch.tensor([[4.0, 5, 6]])}
    )
    rewound = {name: value.clone() + 10 for name, value in net.state_dict().items()}
    optimizer = torch.optim.SGD(net.parameters(), 0.5, momentum=0.9)
    net(torch.ones(1, 1)).sum().backward()
    optimizer.step()
    small = mirtrim.trim(net, torch.ones(1, 1), 1.5, minimum_units=1)
    # The step of half a gradient leaves 1, -1.5 and -0.5 of the first weights.
    assert small[0].weight.flatten().tolist() == [1.0, -1.5]
    smaller = small.trim_report.cut_optimizer(optimizer, net, small)
    assert smaller.state[small[0].weight]["momentum_buffer"].flatten().tolist() == [4.0, 5.0]
    assert smaller.state[small[1].weight]["momentum_buffer"].flatten().tolist() == [3.0, 1.0]
    small.load_state_dict(small.trim_report.cut_tensors(rewound))
    assert small[0].weight.flatten().tolist() == [13.0, 11.0]
    with pytest.raises(ConfigError, match=r"take that of mirtrim\.trim"):
        dataclasses.replace(small.trim_report, cut=None).cut_tensors(rewound)
