"""Methods between two trainings, on a small spectral network; traps of other tools as tests."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.counting import measure_counts
from mirtrim.models.spectral import SpectralCNN
from mirtrim.pruning.criteria import UNIT_CRITERIA, WEIGHT_CRITERIA
from mirtrim.pruning.masking import masked_entries_are_zero
from mirtrim.pruning.methods import METHODS, Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.platon import PlatonHyperparameters
from mirtrim.pruning.schedule import Ramp
from mirtrim.pruning.settings import PruningSettings
from mirtrim.training import FitSettings, Hook, fit, state_of
from mirtrim.training.initialise import initialise
from mirtrim.utils.errors import ConfigError, RatioError

EXAMPLE = torch.zeros(1, 1, 8, 10)
SETTINGS = FitSettings(2, 8, 0.01, 1e-4, "one_cycle")


class Noise:
    """Batches in which an event is wherever the first mel bin is positive."""

    steps_per_epoch = 4

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(epoch)
        for _ in range(self.steps_per_epoch):
            inputs = torch.randn(8, 1, 8, 10, generator=generator)
            yield inputs, (inputs[:, :, 0] > 0).float()

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield from self.batches(1000)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)


def network() -> nn.Module:
    model = SpectralCNN(frames=10, mel_bins=8, channels=6, hidden=16, convolution_dropout=0.0)
    initialise(model, torch.Generator().manual_seed(0))
    return model


def trained() -> Ticket:
    model = network()
    result = fit(model, Noise(), SETTINGS, seed=0, snapshot_epoch=0)
    return Ticket(model, result.snapshot)


def current(ratio: float, seed: int = 0) -> Round:
    counts = measure_counts(network(), EXAMPLE)
    scoring: dict[str, Any] = {
        "batches": lambda: Noise().batches(7),
        "loss": Noise().loss,
        "generator": torch.Generator().manual_seed(seed),
    }
    return Round(ratio, {"parameters": counts.parameters, "macs": counts.macs}, EXAMPLE, scoring)


DENSE = measure_counts(network(), EXAMPLE)
TRAINED = trained()


def ticket() -> Ticket:
    return copy.deepcopy(TRAINED)


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("criterion", sorted(UNIT_CRITERIA))
def test_every_criterion_trims_in_every_scope(criterion: str, scope: str) -> None:
    small = get_method("trim").prepare(
        ticket(), PruningSettings("trim", criterion=criterion, scope=scope), current(3)
    )
    counts = measure_counts(small.network, EXAMPLE)
    assert 3 <= DENSE.parameters / counts.parameters < 4.5
    assert 0 <= small.equivalence_difference <= 1e-5
    assert fit(small.network, Noise(), SETTINGS, seed=1).epochs == 2


@pytest.mark.parametrize("scope", ["local", "global"])
@pytest.mark.parametrize("criterion", sorted(WEIGHT_CRITERIA))
def test_every_criterion_masks_in_every_scope(criterion: str, scope: str) -> None:
    sparse = get_method("mask").prepare(
        ticket(), PruningSettings("mask", criterion=criterion, scope=scope), current(3)
    )
    kept = sum(int(mask.sum()) for mask in sparse.masks.values())
    rest = sum(p.numel() for n, p in sparse.network.named_parameters() if n not in sparse.masks)
    assert kept + rest == DENSE.parameters // 3
    assert masked_entries_are_zero(sparse.network, sparse.masks)


def test_a_global_mask_compares_layers_after_their_scale() -> None:
    """By hand: magnitudes 10, 5 and 1, 0.9 of two layers; as shares of the largest 1, 0.5 and
    1, 0.9. Three of the four stay."""
    kept = {}
    scoring: dict[str, Any] = {
        "batches": list, "loss": None, "generator": torch.Generator().manual_seed(0)
    }  # fmt: skip
    for scale in ("none", "max"):
        network = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 2, bias=False))
        with torch.no_grad():
            network[0].weight.copy_(torch.tensor([[10.0, -5.0]]))
            network[1].weight.copy_(torch.tensor([[-1.0], [0.9]]))
        around = Round(4 / 3, {"parameters": 4}, torch.zeros(1, 2), scoring)
        settings = PruningSettings("mask", scope="global", scale=scale)
        made = get_method("mask").prepare(Ticket(network, state_of(network)), settings, around)
        kept[scale] = [mask.flatten().tolist() for mask in made.masks.values()]
    assert kept["none"] == [[True, True], [True, False]]
    assert kept["max"] == [[True, False], [True, True]]


def test_masked_weights_are_zero_after_every_step_and_in_what_is_saved() -> None:
    method = get_method("mask")
    sparse = method.prepare(ticket(), PruningSettings("mask"), current(8))
    inner = method.hook(sparse, PruningSettings("mask"), current(8))
    seen = []

    class Watching(Hook):
        def after_step(self, step: int) -> None:
            inner.after_step(step)
            seen.append(masked_entries_are_zero(sparse.network, sparse.masks))

    result = fit(sparse.network, Noise(), SETTINGS, seed=1, hook=Watching())
    assert seen == [True] * 8
    for name, mask in sparse.masks.items():
        assert not result.best[name][~mask].any()
    method.check(sparse)


def test_a_weight_that_came_back_is_noticed() -> None:
    method = get_method("mask")
    sparse = method.prepare(ticket(), PruningSettings("mask"), current(8))
    fit(sparse.network, Noise(), SETTINGS, seed=1)  # the hook was forgotten
    with pytest.raises(AssertionError, match="a masked weight is not zero"):
        method.check(sparse)


def test_rewinding_restores_weights_and_batch_norm_statistics() -> None:
    before = ticket()
    sparse = get_method("mask").prepare(
        ticket(), PruningSettings("mask", reset="rewind"), current(2)
    )
    after = sparse.network.state_dict()
    for name, value in before.rewind.items():
        expected = value * sparse.masks[name] if name in sparse.masks else value
        assert torch.equal(after[name], expected), name
    assert not torch.equal(
        before.network.state_dict()["conv1.1.running_mean"], after["conv1.1.running_mean"]
    )


def test_finetune_keeps_the_trained_weights_of_surviving_units() -> None:
    small = get_method("trim").prepare(
        ticket(), PruningSettings("trim", reset="finetune"), current(2)
    )
    whole = {
        tuple(row.tolist()) for row in ticket().network.state_dict()["conv1.0.weight"].flatten(1)
    }
    rows = small.network.state_dict()["conv1.0.weight"].flatten(1)
    assert all(tuple(row.tolist()) in whole for row in rows)


def test_reinit_draws_new_weights_from_the_given_generator() -> None:
    choices = PruningSettings("trim", reset="reinit")
    first, again, other = (
        get_method("trim").prepare(ticket(), choices, current(2, seed)).network.state_dict()
        for seed in (1, 1, 2)
    )
    assert torch.equal(first["linear1.0.weight"], again["linear1.0.weight"])
    assert not torch.equal(first["linear1.0.weight"], other["linear1.0.weight"])


def test_macs_can_be_counted_instead_of_parameters() -> None:
    small = get_method("trim").prepare(ticket(), PruningSettings("trim", budget="macs"), current(3))
    assert 3 <= DENSE.macs / measure_counts(small.network, EXAMPLE).macs < 3.8
    with pytest.raises(ConfigError, match="mask cannot count macs"):
        get_method("mask").highest_ratio(network(), EXAMPLE, PruningSettings("mask", budget="macs"))


def test_rounds_chain_down_to_the_highest_ratio_and_no_further() -> None:
    method, choices = get_method("trim"), PruningSettings("trim", minimum_units=2)
    highest = method.highest_ratio(network(), EXAMPLE, choices)
    state = ticket()
    for ratio in (2.0, 4.0, highest):
        state = method.prepare(state, choices, current(ratio))
    assert DENSE.parameters / measure_counts(state.network, EXAMPLE).parameters == highest
    with pytest.raises(RatioError, match="minimum of 2 units per layer"):
        method.prepare(state, choices, current(highest * 1.1))


def test_masking_reaches_its_highest_ratio() -> None:
    method = get_method("mask")
    highest = method.highest_ratio(network(), EXAMPLE, PruningSettings("mask"))
    sparse = method.prepare(ticket(), PruningSettings("mask"), current(highest))
    assert all(int(mask.sum()) == 1 for mask in sparse.masks.values())


def test_scoring_and_evaluation_leave_the_network_untouched() -> None:
    original = ticket()
    before = state_of(original.network)
    get_method("trim").prepare(
        original, PruningSettings("trim", criterion="activation"), current(2)
    )
    assert all(torch.equal(before[n], v) for n, v in original.network.state_dict().items())


def test_unknown_names_are_errors() -> None:
    assert {"mask", "trim"} <= set(METHODS)
    with pytest.raises(ConfigError, match="unknown method 'melt'"):
        get_method("melt")
    with pytest.raises(ConfigError, match="unknown criterion 'beauty'"):
        get_method("trim").prepare(
            ticket(), PruningSettings("trim", criterion="beauty"), current(2)
        )
    with pytest.raises(ConfigError, match="unknown reset 'hope'"):
        get_method("trim").prepare(ticket(), PruningSettings("trim", reset="hope"), current(2))


@pytest.mark.parametrize(
    ("method", "given", "found"),
    [
        ("feedback", {"period": 5, "ramp_end": 0.5}, {"schedule": Ramp(0.5, 0, 20, 5)}),
        ("gradual", {"period": 5}, {"schedule": Ramp(0.5, 0, 30, 5)}),
        ("feedback_units", {"ramp_end": 1.0}, {"schedule": Ramp(0.5, 0, 39, 16)}),
        ("hard_gate", {"period": 7}, {"schedule": Ramp(0.5, 0, 30, 7)}),
        ("platon", {"period": 9}, {"schedule": Ramp(0.5, 0, 30, 9)}),
        ("platon", {"beta_importance": 0.5}, {"_own": PlatonHyperparameters(beta_importance=0.5)}),
        ("cram", {"radius": 0.2}, {"_radius": 0.2}),
        ("top_kast", {"period": 3, "penalty": 0.5}, {"_period": 3, "_penalty": 0.5}),
        ("powerpropagation", {"exponent": 3.0, "prune_at": 0.5}, {"_alpha": 3.0, "_prune_at": 20}),
        ("semi_structured", {"decay": 0.1, "rise": 0.25}, {"_decay": 0.1, "_rising_steps": 10}),
    ],
)
def test_hyperparameters_arrive(method: str, given: dict[str, Any], found: dict[str, Any]) -> None:
    settings = settings_of({"method": method, **given})
    at_work = replace(current(2), steps=40)
    prepared = get_method(method).prepare(ticket(), settings, at_work)
    hook = get_method(method).hook(prepared, settings, at_work)
    for name, value in found.items():
        assert getattr(hook, name) == value, name


def test_hyperparameters_of_sets_and_sizes_arrive() -> None:
    hook = get_method("top_kast").hook(
        ticket(), settings_of({"method": "top_kast", "explored": 1}), current(4)
    )
    hook.gradients(0, lambda: torch.zeros(()))
    assert all(torch.equal(hook.forward_masks[n], m) for n, m in hook.backward_masks.items())
    assert get_method("soup").trainings(settings_of({"method": "soup", "ingredients": 5})) == 5
    packed = get_method("trim_fast").prepare(
        ticket(), settings_of({"method": "trim_fast", "pack": 5}), current(2)
    )
    widths = [p.shape[0] for p in packed.network.parameters() if p.dim() > 1][:-1]
    assert {5, 10, 15} & set(widths)
    assert not {4, 8, 16} & set(widths)
    phi = get_method("powerpropagation").prepare(
        ticket(), settings_of({"method": "powerpropagation", "exponent": 4}), current(2)
    )
    name, theta = next((n, p) for n, p in ticket().network.named_parameters() if p.dim() > 1)
    found = dict(phi.network.named_parameters())[name].detach()
    torch.testing.assert_close(found.abs() ** 4, theta.detach().abs(), rtol=1e-3, atol=1e-6)
