"""Cutting modules, tensors and optimisers with literal numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from mirtrim.units.cutting import cut, cut_optimizer, cut_tensors
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.units.gating import gated
from mirtrim.utils.errors import TraceError


def network() -> nn.Sequential:
    net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        net[0].bias.copy_(torch.tensor([10.0, 20.0, 30.0]))
        net[1].running_mean.copy_(torch.tensor([0.1, 0.2, 0.3]))
        net[3].weight.copy_(torch.tensor([[7.0, 8.0, 9.0]]))
    return net


X = torch.tensor([[1.0, -1.0], [0.5, 2.0]])
KEEP = np.array([True, True, False, True])


def test_rows_statistics_and_columns_go_together():
    net = network()
    graph = discover(net, X)
    trimmed = cut(net, graph, KEEP)
    assert trimmed[0].weight.tolist() == [[1, 2], [5, 6]]
    assert trimmed[0].bias.tolist() == [10, 30]
    assert trimmed[1].running_mean.tolist() == pytest.approx([0.1, 0.3])
    assert trimmed[3].weight.tolist() == [[7, 9]]
    assert (trimmed[0].out_features, trimmed[1].num_features, trimmed[3].in_features) == (2, 2, 2)
    assert graph.parameters(KEEP) == 2 * 2 + 2 + 2 + 2 + 2 + 1
    assert graph.macs(KEEP) == 2 * 2 + 2 * 1
    assert net[0].weight.shape == (3, 2)
    assert trimmed[2] is not net[2]


def test_untouched_tensors_are_copies():
    net = network()
    graph = discover(net, X)
    same = cut(net, graph, graph.all_kept())
    with torch.no_grad():
        same[0].weight.zero_()
    assert net[0].weight[0, 0] == 1


def test_cut_tensors_slices_any_values_by_name():
    net = network()
    graph = discover(net, X)
    gradients = {"0.weight": torch.arange(6.0).reshape(3, 2), "3.bias": torch.ones(1)}
    result = cut_tensors(gradients, graph, KEEP)
    assert result["0.weight"].tolist() == [[0, 1], [4, 5]]
    assert result["3.bias"].tolist() == [1]


def test_state_dict_of_trimmed_network_accepts_cut_tensors():
    net = network()
    graph = discover(net, X)
    rewind = {name: value + 1 for name, value in net.state_dict().items()}
    trimmed = cut(net, graph, KEEP)
    trimmed.load_state_dict(cut_tensors(rewind, graph, KEEP))
    assert trimmed[0].weight.tolist() == [[2, 3], [6, 7]]


def test_adam_moments_are_sliced():
    net = network()
    graph = discover(net, X)
    optimizer = torch.optim.AdamW(
        [{"params": net[0].parameters(), "lr": 0.5}, {"params": net[3].parameters()}], lr=0.1
    )
    net(X).sum().backward()
    optimizer.step()
    trimmed = cut(net, graph, KEEP)
    smaller = cut_optimizer(optimizer, net, trimmed, graph, KEEP)
    assert isinstance(smaller, torch.optim.AdamW)
    assert [group["lr"] for group in smaller.param_groups] == [0.5, 0.1]
    old, new = optimizer.state[net[0].weight], smaller.state[trimmed[0].weight]
    assert torch.equal(new["exp_avg"], old["exp_avg"][[0, 2]])
    assert torch.equal(new["exp_avg_sq"], old["exp_avg_sq"][[0, 2]])
    assert new["step"] == 1
    assert torch.equal(
        smaller.state[trimmed[3].weight]["exp_avg"],
        optimizer.state[net[3].weight]["exp_avg"][:, [0, 2]],
    )


def test_sums_over_rows_and_columns_are_sliced():
    """The factored second moments of Adafactor."""
    net = network()
    graph = discover(net, X)
    optimizer = torch.optim.Adafactor(net.parameters(), 0.1)
    net(X).sum().backward()
    optimizer.step()
    trimmed = cut(net, graph, KEEP)
    smaller = cut_optimizer(optimizer, net, trimmed, graph, KEEP)
    old, new = optimizer.state[net[0].weight], smaller.state[trimmed[0].weight]
    assert torch.equal(new["row_var"], old["row_var"][[0, 2]])
    assert torch.equal(new["col_var"], old["col_var"])
    old, new = optimizer.state[net[3].weight], smaller.state[trimmed[3].weight]
    assert torch.equal(new["row_var"], old["row_var"])
    assert torch.equal(new["col_var"], old["col_var"][:, [0, 2]])
    trimmed(X).sum().backward()
    smaller.step()


def test_state_of_another_kind_says_what_to_do():
    net = network()
    graph = discover(net, X)
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=3)

    def closure():
        optimizer.zero_grad()
        loss = net(X).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    with pytest.raises(TraceError, match=r"is a list.*make a new optimiser for the smaller"):
        cut_optimizer(optimizer, net, cut(net, graph, KEEP), graph, KEEP)


def test_state_of_another_shape_is_refused():
    net = network()
    graph = discover(net, X)
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    optimizer.state[net[0].weight]["factor"] = torch.zeros(5)
    with pytest.raises(TraceError, match=r"factor of 0\.weight"):
        cut_optimizer(optimizer, net, cut(net, graph, KEEP), graph, KEEP)


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (np.array([True, True]), "4 entries"),
        (np.array([False, True, True, True]), "4 entries"),
        (np.array([True, False, False, False]), "nothing of 0.weight"),
    ],
)
def test_bad_masks(keep, words):
    net = network()
    graph = discover(net, X)
    with pytest.raises(TraceError, match=words):
        cut(net, graph, keep)


def test_graph_of_another_network():
    net = network()
    graph = discover(net, X)
    with pytest.raises(TraceError, match="no tensor 'weight'"):
        cut(nn.Linear(2, 2), graph, KEEP)
    with pytest.raises(TraceError, match="traced was"):
        cut(cut(net, graph, KEEP), graph, KEEP)


def test_check_equivalence_sees_a_wrong_cut():
    net = network()
    graph = discover(net, X)
    trimmed = cut(net, graph, KEEP)
    assert check_equivalence(net, trimmed, graph, KEEP, X) < 1e-6
    with torch.no_grad():
        trimmed[3].weight.copy_(torch.tensor([[7.0, 8.0]]))
    with pytest.raises(TraceError, match="differ"):
        check_equivalence(net, trimmed, graph, KEEP, X)


def test_gate_acts_where_units_are_consumed_not_where_they_are_made():
    """Unit 2 (β = 5, no weights) would leak through its batch-norm shift."""
    net = network().eval()
    with torch.no_grad():
        net[0].weight[1] = 0
        net[0].bias[1] = 0
        net[1].bias[1] = 5.0
    graph = discover(net, X)
    trimmed = cut(net, graph, KEEP)
    assert not torch.allclose(net(X), trimmed(X))
    assert torch.allclose(gated(net, graph, KEEP)(X), trimmed(X))


def test_gradient_of_gated_network_is_zero_for_dead_and_equal_for_living():
    net = network().eval()
    graph = discover(net, X)
    trimmed = cut(net, graph, KEEP)
    gated(net, graph, KEEP)(X).square().sum().backward()
    trimmed(X).square().sum().backward()
    assert net[0].weight.grad[1].tolist() == [0, 0]
    assert torch.allclose(net[0].weight.grad[[0, 2]], trimmed[0].weight.grad)
    assert torch.allclose(net[3].weight.grad[:, [0, 2]], trimmed[3].weight.grad)
    assert net[3].weight.grad[0, 1] == 0


def test_modes_survive_check_equivalence_and_cut():
    net = network().train()
    net[1].eval()
    graph = discover(net, X)
    trimmed = cut(net, graph, KEEP)
    check_equivalence(net, trimmed, graph, KEEP, X)
    assert [m.training for m in trimmed] == [m.training for m in net] == [True, False, True, True]


def test_non_persistent_buffers_and_kept_activations():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(2, 3), nn.Linear(3, 1)
            self.register_buffer("gain", torch.tensor([1.0, 2.0, 3.0]), persistent=False)

        def forward(self, x):
            self.seen = self.first(x) * self.gain
            return self.last(self.seen)

    net = Net()
    net(X)
    graph = discover(net, X)
    trimmed = cut(net, graph, KEEP)
    assert trimmed.gain.tolist() == [1, 3]
    check_equivalence(net, trimmed, graph, KEEP, X)
