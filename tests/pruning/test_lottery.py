"""Tickets from somebody's own loop: numbers by hand, every reset, states, stopping, errors."""

import pytest
import torch
from torch import nn

import mirtrim
from mirtrim.utils.errors import ConfigError, RatioError, TrainingError
from mirtrim.utils.tensors import read_tensors, write_tensors

X = torch.randn(96, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > X[:, 1]).long()
ONE = torch.ones(1, 1)


def two_units():
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0], [2.0]]))
        net[1].weight.copy_(torch.tensor([[1.0, 1.0]]))
    return net


def two_steps(momentum, carry):
    """A loop of two steps down the output itself, which names the state after the first."""

    def train(model, after_step):
        optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=momentum)
        if carry:
            after_step.carry(optimizer)
        for step in range(2):
            optimizer.zero_grad()
            model(ONE).sum().backward()
            optimizer.step()
            after_step()
            if step == 0:
                after_step.rewind_here()

    return train


def classifier():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Linear(16, 12),
        nn.ReLU(),
        nn.Linear(12, 2),
    )


def fit(model, after_step):
    optimizer = after_step.carry(torch.optim.Adam(model.parameters(), 0.01))
    generator = torch.Generator().manual_seed(0)
    while after_step.steps < 20:
        rows = torch.randint(96, (16,), generator=generator)
        outputs = model(X[rows])
        loss = nn.functional.cross_entropy(outputs, Y[rows])
        loss = loss + after_step.distillation(outputs, X[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after_step()
        if after_step.steps == 5:
            after_step.rewind_here()


# Dense: 1, 2 | 1, 1 → .9, 1.9 | .9, .8 → .81, 1.82 | .81, .61; the second unit is the larger one.
# With momentum the second step is that of .9 times the first gradient (1, 1 | 1, 2) and the second
# (.9, .8 | .9, 1.9) together: .72, 1.73 | .72, .43.
@pytest.mark.parametrize(
    ("reset", "momentum", "carry", "first", "second"),
    [
        ("rewind", 0, False, 1.9 - 0.08 - 0.061, 0.8 - 0.19 - 0.182),
        ("rewind", 0, True, 1.9 - 0.08 - 0.061, 0.8 - 0.19 - 0.182),
        ("finetune", 0, True, 1.82 - 0.061 - 0.0428, 0.61 - 0.182 - 0.1759),
        # 1.9 | .8 with velocities 1 | 2: 1.7 | 3.7, so 1.73 | .43, then 1.96 | 5.06.
        ("rewind", 0.9, True, 1.73 - 0.196, 0.43 - 0.506),
        # The same without velocities at first: .8 | 1.9, so 1.82 | .61, then 1.33 | 3.53.
        ("rewind", 0.9, False, 1.82 - 0.133, 0.61 - 0.353),
        # 1.73 | .43 with velocities 1.7 | 3.7: 1.96 | 5.06, so 1.534 | -.076, then 1.688 | 6.088.
        ("finetune", 0.9, True, 1.534 - 0.1688, -0.076 - 0.6088),
    ],
)
def test_a_ticket_by_hand(reset, momentum, carry, first, second):
    net = two_units()
    (ticket,) = mirtrim.tickets(
        net, ONE, two_steps(momentum, carry), [2], reset=reset, minimum_units=1
    )
    assert ticket.model[0].weight.item() == pytest.approx(first, abs=1e-6)
    assert ticket.model[1].weight.item() == pytest.approx(second, abs=1e-6)
    assert ticket.ratio == 2
    assert ticket.trim_report.layers[0].units_before == 2
    assert net[0].weight.flatten().tolist() == [1, 2]


def test_a_masked_ticket_by_hand():
    net = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.1, 1.0, 2.0, 0.3]]))
    pull = torch.tensor([[-9.0, 1.0, 19.0, -8.0]])

    def train(model, after_step):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        (model.weight * pull).sum().backward()
        optimizer.step()
        after_step()

    dense, half = mirtrim.tickets(net, torch.ones(1, 4), train, [1, 2], method="mask")
    assert dense.model.weight[0].tolist() == pytest.approx([1.0, 0.9, 0.1, 1.1])
    # The largest after training stay, from where they began: .1 and .3.
    assert half.model.weight[0].tolist() == pytest.approx([1.0, 0, 0, 1.1])
    assert half.masks["weight"].tolist() == [[True, False, False, True]]
    assert half.ratio == 2


def test_what_is_protected_counts_when_a_ratio_is_asked_for():
    """374 parameters; with the first layer whole and two units in the second, 184 are left."""

    def never(model, after_step):
        raise AssertionError

    words = {"protect": ["0"]}
    mirtrim.tickets(classifier(), X[:2], never, [374 / 184], **words)
    with pytest.raises(RatioError, match=r"cannot reach 2\.04 on this network, 2\.03 is the most"):
        mirtrim.tickets(classifier(), X[:2], never, [2.04], **words)
    mirtrim.tickets(classifier(), X[:2], never, [2.04], protect=["3"])
    # Masks are none of units, so nothing is protected from them.
    mirtrim.tickets(classifier(), X[:2], never, [4], "mask", **words)


def nothing(model, after_step):
    """A training that leaves the network as it is."""


def units_left(model):
    """First weights of the units of the first layer that are left."""
    return [round(row[0], 4) for row in model[0].weight.tolist()]


def wide():
    torch.manual_seed(2)
    return nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 1))


def drawn(ratios, **words):
    """What is left of `wide` where chance decides."""
    words = {"criterion": "random", "minimum_units": 1, **words}
    return [
        units_left(ticket.model)
        for ticket in mirtrim.tickets(wide(), X[:2], nothing, ratios, **words)
    ]


def test_chance_is_that_of_seed_0_and_of_the_number_of_the_ticket():
    alone = drawn([2, 4])
    assert alone == drawn([2, 4], seed=0) != drawn([2, 4], seed=1)
    # The dense network is no round: with it as a ticket, the others are the same.
    assert drawn([1, 2, 4])[1:] == alone
    assert drawn([2]) == alone[:1]


def test_the_dense_ticket_is_the_whole_network():
    (dense,) = mirtrim.tickets(two_units(), ONE, two_steps(0, False), [1])
    assert (dense.target_ratio, dense.ratio) == (1, 1)
    assert dense.model[0].weight.flatten().tolist() == pytest.approx([0.81, 1.82])
    assert dense.masks == dense.diagnostics == {}
    assert dense.trim_report is None
    assert not dense.model.training


def test_two_units_of_every_layer_are_left_unless_fewer_are_allowed():
    with pytest.raises(RatioError, match="cannot reach 2"):
        mirtrim.tickets(two_units(), ONE, nothing, [2])
    (ticket,) = mirtrim.tickets(two_units(), ONE, nothing, [2], minimum_units=1)
    assert units_left(ticket.model) == [2]


def test_one_ratio_may_stand_by_itself_and_truth_is_no_number():
    (ticket,) = mirtrim.tickets(two_units(), ONE, nothing, 2, minimum_units=1)
    assert ticket.target_ratio == 2
    for ratios in ([True], [float("nan")], [0.999]):
        with pytest.raises(ConfigError, match="is not a number from 1 on"):
            mirtrim.tickets(two_units(), ONE, nothing, ratios)


def test_a_training_goes_on_for_a_step_after_the_last_choice():
    """Three quarters of 26 are 19 whole steps, of 27 they are 20, as many as the loop makes."""
    words = {"method": "feedback", "period": 5}
    (ticket,) = mirtrim.tickets(classifier(), X[:2], fit, [2], steps=26, **words)
    assert ticket.ratio >= 2
    with pytest.raises(ConfigError, match="train made 20, and pruning ends after step 20 of 27"):
        next(mirtrim.tickets(classifier(), X[:2], fit, [2], steps=27, **words))


def test_a_state_after_the_last_ticket_is_an_end_and_one_beyond_is_named():
    words = {"minimum_units": 1}
    tickets = mirtrim.tickets(wide(), X[:2], nothing, [2, 4], **words)
    list(tickets)
    state = tickets.state_dict()
    again = mirtrim.tickets(wide(), X[:2], nothing, [2, 4], **words)
    again.load_state_dict(state)
    assert list(again) == []
    shorter = mirtrim.tickets(wide(), X[:2], nothing, [2], **words)
    with pytest.raises(ConfigError, match="state: 2 tickets are done, of 1 ratios"):
        shorter.load_state_dict(state)
    longer = mirtrim.tickets(wide(), X[:2], nothing, [2, 4, 8], **words)
    longer.load_state_dict(state)
    (ticket,) = longer
    whole = list(mirtrim.tickets(wide(), X[:2], nothing, [2, 4, 8], **words))
    assert units_left(ticket.model) == units_left(whole[2].model)


def test_ratios_go_on_from_each_other_and_reports_start_at_the_dense_network():
    made = list(mirtrim.tickets(classifier(), X[:2], fit, [1, 2, 4]))
    assert [t.target_ratio for t in made] == [1, 2, 4]
    assert made[0].trim_report is None
    for ticket in made[1:]:
        report = ticket.trim_report
        assert report.layers[0].units_before == 16
        assert report.layers[0].units_after == ticket.model[0].out_features
        assert ticket.ratio == report.ratio >= ticket.target_ratio
        left = sum(p.numel() for p in ticket.model.parameters())
        assert report.parameters_after == left
        assert not ticket.model.training
    assert "(ratio" in str(made[2].trim_report)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("trim", {"criterion": "random"}),
        ("trim", {"reset": "finetune"}),
        ("trim", {"reset": "reinit", "budget": "macs"}),
        ("mask", {"scope": "global"}),
        ("mask", {"reset": "finetune"}),
        ("one_shot", {}),
        ("gradual", {"steps": 20, "period": 3}),
        ("feedback", {"steps": 20}),
        ("feedback_units", {"steps": 20, "criterion": "random"}),
        ("trim_fast", {"pack": 2}),
        ("trim", {"teacher": "dense"}),
    ],
)
def test_a_stop_between_tickets_changes_no_bit(method, words, tmp_path):
    def make():
        return mirtrim.tickets(classifier(), X[:2], fit, [1.5, 2, 3], method, **words)

    whole = list(make())
    parts = []
    state = tmp_path / "state.safetensors"
    write_tensors(state, make().state_dict())
    for _ in whole:
        tickets = make()
        tickets.load_state_dict(read_tensors(state)[0])
        parts.append(next(tickets))
        write_tensors(state, tickets.state_dict())
    for one, other in zip(whole, parts, strict=True):
        expected, found = one.model.state_dict(), other.model.state_dict()
        assert expected.keys() == found.keys()
        assert all(torch.equal(found[name], value) for name, value in expected.items())
        assert one.trim_report == other.trim_report
        assert one.masks.keys() == other.masks.keys()


def test_what_is_done_with_a_ticket_does_not_reach_the_next():
    whole = list(mirtrim.tickets(classifier(), X[:2], fit, [1, 2, 4], reset="finetune"))
    spoilt = []
    for ticket in mirtrim.tickets(classifier(), X[:2], fit, [1, 2, 4], reset="finetune"):
        spoilt.append({n: t.clone() for n, t in ticket.model.state_dict().items()})
        with torch.no_grad():
            for parameter in ticket.model.parameters():
                parameter.zero_()
    for ticket, state in zip(whole, spoilt, strict=True):
        assert all(torch.equal(t, state[n]) for n, t in ticket.model.state_dict().items())


def test_an_interrupted_training_can_be_tried_again():
    whole = list(mirtrim.tickets(classifier(), X[:2], fit, [2, 4]))
    fail = [False]

    def sometimes(model, after_step):
        fit(model, after_step)
        if fail[0]:
            raise KeyboardInterrupt

    tickets = mirtrim.tickets(classifier(), X[:2], sometimes, [2, 4])
    again = []
    for _ in whole:
        fail[0] = bool(again)
        if fail[0]:
            with pytest.raises(KeyboardInterrupt):
                next(tickets)
            fail[0] = False
        again.append(next(tickets))
    for one, other in zip(whole, again, strict=True):
        found = other.model.state_dict()
        assert all(torch.equal(found[n], t) for n, t in one.model.state_dict().items())


@pytest.mark.parametrize("method", ["cram", "platon", "top_kast", "powerpropagation"])
def test_methods_that_take_the_gradient_themselves_get_a_closure(method):
    def closed(model, after_step):
        optimizer = torch.optim.Adam(model.parameters(), 0.01)

        def loss():
            optimizer.zero_grad()
            value = nn.functional.cross_entropy(model(X), Y)
            value.backward()
            return value

        for _ in range(20):
            optimizer.step(loss)
            after_step()

    (ticket,) = mirtrim.tickets(classifier(), X[:2], closed, [4], method, steps=20)
    kept = sum(int(p.count_nonzero()) for p in ticket.model.parameters() if p.dim() > 1)
    assert kept <= sum(int(mask.sum()) for mask in ticket.masks.values())
    assert ticket.ratio >= 4
    with pytest.raises(ConfigError, match=f"{method} has to take the gradient itself; .* closure"):
        next(mirtrim.tickets(classifier(), X[:2], fit, [4], method, steps=20))


def test_a_trained_network_is_not_trained_again():
    trained = classifier()
    calls = []

    def counted(model, after_step):
        calls.append(after_step.ratio)
        fit(model, after_step)

    words = {"reset": "finetune", "trained": True}
    list(mirtrim.tickets(trained, X[:2], counted, [2, 4], **words))
    assert calls == [2, 4]
    rewind = {n: t * 2 for n, t in trained.state_dict().items()}
    seen = []

    def look(model, after_step):
        seen.append(model[0].weight.detach().clone())

    next(mirtrim.tickets(trained, X[:2], look, [2], trained=True, rewind=rewind))
    rows = {tuple(row.tolist()) for row in trained[0].weight * 2}
    assert all(tuple(row.tolist()) in rows for row in seen[0])


def test_protected_layers_keep_their_units():
    (ticket,) = mirtrim.tickets(classifier(), X[:2], fit, [1.3], protect=["0"])
    assert ticket.model[0].out_features == 16


def test_a_teacher_is_the_trained_dense_network_or_a_given_one():
    seen = []

    def look(model, after_step):
        fit(model, after_step)
        seen.append((after_step.ratio, float(after_step.distillation(X[:, :2], X))))

    dense, _ = mirtrim.tickets(classifier(), X[:2], look, [1, 2], teacher="dense")
    with torch.no_grad():
        expected = float(((dense.model(X) - X[:, :2]) ** 2).mean())
    assert seen == [(1, 0), (2, pytest.approx(expected))]
    seen.clear()
    given = nn.Linear(6, 2)
    distance = nn.functional.l1_loss
    list(mirtrim.tickets(classifier(), X[:2], look, [2], teacher=given, distance=distance))
    with torch.no_grad():
        expected = float((given(X) - X[:, :2]).abs().mean())
    assert seen[1] == (2, pytest.approx(expected))


def test_weights_that_no_module_draws_are_named():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.ones(8, 6))
            self.last = nn.Linear(8, 2)

        def forward(self, x):
            return self.last(nn.functional.linear(x, self.table))

    with pytest.raises(ConfigError, match="table is not drawn"):
        list(mirtrim.tickets(Own(), X[:2], fit, [2], reset="reinit"))

    def initialise(network, generator):
        with torch.no_grad():
            for p in network.parameters():
                p.copy_(torch.rand(p.shape, generator=generator))

    words = {"reset": "reinit", "initialise": initialise}
    (ticket,) = mirtrim.tickets(Own(), X[:2], fit, [2], **words)
    assert ticket.ratio >= 2


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"ratios": []}, "ratios: there is none"),
        ({"ratios": [4, 2]}, "ratios: 2 comes after 4"),
        ({"ratios": [2, 2]}, "ratios: 2 comes after 2"),
        ({"ratios": ["4"]}, "ratios: '4'"),
        ({"ratios": [0.5]}, "ratios: 0.5"),
        ({"method": "prune"}, "method 'prune'"),
        ({"reset": "rewound"}, "rewound"),
        ({"criterion": "size"}, "no criterion 'size'"),
        ({"colour": 1}, "colour: unknown key"),
        ({"method": "same_shape"}, "reference"),
        ({"trained": True}, "rewind: a trained model"),
        ({"rewind": {}}, "rewind: is for a model that is trained"),
        ({"method": "feedback", "trained": True}, "starts from initial weights"),
        ({"teacher": "large"}, "teacher: 'large'"),
    ],
)
def test_what_does_not_fit_is_named_before_anything_is_trained(words, problem):
    def never(model, after_step):
        raise AssertionError

    with pytest.raises(ConfigError, match=problem):
        mirtrim.tickets(
            **{
                "model": classifier(),
                "example_inputs": X[:2],
                "train": never,
                "ratios": [2],
            }
            | words
        )


@pytest.mark.parametrize(
    ("method", "words", "missing"),
    [
        ("trim", {"criterion": "gradient"}, "batches: the criterion looks at data"),
        ("trim", {"criterion": "gradient", "batches": lambda: [(X, Y)]}, "loss: the criterion"),
        ("trim", {"criterion": "activation"}, "batches: the criterion looks at data"),
        ("mask", {"criterion": "gradient", "batches": lambda: [(X, Y)]}, "loss: the criterion"),
        ("snip", {}, "batches: the criterion looks at data"),
        ("optimal_surgeon", {"batches": lambda: [(X, Y)]}, "loss: the criterion follows"),
    ],
)
def test_what_a_criterion_lacks_is_named_before_anything_is_trained(method, words, missing):
    def never(model, after_step):
        raise AssertionError("trained")

    with pytest.raises(ConfigError, match=f"^{missing}"):
        mirtrim.tickets(classifier(), X[:2], never, [2], method, **words)


def test_a_criterion_that_has_all_it_looks_at_does_not_look_before_the_training():
    def never():
        raise AssertionError("looked")

    words = {"criterion": "gradient", "batches": never, "loss": nn.functional.cross_entropy}
    mirtrim.tickets(classifier(), X[:2], fit, [2], **words)


@pytest.mark.parametrize("method", ["trim", "mask", "feedback"])
def test_ratios_out_of_reach_are_named_before_anything_is_trained(method):
    def never(model, after_step):
        raise AssertionError

    with pytest.raises(RatioError, match="cannot reach 5000"):
        mirtrim.tickets(classifier(), X[:2], never, [2, 5000], method)


def test_loops_that_do_not_tell_their_steps_are_named():
    def silent(model, after_step):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(3):
            model(X).sum().backward()
            optimizer.step()

    with pytest.raises(TrainingError, match="after_step"):
        next(mirtrim.tickets(classifier(), X[:2], silent, [2]))
    with pytest.raises(ConfigError, match="steps: feedback"):
        next(mirtrim.tickets(classifier(), X[:2], fit, [2], "feedback"))
    with pytest.raises(ConfigError, match="train made 20, and pruning ends after step 75 of 100"):
        next(mirtrim.tickets(classifier(), X[:2], fit, [2], "feedback", steps=100))
    with pytest.raises(ConfigError, match="made no step"):
        next(mirtrim.tickets(classifier(), X[:2], lambda m, a: None, [2], "mask"))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("trim", {}),
        ("mask", {}),
        ("gradual", {"steps": 20}),
        ("platon", {"steps": 20}),
        ("powerpropagation", {"steps": 20}),
        ("soup", {"batches": lambda: [(X, Y)]}),
    ],
)
def test_a_training_that_ends_in_nan_gives_no_ticket(method, words):
    """A square root at 0 has no finite gradient; one step is enough."""

    def diverging(model, after_step):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def closure():
            optimizer.zero_grad()
            loss = (model(X).sum() * 0).abs().sqrt() * 0
            loss.backward()
            return loss

        for _ in range(20):
            optimizer.step(closure)
            after_step()

    with pytest.raises(TrainingError, match=r"0\.weight holds NaN after the training; lower"):
        next(mirtrim.tickets(classifier(), X[:2], diverging, [2], method, **words))


def test_an_optimiser_of_another_network_is_named():
    def wrong(model, after_step):
        after_step.carry(torch.optim.SGD(classifier().parameters(), 0.1))

    with pytest.raises(ConfigError, match="holds no parameter"):
        next(mirtrim.tickets(classifier(), X[:2], wrong, [2]))


def test_a_state_of_another_network_is_named():
    state = mirtrim.tickets(two_units(), ONE, fit, [1.2], minimum_units=1).state_dict()
    with pytest.raises(ConfigError, match="another network"):
        mirtrim.tickets(classifier(), X[:2], fit, [2]).load_state_dict(state)


def test_a_state_of_something_else_is_refused_and_changes_nothing():
    of = mirtrim.tickets(classifier(), X[:2], fit, [2])
    before = of.state_dict()
    for state in ({}, {"done": torch.tensor(0)}, classifier().state_dict()):
        with pytest.raises(ConfigError, match="state: is none that the state_dict of tickets"):
            of.load_state_dict(state)
    after = of.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
