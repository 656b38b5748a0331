"""2:4 sparsity of a trained network: cut once, relearned, and taught; literal numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of, settings_of_name
from mirtrim.pruning.methods.semi_structured import SemiStructuredHook
from mirtrim.runs import code
from mirtrim.runs.jobs.altered import mixed, taught
from mirtrim.runs.jobs.compress import setting_of_run
from mirtrim.training import state_of
from mirtrim.utils.errors import ConfigError
from tests.runs.jobs.synthetic import Job

FAMILY = ("semi_structured_one_shot", "semi_structured_relearned", "semi_structured_adaptive")


def network() -> nn.Sequential:
    """Eight weights in two groups, then two weights that are no group."""
    found = nn.Sequential(nn.Linear(4, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        found[0].weight.copy_(torch.tensor([[4.0, -3.0, 2.0, 1.0], [0.1, 0.2, -0.4, 0.3]]))
        found[1].weight.copy_(torch.tensor([[1.0, -1.0]]))
    return found


def current(steps: int = 40) -> Round:
    return Round(1.5, {"parameters": 10, "macs": 10}, torch.zeros(1, 4), {}, steps=steps)


def test_the_two_largest_of_every_four_trained_weights_are_kept_as_they_are() -> None:
    settings = settings_of({"method": "semi_structured_one_shot"})
    method = get_method("semi_structured_one_shot")
    ticket = method.prepare(Ticket(network(), {}), settings, current())
    first, second = (p.tolist() for p in ticket.network.parameters())
    assert first == [[4, -3, 0, 0], [0, 0, pytest.approx(-0.4), pytest.approx(0.3)]]
    assert second == [[1, -1]]  # two inputs are no group of four
    assert method.highest_ratio(network(), torch.zeros(1, 4), settings) == 10 / 6


def test_the_pattern_of_a_cut_does_not_change_when_a_masked_weight_would_grow() -> None:
    """y = 4 − 3 = 1 at x = 1, target 0: g = 1 on every weight; the third would become −98."""
    layer = nn.Sequential(nn.Linear(4, 1, bias=False))
    with torch.no_grad():
        layer[0].weight.copy_(torch.tensor([[4.0, -3.0, 2.0, 1.0]]))
    settings = settings_of({"method": "semi_structured_one_shot"})
    method = get_method("semi_structured_one_shot")
    ticket = method.prepare(Ticket(layer, {}), settings, current())
    hook = method.hook(ticket, settings, current())
    optimizer = torch.optim.SGD(layer.parameters(), 100.0)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = layer(torch.ones(1, 4)).square().sum() / 2
        loss.backward()
        return loss.detach()

    hook.gradients(0, closure)
    optimizer.step()
    hook.after_step(0)
    assert layer[0].weight.tolist() == [[-96.0, -103.0, 0.0, 0.0]]
    method.check(ticket)


@pytest.mark.parametrize("name", FAMILY)
def test_all_of_them_begin_at_the_trained_network(name: str) -> None:
    kind = get_method(name)
    assert (kind.start, kind.masks) == ("dense", True)
    assert get_method("semi_structured").start == "initial"


def test_decay_and_rise_are_those_of_the_published_code() -> None:
    for name in FAMILY[1:]:
        hook = get_method(name).hook(
            Ticket(network(), {}), settings_of({"method": name}), current(40)
        )
        assert isinstance(hook, SemiStructuredHook)
        assert (hook._decay, hook._rising_steps) == (1e-4, 10)


def test_one_step_towards_labels_and_teacher_by_hand() -> None:
    """At x = 1 the sparse network says 4 − 3 = 1, of which σ = 0.731059; the label is 1, the
    teacher says 0, of which σ = 0.5; α = 0.6 makes the target 0.4 · 1 + 0.6 · 0.5 = 0.7.

    g = 0.031059 on all weights; at step 5 of t_0 = 10 masked ones decay by 0.2 / 2.
    w' = w − 0.1 · (g + 0.1 · (0, 0, 2, 1)).
    """
    layer = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[4.0, -3.0, 2.0, 1.0]]))
    label, said = torch.tensor([[1.0]]), torch.tensor([[0.0]])
    given = {"method": "semi_structured_adaptive", "decay": 0.2, "taught": 0.6}
    hook = get_method(given["method"]).hook(Ticket(layer, {}), settings_of(given), current(40))  # type: ignore[arg-type]
    targets = mixed(label, said, 0.6)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        outputs = layer(torch.ones(1, 4))
        loss = nn.functional.binary_cross_entropy_with_logits(outputs, targets)
        loss.backward()
        return loss.detach()

    hook.gradients(5, closure)
    optimizer.step()
    expected = torch.tensor([[3.9968941, -3.0031059, 1.9768941, 0.9868941]])
    torch.testing.assert_close(layer.weight.detach(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("share", [0.25, 0.67])
def test_the_gradient_is_that_of_loss_and_divergence_weighted(share: float) -> None:
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, generator=rng, requires_grad=True)
    teacher = torch.randn(6, 4, generator=rng)
    labels = torch.randint(4, (6,), generator=rng)
    mixed_loss = nn.functional.cross_entropy(logits, mixed(labels, teacher, share))
    divergence = nn.functional.kl_div(
        logits.log_softmax(1), teacher.log_softmax(1), log_target=True, reduction="batchmean"
    )
    both = (1 - share) * nn.functional.cross_entropy(logits, labels) + share * divergence
    found, wanted = (torch.autograd.grad(loss, logits)[0] for loss in (mixed_loss, both))
    torch.testing.assert_close(found, wanted)


def test_the_dense_network_teaches_one_of_them_alone(tmp_path: Path) -> None:
    setting = Job(tmp_path).setting
    teacher = setting.new_network(0)
    for name in FAMILY[:2]:
        settings = settings_of({"method": name})
        assert setting_of_run(setting, settings) is setting
    plain = setting.config["training"]
    for share in (0.67, 0.5):
        run = {"method": "semi_structured_adaptive", "taught": share}
        changed = setting_of_run(setting, settings_of(run))
        assert changed.config["training"] == plain | {"teacher": share}
        lesson: Any = taught(changed, teacher).task
        assert (lesson.share, lesson.other) == (share, teacher)
    assert "teacher" not in plain
    assert get_method("semi_structured_adaptive").training_cost == 4 / 3
    assert get_method("semi_structured_relearned").training_cost == 1


def test_what_the_method_says_of_its_teacher_goes_before_the_profile(tmp_path: Path) -> None:
    setting = Job(tmp_path, training={"teacher": 0.2}).setting
    settings = settings_of({"method": "semi_structured_adaptive"})
    assert setting_of_run(setting, settings).config["training"]["teacher"] == 0.67


def test_rows_of_the_taught_hang_on_the_teaching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "_digest", lambda *roots: " ".join(roots))
    corpus = {"mode": "embedded", "loader": "groove_midi"}
    told = {
        name: "mirtrim.runs.jobs.altered.taught"
        in code.compress_code("onset", corpus, settings_of({"method": name})).split()
        for name in ("semi_structured", *FAMILY)
    }
    assert told == {name: name == "semi_structured_adaptive" for name in told}


def test_runs_are_found_by_their_names() -> None:
    for run in (
        {"method": "semi_structured", "decay": 0.1},
        {"method": "semi_structured_one_shot"},
        {"method": "semi_structured_relearned", "rise": 0.5},
        {"method": "semi_structured_adaptive", "taught": 0.5},
    ):
        settings = settings_of(run)
        assert settings_of_name(settings.name) == settings
    assert settings_of({"method": "semi_structured"}).name == "semi_structured"
    with pytest.raises(ConfigError, match=r"taught: 0 is below 0\.01"):
        settings_of({"method": "semi_structured_adaptive", "taught": 0})


def test_training_leaves_the_teacher_as_it_was(tmp_path: Path) -> None:
    job = Job(tmp_path)
    setting = setting_of_run(job.setting, settings_of({"method": "semi_structured_adaptive"}))
    teacher = setting.new_network(0)
    before = state_of(teacher)
    lesson = taught(setting, teacher)
    batches = lesson.task.batches(lesson.store, lesson.training, np.random.default_rng(0))
    next(iter(batches))
    assert all(torch.equal(value, before[name]) for name, value in state_of(teacher).items())
