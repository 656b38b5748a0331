"""Feedback in somebody's own loop: numbers by hand, the replication's bits, stopping, errors."""

import copy
import warnings

import pytest
import torch
from torch import nn

import mirtrim
from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.training import FitSettings, fit
from mirtrim.utils.errors import ConfigError, RatioError, TrainingError
from mirtrim.utils.tensors import read_tensors, write_tensors

X = torch.randn(96, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > X[:, 1]).long()


def line(weights):
    net = nn.Linear(len(weights), 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([weights]))
    return net


def train_line(net, optimizer, pruning):
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.ones(1, net.in_features)).sum().backward()
        optimizer.step()
        pruning.step()


def two_units():
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0], [2.0]]))
        net[1].weight.copy_(torch.tensor([[1.0, 1.0]]))
    return net


def classifier(seed=1):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(6, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Linear(16, 12),
        nn.ReLU(),
        nn.Linear(12, 2),
    )


def batches(first, last):
    for step in range(first, last):
        rows = torch.randint(96, (16,), generator=torch.Generator().manual_seed(step))
        yield X[rows], Y[rows]


def train(model, optimizer, pruning, first, last):
    model.train()
    for inputs, targets in batches(first, last):
        loss = nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        pruning.step()


def test_gradients_are_taken_at_masked_weights_and_steps_made_by_all():
    net = line([4.0, 3.0, 2.0, 1.0])
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with mirtrim.feedback(net, optimizer, ratio=2, steps=2) as pruning:
        for seen in ([3, 2, 0, 0], [2.5, 1.5, 0, 0]):
            optimizer.zero_grad()
            (net(torch.ones(1, 4)) ** 2 / 2).sum().backward()
            optimizer.step()
            pruning.step()
            assert net.weight[0].tolist() == pytest.approx(seen)
        # 10 off each for w = 4, 3, 2, 1; then 5 off each, because 3 + 2 is what is left.
        assert pruning.state_dict()["dense/weight"][0].tolist() == pytest.approx(
            [2.5, 1.5, 0.5, -0.5]
        )
    assert net.weight[0].tolist() == pytest.approx([2.5, 1.5, 0, 0])
    assert pruning.masks["weight"].tolist() == [[True, True, False, False]]


def test_a_weight_comes_back():
    net = line([2.0, 1.0])
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    seen = []
    with mirtrim.feedback(net, optimizer, 2, 4, period=1, ramp_end=0.5) as pruning:
        for _ in range(4):
            optimizer.zero_grad()
            (net.weight * torch.tensor([[4.0, -4.0]])).sum().backward()
            optimizer.step()
            pruning.step()
            seen += net.weight.tolist()
    assert [pytest.approx(pair) for pair in seen] == [[1.6, 0], [0, 1.8], [0, 2.2], [0, 2.6]]
    # Closed were the second and then the first; the second was opened again.
    assert pruning.diagnostics["share_came_back"] == 0.5


def test_units_go_with_straight_through_gradients_and_their_momentum():
    net = two_units()
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    one = torch.ones(1, 1)
    with mirtrim.feedback(
        net, optimizer, 2, 2, of="units", example_inputs=one, minimum_units=1
    ) as pruning:
        for expected in (3.0, 1.9 * 0.8):
            optimizer.zero_grad()
            loss = net(one).sum()
            assert loss.item() == pytest.approx(expected)
            loss.backward()
            optimizer.step()
            pruning.step()
    small = pruning.model
    assert small[0].weight.tolist() == [[pytest.approx(1.9 - 0.1 * (0.9 * 1 + 0.8))]]
    assert small[1].weight.tolist() == [[pytest.approx(0.8 - 0.1 * (0.9 * 2 + 1.9))]]
    momenta = [pruning.optimizer.state[p]["momentum_buffer"].item() for p in small.parameters()]
    assert momenta == pytest.approx([1.7, 3.7])
    # The closed unit has moved as if it were open.
    assert net[0].weight[0].item() == pytest.approx(0.9 - 0.1 * (0.9 * 1 + 0.9))
    assert pruning.trim_report.ratio == 2
    assert small.trim_report is pruning.trim_report
    assert pruning.trim_report.equivalence_difference < 1e-6


class Data:
    """The same batches as `train` sees, for the replication's `fit`."""

    steps_per_epoch = 40

    def batches(self, epoch):
        return batches((epoch - 1) * 40, epoch * 40)

    def validation_batches(self):
        yield X, Y

    def loss(self, outputs, targets):
        return nn.functional.cross_entropy(outputs, targets)


@pytest.mark.parametrize("of", ["weights", "units"])
def test_the_replication_and_a_loop_of_ones_own_agree_to_the_bit(of):
    method = get_method({"weights": "feedback", "units": "feedback_units"}[of])
    settings = settings_of({"method": {"weights": "feedback", "units": "feedback_units"}[of]})
    net = classifier()
    size = sum(p.numel() for p in net.parameters())
    scoring = {"batches": None, "loss": None, "generator": torch.Generator().manual_seed(0)}
    current = Round(3.0, {"parameters": size}, X[:2], scoring, steps=40)
    hook = method.hook(Ticket(net, {}), settings, current)
    choices = FitSettings(1, 16, 0.01, 0.0, "one_cycle")
    fit(net, Data(), choices, 0, hook=hook)
    expected = method.finish(Ticket(net, {}), settings, current, hook).network

    own = classifier()
    optimizer = torch.optim.Adam(own.parameters(), 0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=40)
    own.train()
    with mirtrim.feedback(own, optimizer, 3.0, 40, of=of, example_inputs=X[:2]) as pruning:
        for inputs, targets in batches(0, 40):
            optimizer.zero_grad()
            nn.functional.cross_entropy(own(inputs), targets).backward()
            optimizer.step()
            schedule.step()
            pruning.step()
    found = pruning.model.state_dict()
    assert found.keys() == expected.state_dict().keys()
    for name, value in expected.state_dict().items():
        assert torch.equal(found[name], value), name


@pytest.mark.parametrize("model_after", [False, True])
@pytest.mark.parametrize("of", ["weights", "units"])
def test_a_stopped_training_goes_on_bit_for_bit(of, model_after, tmp_path):
    words = {"of": of, "example_inputs": X[:2], "criterion": "random"} if of == "units" else {}
    net = classifier()
    optimizer = torch.optim.AdamW(net.parameters(), 0.01)
    with mirtrim.feedback(net, optimizer, 4, 60, period=4, **words) as pruning:
        train(net, optimizer, pruning, 0, 60)
    expected = pruning.model.state_dict()

    net = classifier()
    optimizer = torch.optim.AdamW(net.parameters(), 0.01)
    with (
        warnings.catch_warnings(),
        mirtrim.feedback(net, optimizer, 4, 60, period=4, **words) as pruning,
    ):
        warnings.simplefilter("ignore")  # it ends before the ratio is reached
        train(net, optimizer, pruning, 0, 21)
        write_tensors(tmp_path / "pruning.safetensors", pruning.state_dict())
        kept = copy.deepcopy((net.state_dict(), optimizer.state_dict()))
        pruning._finish = lambda: None

    again = classifier(seed=5)
    optimizer = torch.optim.AdamW(again.parameters(), 0.01)
    optimizer.load_state_dict(kept[1])
    if not model_after:
        again.load_state_dict(kept[0])
    with mirtrim.feedback(again, optimizer, 4, 60, period=4, **words) as pruning:
        pruning.load_state_dict(read_tensors(tmp_path / "pruning.safetensors")[0])
        if model_after:
            again.load_state_dict(kept[0])
        train(again, optimizer, pruning, 21, 60)
    found = pruning.model.state_dict()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("closure", [False, True])
def test_a_closure_sees_the_pruned_network(closure):
    net = line([4.0, 3.0, 2.0, 1.0])
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def loss():
        optimizer.zero_grad()
        value = (net(torch.ones(1, 4)) ** 2 / 2).sum()
        value.backward()
        return value

    with mirtrim.feedback(net, optimizer, ratio=2, steps=2) as pruning:
        for _ in range(2):
            if closure:
                optimizer.step(loss)
            else:
                loss()
                optimizer.step()
            pruning.step()
    assert net.weight[0].tolist() == pytest.approx([2.5, 1.5, 0, 0])


def test_an_accumulated_gradient_is_one_step():
    net = line([4.0, 3.0, 2.0, 1.0])
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with mirtrim.feedback(net, optimizer, ratio=2, steps=2) as pruning:
        for _ in range(2):
            optimizer.zero_grad()
            for _ in range(2):
                (net(torch.ones(1, 4)) ** 2 / 4).sum().backward()
            optimizer.step()
            pruning.step()
    assert net.weight[0].tolist() == pytest.approx([2.5, 1.5, 0, 0])


def test_an_error_within_leaves_the_dense_weights():
    net = line([4.0, 3.0, 2.0, 1.0])
    optimizer = torch.optim.SGD(net.parameters(), 0.0)

    def interrupted():
        with mirtrim.feedback(net, optimizer, 2, 2) as pruning:
            for _ in range(2):
                net(torch.ones(1, 4)).sum().backward()
                optimizer.step()
                pruning.step()
            assert net.weight[0].tolist() == [4, 3, 0, 0]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert net.weight[0].tolist() == [4, 3, 2, 1]
    optimizer.step()  # nothing is called any more


def test_other_optimisers_are_left_alone():
    net, other = line([2.0, 1.0]), line([1.0, 1.0])
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with mirtrim.feedback(net, optimizer, 2, 2) as pruning:
        stranger = torch.optim.SGD(other.parameters(), 0.1)
        for _ in range(3):
            other(torch.ones(1, 2)).sum().backward()
            stranger.step()
        assert pruning.steps == 0
        train_line(net, optimizer, pruning)
    assert other.weight[0].tolist() == pytest.approx([0.4, 0.4])


def test_frozen_front_ends_are_not_masked():
    net = nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 2))
    net[0].weight.requires_grad_(False)
    optimizer = torch.optim.SGD(net[2].parameters(), 0.1)
    with mirtrim.feedback(net, optimizer, 1.2, 2) as pruning:
        train(net, optimizer, pruning, 0, 2)
    assert list(pruning.masks) == ["2.weight"]
    total = sum(p.numel() for p in net.parameters())
    assert total / (total - (~pruning.masks["2.weight"]).sum().item()) >= 1.2


def test_a_teacher_draws_the_outputs_near():
    teacher, net = classifier(3), classifier(4)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with mirtrim.feedback(net, optimizer, 1.5, 2, teacher=teacher) as pruning:
        net.eval()
        outputs = net(X)
        distance = pruning.distillation(outputs, X)
        with torch.no_grad():
            expected = ((outputs - teacher.eval()(X)) ** 2).mean()
        assert distance.item() == pytest.approx(expected.item())
        distance.backward()
        assert net[5].weight.grad.abs().sum() > 0
        assert teacher[5].weight.grad is None
        optimizer.step()
        pruning.step()
        pruning.step()  # a step that a gradient scaler has left out


def test_attention_without_its_weights_is_gated_as_well():
    """`TransformerEncoderLayer` asks for none in training: the second output is None."""
    torch.manual_seed(0)
    net = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    x = torch.randn(2, 5, 8)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with mirtrim.feedback(net, optimizer, 1.5, 8, of="units", example_inputs=x) as pruning:
        for _ in range(8):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            assert net.self_attn.in_proj_weight.grad.abs().sum() > 0
            optimizer.step()
            pruning.step()
        with torch.no_grad():
            gated = net.eval()(x)
    assert pruning.trim_report.ratio >= 1.5
    torch.testing.assert_close(pruning.model.eval()(x), gated)


def test_what_does_not_fit_is_named():
    net = classifier()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    cases = [
        ({"ratio": 1}, "ratio: 1"),
        ({"ratio": "4"}, "ratio: '4'"),
        ({"steps": 0}, "steps: 0"),
        ({"of": "heads"}, "of: 'heads'"),
        ({"of": "units"}, "example_inputs"),
        ({"period": 0}, "period: 0"),
        ({"scope": "near"}, "scope"),
        ({"speed": 3}, "speed: unknown key"),
        ({"protect": "0"}, r"protect: '0' is one name; give a list, \['0'\]"),
        ({"batches": [(X, Y)]}, "batches: list is no function; give one, such as lambda: loader"),
        ({"loss": 3}, "loss: int is no function"),
        ({"optimizer": 3}, "optimizer: int"),
        ({"optimizer": torch.optim.SGD(classifier().parameters(), 0.1)}, "no parameter"),
    ]
    for words, problem in cases:
        with pytest.raises(ConfigError, match=problem):
            mirtrim.feedback(
                **{"model": net, "optimizer": optimizer, "ratio": 2, "steps": 9} | words
            )
    for of in ("weights", "units"):
        with pytest.raises(RatioError):
            mirtrim.feedback(net, optimizer, 1e6, 9, of=of, example_inputs=X[:2])
    assert net.training


@pytest.mark.parametrize("of", ["weights", "units"])
def test_a_training_that_ends_in_nan_is_named(of):
    net = classifier()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def diverge():
        with mirtrim.feedback(net, optimizer, 2, 9, of=of, example_inputs=X[:2]) as pruning:
            for _ in range(9):
                optimizer.zero_grad()
                (net(X).sum() * 0).abs().sqrt().mul(0).backward()
                optimizer.step()
                pruning.step()

    with pytest.raises((TrainingError, ConfigError), match="NaN|finite"):
        diverge()


def test_forgotten_steps_are_named():
    net = classifier()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def silent(steps):
        with mirtrim.feedback(net, optimizer, 2, 9):
            for _ in range(steps):
                net(X).sum().backward()
                optimizer.step()

    for steps in (1, 2):
        with pytest.raises(TrainingError, match=r"made step 1, .* pruning\.step\(\)"):
            silent(steps)


def test_an_end_before_the_ratio_is_told():
    net = classifier()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with (
        pytest.warns(UserWarning, match="after 3 steps, before step 7, .* ratio 2 is reached"),
        mirtrim.feedback(net, optimizer, 2, 9) as pruning,
    ):
        train(net, optimizer, pruning, 0, 3)


def test_a_network_that_moves_is_named():
    net = classifier()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    pruning = mirtrim.feedback(net, optimizer, 2, 9)
    with pruning._stepper:
        net.double()
        with pytest.raises(ConfigError, match=r"0\.weight was moved"):
            pruning.step()


def test_a_state_of_another_network_is_named():
    def pruned(model):
        return mirtrim.feedback(model, torch.optim.SGD(model.parameters(), 0.1), 1.5, 9)

    state = pruned(nn.Linear(6, 2)).state_dict()
    with pytest.raises(ConfigError, match="another network"):
        pruned(classifier()).load_state_dict(state)
