"""Latency with a clock of our own, so that drift is planted and numbers are literal."""

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from mirtrim.deploy.latency import Latency, interleaved, onnx_call, summary, torch_call
from mirtrim.utils.errors import ArtefactError, ConfigError


class World:
    """A clock, and work that makes it go on; everything slows down as calls go by."""

    def __init__(self, drift: float = 0.0) -> None:
        self.now, self.calls, self.drift = 0.0, 0, drift
        self.order: list[str] = []

    def clock(self) -> float:
        return self.now

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        def call() -> None:
            self.now += seconds * (1 + self.drift * self.calls)
            self.calls += 1
            self.order.append(name)

        return call


def test_linear_drift_cancels_in_the_ratio_only_when_candidates_take_turns() -> None:
    """One takes 10 ms and one 20, and a call makes every later one slower by 1 %.

    One after the other, each warmed up once, every other call timed: calls 2, 4 … 50, slowed by
    1.26 in the middle, then 53, 55 … 101, by 1.77: a ratio of 2 becomes 2 · 1.77 / 1.26 = 2.81.
    """
    world = World(0.01)
    both = interleaved(
        {"one": world.work("one", 0.010), "two": world.work("two", 0.020)},
        seconds=1.12, warm_up=1, clock=world.clock,
    )  # fmt: skip
    assert 20 <= both["one"].repetitions == both["two"].repetitions <= 30
    assert both["two"].median_ms / both["one"].median_ms == pytest.approx(2.0, rel=0.02)

    world = World(0.01)
    alone = [
        interleaved(
            {name: world.work(name, base)}, seconds=spent, warm_up=1, block=1, clock=world.clock
        )[name]
        for name, base, spent in (("one", 0.010, 0.620), ("two", 0.020, 1.740))
    ]
    assert [one.repetitions for one in alone] == [25, 25]
    assert alone[0].median_ms == pytest.approx(12.6)
    assert alone[1].median_ms / alone[0].median_ms == pytest.approx(1.77 * 2 / 1.26)


def test_every_round_has_each_candidate_once_in_an_order_that_the_seed_decides() -> None:
    def orders(seed: int) -> list[tuple[str, ...]]:
        world = World()
        calls = {name: world.work(name, 0.5) for name in "abc"}
        interleaved(calls, seconds=10, warm_up=2, seed=seed, clock=world.clock)
        assert world.order[:6] == list("aabbcc")
        assert world.order[6::2] == world.order[7::2]  # one call to settle, one that is timed
        timed = world.order[7::2]
        rounds = [tuple(timed[at : at + 3]) for at in range(0, len(timed), 3)]
        assert all(sorted(one) == list("abc") for one in rounds)
        return rounds

    assert len(orders(0)) == 10  # 10 s for each of three, 3 s a round
    assert len(set(orders(0))) > 2
    assert orders(0) == orders(0)
    assert orders(0) != orders(1)


def test_slow_calls_still_get_five_rounds() -> None:
    world = World()
    assert interleaved({"a": world.work("a", 3.0)}, seconds=1, clock=world.clock)["a"] == Latency(
        3000.0, 3000.0, 3000.0, 5
    )


def test_calls_near_the_resolution_of_the_clock_are_timed_in_blocks() -> None:
    """A clock that ticks every 25 µs sees nothing or too much of a call of 2 µs."""
    world = World()
    fast = {"fast": world.work("fast", 2e-6)}
    found = interleaved(fast, seconds=0.01, clock=lambda: world.now // 25e-6 * 25e-6)["fast"]
    assert found.median_ms == pytest.approx(2e-3, rel=0.05)
    assert found.repetitions % 1000 == 0  # no tick during warm-up: the largest block

    world = World()
    found = interleaved({"fast": world.work("fast", 7e-6)}, seconds=0.01, clock=world.clock)["fast"]
    # Eight calls last longer than 50 µs; 10 ms hold 158.7 turns of 63 µs.
    assert (found.repetitions, found.median_ms) == (8 * 159, pytest.approx(0.007))
    assert len(world.order) == 10 + 9 * 159


def test_a_summary_has_median_and_percentiles_per_call() -> None:
    values = [0.001 * k for k in range(21)]  # 0 … 20 ms: every 5 % are one step
    found = summary(values)
    assert (found.median_ms, found.p5_ms, found.p95_ms) == pytest.approx((10, 1, 19))
    assert summary([0.010], block=5) == Latency(2.0, 2.0, 2.0, 5)


def test_the_garbage_collector_rests_while_timing_and_comes_back() -> None:
    seen = []

    def call() -> None:
        seen.append(gc.isenabled())
        if len(seen) > 20:
            raise KeyboardInterrupt

    assert gc.isenabled()
    with pytest.raises(KeyboardInterrupt):
        interleaved({"a": call}, seconds=60)
    assert gc.isenabled()
    assert not any(seen)


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"warm_up": 0}, {"block": 0}])
def test_numbers_out_of_range_are_named(wrong: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        interleaved({"a": lambda: None}, **wrong)
    with pytest.raises(ConfigError, match="at least one candidate"):
        interleaved({})


def test_torch_runs_in_evaluation_mode_on_one_thread_and_nothing_else_changes() -> None:
    class Curious(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            threads.append(torch.get_num_threads())
            modes.append((self.training, torch.is_inference_mode_enabled()))
            return super().forward(x)

    threads: list[int] = []
    modes: list[tuple[bool, bool]] = []
    before = torch.get_num_threads()
    model = nn.Sequential(Curious(3, 2), nn.Dropout(0.9)).train()
    inputs = torch.ones(1, 3)
    torch.set_num_threads(2)
    try:
        call = torch_call(model, inputs)
        outputs = call()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert threads == [1]
    assert modes == [(False, True)]
    assert model.training
    assert torch.equal(outputs, model[0](inputs).detach())


@pytest.fixture
def doubled(tmp_path: Path) -> Path:
    """y = a + a·b."""
    sizes = ["n", 2]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["a", "b"], ["ab"]), helper.make_node("Add", ["a", "ab"], ["y"])],
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, sizes) for name in "ab"],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, sizes)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    return tmp_path / "net.onnx"


def test_onnx_runtime_gets_its_inputs_in_the_order_of_the_file(doubled: Path) -> None:
    a, b = np.array([[1, 2]], np.float32), np.array([[10, 100]], np.float32)
    binding = onnx_call(doubled, [a, b])()
    assert [y.tolist() for y in binding.copy_outputs_to_cpu()] == [[[11, 202]]]


def test_files_and_inputs_that_do_not_fit_are_named(doubled: Path, tmp_path: Path) -> None:
    a = np.zeros((1, 2), np.float32)
    with pytest.raises(ArtefactError, match="has the inputs a, b; give 2 arrays, not 1"):
        onnx_call(doubled, [a])
    with pytest.raises(ArtefactError, match=r"net\.onnx does not run on inputs of shapes \[\(1,"):
        onnx_call(doubled, [a, np.zeros((1, 3), np.float32)])
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    for name in ("bad.onnx", "missing.onnx"):
        with pytest.raises(ArtefactError, match=f"{name} cannot be loaded"):
            onnx_call(tmp_path / name, [])
