"""Random programs of shape operations: cut right or refused, but never cut wrongly.

Sizes in the programs are a mixture of numbers typed in the code, -1, and sizes computed from
the shapes of activations or the attributes of modules, which is where a cut can go wrong.
"""

import random

import pytest
import torch
from torch import Tensor, nn

from mirtrim.units.cutting import cut
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.utils.errors import TraceError
from tests.units.amount import RANDOM

PROGRAMS, CHUNKS, STEPS = 300 * RANDOM, 3, 4


def factors(r: random.Random, number: int, parts: int) -> list[int]:
    sizes = []
    for _ in range(parts - 1):
        sizes.append(r.choice([f for f in range(1, number + 1) if number % f == 0]))
        number //= sizes[-1]
    return [*sizes, number]


class Program(nn.Module):
    """Two convolutions, random shape operations on their outputs, a linear layer."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        r = random.Random(seed)
        torch.manual_seed(seed)
        self.channels = r.choice([4, 6, 8])
        self.a = nn.Conv1d(2, self.channels, 1)
        self.b = nn.Conv1d(2, self.channels, 1)
        self.scale = nn.Parameter(torch.randn(self.channels))
        self.steps: list = []
        x = example()
        y, other = self.start(x)
        for _ in range(r.randint(1, STEPS)):
            step = getattr(self, r.choice(OPERATIONS))(r, y, other)
            if step is None:
                continue
            z = step(self, y, other)
            if 1 <= z.numel() <= 600 and z.dim() <= 5 and z.shape[0] == 2:
                self.steps.append(step)
                y = z
        self.last = nn.Linear(y.flatten(1).shape[1], 2)

    def start(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.a(x).tanh()
        return y, self.b(x).relu() * self.scale[:, None]

    def forward(self, x: Tensor) -> Tensor:
        y, other = self.start(x)
        for step in self.steps:
            y = step(self, y, other)
        return self.last(y.flatten(1))

    # Each method returns a function of (network, current tensor, second convolution's output).

    def view(self, r, y, other):
        parts = r.choice([2, 3, 4])
        number = y.numel() // 2
        sizes = factors(r, number, parts - 1)
        r.shuffle(sizes)
        inferred = r.choice([None, *range(len(sizes))])
        sizes = [-1 if d == inferred else s for d, s in enumerate(sizes)]
        return lambda m, t, o: t.reshape(2, *sizes)

    def view_following(self, r, y, other):
        dim = r.randrange(1, y.dim())
        size = y.shape[dim]
        f = r.choice([f for f in range(1, size + 1) if size % f == 0])
        way = r.randrange(4)

        def run(m, t, o):
            s = list(t.shape)
            parts = {0: [s[dim] // f, f], 1: [f, s[dim] // f], 2: [f, -1], 3: [-1, f]}[way]
            return t.reshape(*s[:dim], *parts, *s[dim + 1 :])

        return run

    def merge(self, r, y, other):
        if y.dim() < 3:
            return None
        dim = r.randrange(1, y.dim() - 1)
        way = r.randrange(3)

        def run(m, t, o):
            s = t.shape
            if way == 0:
                return t.flatten(dim, dim + 1)
            size = s[dim] * s[dim + 1] if way == 1 else -1
            return t.reshape(*s[:dim], size, *s[dim + 2 :])

        return run

    def view_by_attribute(self, r, y, other):
        if (y.numel() // 2) % self.channels:
            return None
        if r.random() < 0.5:
            return lambda m, t, o: t.reshape(2, m.a.out_channels, -1)
        return lambda m, t, o: t.reshape(2, -1, o.shape[1])

    def permute(self, r, y, other):
        order = list(range(1, y.dim()))
        r.shuffle(order)
        return lambda m, t, o: t.permute(0, *order)

    def literal_slice(self, r, y, other):
        dim = r.randrange(1, y.dim())
        size = y.shape[dim]
        start, stop = r.randint(-size, size), r.choice([None, r.randint(-size, size)])
        step = r.choice([None, None, 2])
        if not len(range(size)[slice(start, stop, step)]):
            return None
        index = (*[slice(None)] * dim, slice(start, stop, step))
        return lambda m, t, o: t[index]

    def following_slice(self, r, y, other):
        dim = r.randrange(1, y.dim())
        size = y.shape[dim]
        f = r.choice([f for f in range(1, size + 1) if size % f == 0])
        way = r.randrange(5)

        def run(m, t, o):
            piece = t.shape[dim] // f
            bounds = [
                slice(piece),
                slice(piece, None) if f > 1 else slice(None),
                slice(-piece, None),
                slice(piece * (f - 1), None),
                slice(t.shape[dim] - 1, None),
            ][way]
            return t[(*[slice(None)] * dim, bounds)]

        return run

    def slice_by_other(self, r, y, other):
        if self.channels >= y.shape[1]:
            return None
        if r.random() < 0.5:
            return lambda m, t, o: t[:, : o.shape[1]]
        return lambda m, t, o: t[:, m.b.out_channels :]

    def index(self, r, y, other):
        if y.dim() < 3:
            return None
        dim = r.randrange(1, y.dim())
        position = r.randrange(-y.shape[dim], y.shape[dim])
        return lambda m, t, o: t.select(dim, position)

    def chunk(self, r, y, other):
        dim, parts = r.randrange(1, y.dim()), r.choice([2, 3, 4])
        order = r.random() < 0.5
        return lambda m, t, o: torch.cat(t.chunk(parts, dim)[:: -1 if order else 1], dim)

    def first_chunk(self, r, y, other):
        dim = r.randrange(1, y.dim())
        if y.shape[dim] < 2:
            return None
        return lambda m, t, o: t.chunk(2, dim)[0] * t.chunk(2, dim)[0].sigmoid()

    def split(self, r, y, other):
        dim = r.randrange(1, y.dim())
        size = r.randint(1, y.shape[dim])
        return lambda m, t, o: torch.cat(t.split(size, dim)[::-1], dim)

    def cat(self, r, y, other):
        if y.shape != other.shape:
            return None
        dim = r.choice([1, 2])
        return lambda m, t, o: torch.cat([t, o], dim)

    def stack(self, r, y, other):
        if y.shape != other.shape:
            return None
        dim = r.choice([1, 2, 3])
        return lambda m, t, o: torch.stack([o, t], dim)

    def add(self, r, y, other):
        if y.shape != other.shape:
            return None
        return lambda m, t, o: t + o

    def gate(self, r, y, other):
        if y.dim() != 3:
            return None
        return lambda m, t, o: t * t.mean(2, keepdim=True).sigmoid()

    def flip(self, r, y, other):
        dim = r.randrange(1, y.dim())
        return (lambda m, t, o: t.flip(dim) + t) if dim % 2 else (lambda m, t, o: t.flip(dim))

    def repeat(self, r, y, other):
        counts = [1, *(r.choice([1, 1, 2]) for _ in range(y.dim() - 1))]
        return lambda m, t, o: t.repeat(counts)

    def interleave(self, r, y, other):
        dim = r.randrange(1, y.dim())
        return lambda m, t, o: t.repeat_interleave(2, dim)

    def pad(self, r, y, other):
        widths = [r.choice([0, 0, 1]) for _ in range(2 * r.randint(1, y.dim() - 1))]
        return lambda m, t, o: nn.functional.pad(t, widths)

    def mean(self, r, y, other):
        if y.dim() < 3:
            return None
        dim, keep = r.randrange(1, y.dim()), r.random() < 0.5
        return lambda m, t, o: t.mean(dim, keepdim=keep)

    def unsqueeze(self, r, y, other):
        dim = r.randrange(1, y.dim() + 1)
        return lambda m, t, o: t.unsqueeze(dim)

    def squeeze(self, r, y, other):
        if all(s > 1 for s in y.shape) or y.dim() - sum(s == 1 for s in y.shape) < 2:
            return None
        return lambda m, t, o: t.squeeze()

    def expand(self, r, y, other):
        if y.dim() != 3 or y.shape[2] != 1:
            return None
        way = r.randrange(3)

        def run(m, t, o):
            last = o.shape[1] if way == 2 else 4
            return t.expand(-1, -1, 4) if way == 0 else t.expand(*t.shape[:2], last)

        return run

    def move(self, r, y, other):
        one, two = r.randrange(1, y.dim()), r.randrange(1, y.dim())
        return lambda m, t, o: t.movedim(one, two)

    def scaled(self, r, y, other):
        if y.dim() != 3 or y.shape[1] != self.channels:
            return None
        return lambda m, t, o: t * m.scale.view(-1, 1)


OPERATIONS = [
    name
    for name, value in vars(Program).items()
    if callable(value) and name not in ("__init__", "start", "forward")
]


def example() -> Tensor:
    return torch.linspace(-1, 1, 2 * 2 * 6).reshape(2, 2, 6)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_random_shape_programs_are_cut_right_or_refused(chunk, random_keep):
    cut_programs = refused = 0
    for seed in range(chunk, PROGRAMS, CHUNKS):
        net, x = Program(seed).double(), example().double()
        try:
            graph = discover(net, x)
        except TraceError:
            refused += 1
            continue
        if graph.group_count == 1:
            continue
        cut_programs += 1
        for share in (0.3, 0.7):
            keep = random_keep(graph, seed, share)
            trimmed = cut(net, graph, keep)
            try:
                check_equivalence(net, trimmed, graph, keep, x)
                again = discover(trimmed, x)
            except Exception as error:
                if "takes no unit at all" in str(error):
                    continue  # a slice that became empty: equal, with nothing to trace
                raise AssertionError(f"program {seed}: {type(error).__name__} {error}") from error
            assert again.macs(again.all_kept()) == graph.macs(keep), seed
    assert cut_programs > 0.3 * PROGRAMS / CHUNKS
    assert refused < 0.5 * PROGRAMS / CHUNKS
