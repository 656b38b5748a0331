"""Which device a job gets, and training in mixed precision."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.training import (
    CPU,
    FitSettings,
    choose_device,
    device_of,
    fit,
    fitting,
    forward_of,
    name_of_device,
)
from mirtrim.utils.errors import ConfigError

SETTINGS = FitSettings(4, 16, 0.01, 0.0, "one_cycle")


class Halves:
    """Which half of eight numbers has the larger sum; four batches of sixteen."""

    steps_per_epoch = 4

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(64, 8, generator=generator)
        self.targets = (self.inputs[:, :4].sum(1) > self.inputs[:, 4:].sum(1)).long()
        self.seen: list[torch.dtype] = []

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        return zip(self.inputs.split(16), self.targets.split(16), strict=True)

    validation_batches = lambda self: self.batches(0)  # noqa: E731

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.seen.append(outputs.dtype)
        return nn.functional.cross_entropy(outputs, targets)


def trained(precision: str) -> tuple[nn.Module, float, list[torch.dtype], list[torch.dtype]]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))
    inside: list[torch.dtype] = []
    network[0].register_forward_hook(lambda m, i, output: inside.append(output.dtype))
    data = Halves()
    settings = FitSettings(**{**vars(SETTINGS), "precision": precision})
    result = fit(network, data, settings, 0)
    return network, result.best_loss, inside, data.seen


def test_bfloat16_is_used_in_training_and_nowhere_else() -> None:
    network, loss, inside, outside = trained("bfloat16")
    # Once to see what is called; then four steps and four validation batches in four epochs.
    assert inside == [torch.bfloat16] + ([torch.bfloat16] * 4 + [torch.float32] * 4) * 4
    assert set(outside) == {torch.float32}
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    assert loss == pytest.approx(trained("float32")[1], rel=0.05)
    assert loss != trained("float32")[1]


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="float8"):
        trained("float8")


def test_no_gpu_asked_is_the_processor() -> None:
    assert choose_device(0) == CPU
    assert device_of(nn.Linear(1, 1)) == CPU == device_of(nn.ReLU())
    assert name_of_device(CPU) == ""


def test_a_gpu_is_set_up_to_give_the_same_bits_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flags are torch's own, and can be set where no GPU is."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that it is put back after
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    cudnn, products = torch.backends.cudnn, torch.backends.cuda.matmul
    flags = (cudnn, "benchmark"), (cudnn, "allow_tf32"), (products, "allow_tf32")
    before = [getattr(*flag) for flag in flags]
    try:
        for flag in flags:
            setattr(*flag, True)
        assert choose_device(0) == CPU
        assert not torch.are_deterministic_algorithms_enabled()
        assert choose_device(1) == torch.device("cuda", 0)
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert [getattr(*flag) for flag in flags] == [False] * 3
    finally:
        torch.use_deterministic_algorithms(False)
        for flag, value in zip(flags, before, strict=True):
            setattr(*flag, value)


def test_a_gpu_has_a_name_and_a_generator_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    assert name_of_device(torch.device("cuda", 3)) == "card 3"
    for device, generators in (("cuda:2", [2]), ("cuda:0", [0]), ("cuda", [0]), ("cpu", [])):
        network: Any = SimpleNamespace(
            parameters=lambda device=device: iter([SimpleNamespace(device=torch.device(device))])
        )
        assert device_of(network) == torch.device(device)
        assert fitting._generators(network) == generators


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(ConfigError, match=r"resources gpu: a GPU is asked for.*CUDA build"):
        choose_device(1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_real_gpu_gives_the_same_bits_twice(tmp_path: Path) -> None:
    device = choose_device(1)
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(8, 32), nn.Dropout(0.5), nn.Linear(32, 2)).to(device)
        fit(network, Halves(), SETTINGS, 0, resume_path=tmp_path / f"{len(states)}.safetensors")
        states.append(network.state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_images_in_bfloat16_have_their_channels_last() -> None:
    """Those of one channel too, whatever their layout is; and all that is made of them."""
    network = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 4, 3))
    layouts: list[bool] = []
    for layer in network:
        layer.register_forward_hook(
            lambda m, i, o: layouts.append(o.is_contiguous(memory_format=torch.channels_last))
        )
    for images in (torch.randn(2, 1, 9, 8), torch.randn(2, 1, 8, 9).transpose(2, 3)):
        forward_of(network, "bfloat16")(images)
        expected = network(images)
        torch.testing.assert_close(
            forward_of(network, "bfloat16")(images), expected, rtol=0.1, atol=0.05
        )
    assert all(layouts[:4])
    assert all(layouts[12:16])
