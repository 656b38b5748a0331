"""How a network is called: what a way of computing a layer leaves behind, and its precision."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.training import CPU, forward_of
from mirtrim.training.forwarding import WAYS, channels_last, in_bfloat16


def doubled(x: Tensor) -> Tensor:
    return 2 * x


@pytest.mark.parametrize("way", WAYS)
def test_a_layer_has_its_own_forward_again(way: str) -> None:
    """One that somebody has put there for this layer alone, too, and after an error."""
    plain, patched = nn.Linear(2, 2), nn.Linear(2, 2)
    patched.forward = doubled  # type: ignore[method-assign,assignment]

    def failing() -> None:
        with in_bfloat16(CPU, {plain: way, patched: way}):
            assert "forward" in vars(plain)
            assert vars(patched)["forward"] is not doubled
            assert patched(torch.ones(1)).tolist() == [2]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    assert "forward" not in vars(plain)
    assert vars(patched)["forward"] is doubled


def test_outputs_are_float32_and_layers_in_bfloat16_unless_told_otherwise() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    seen: list[torch.dtype] = []
    for layer in network:
        layer.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    half, single = torch.bfloat16, torch.float32
    for precision, ways, expected in (
        ("float32", None, [single, single]),
        ("bfloat16", None, [half, half]),
        ("bfloat16", {"1": "float32"}, [half, single]),
        ("bfloat16", {"0": "float32", "1": "float32"}, [single, single]),
    ):
        seen.clear()
        found = forward_of(network, precision, ways)(x)
        assert found.dtype == torch.float32
        assert seen == expected
    torch.testing.assert_close(found, network(x), rtol=0, atol=0)
    for precision in ("float16", ""):
        with pytest.raises(ValueError, match=f"unknown precision '{precision}'"):
            forward_of(network, precision)


def test_only_images_are_laid_out_anew() -> None:
    for shape in ((2, 3), (2, 3, 4), (2, 3, 4, 5, 6)):
        other = torch.zeros(shape)
        assert channels_last(other) is other
    images = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    found = channels_last(images)
    assert torch.equal(found, images)
    assert found.stride() == (60, 1, 15, 3)
    assert channels_last(found) is found
    # Torch takes one channel to be last already.
    assert channels_last(images[:, :1].contiguous()).stride() == (20, 1, 5, 1)
