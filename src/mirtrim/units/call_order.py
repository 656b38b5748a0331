"""Calls that read units without a named weight, told apart by where and in what order they run."""

from collections.abc import Sequence

from torch import nn

from mirtrim.units.gated_calls import Site, calling
from mirtrim.units.graph import NormCall
from mirtrim.utils.errors import TraceError


class CallOrder:
    """The calls of one pass, as they come.

    At most places in the code all calls read the same units, however many there are: a loop may
    run for more steps or for fewer. At others (a function that several layers share) their order
    tells them apart, and then there have to be as many as when the network was traced, or whole
    rounds of them. A module may be skipped (stochastic depth), and was perhaps when the network
    was traced in training mode; then what it did in eval mode counts.
    """

    def __init__(
        self, model: nn.Module, calls: Sequence[NormCall], others: Sequence[NormCall]
    ) -> None:
        """`calls` are those of the mode that the network is in, `others` of eval mode."""
        self._paths = {id(module): path for path, module in model.named_modules()}
        self._of = _by_place(others) | _by_place(calls)
        self._count: dict[tuple[str, Site], int] = {}
        self._period: dict[tuple[str, Site], int] = {}

    def next(self) -> NormCall:
        """What the graph knows about the call that is being made.

        Raises:
            TraceError: it knows nothing.
        """
        path, site = calling(self._paths)
        place = path or "", site
        known = self._of.get(place)
        if known is None:
            raise TraceError(_refusal(place[0], "makes a call over units that it did not make"))
        number = self._count.get(place, 0)
        self._count[place] = number + 1
        if place not in self._period:
            self._period[place] = _period(known)
        period = self._period[place]
        if number >= len(known) and not period:
            raise TraceError(_refusal(place[0], "makes more calls over units than"))
        return known[number % (period or len(known))]

    def assert_whole(self) -> None:
        """The pass is over.

        Raises:
            TraceError: the order of calls did not tell which of them were made.
        """
        for place, count in self._count.items():
            if count % (self._period[place] or len(self._of[place])):
                raise TraceError(_refusal(place[0], "makes fewer calls over units than"))

    def assert_unordered(self) -> None:
        """Only a part of a pass is over.

        Raises:
            TraceError: calls were told by their order, which starts anew with each pass.
        """
        for path, site in self._count:
            if self._period[path, site] != 1:
                raise TraceError(
                    _refusal(path, "makes a part of its calls over units again in a checkpoint, as")
                )


def _refusal(path: str, what: str) -> str:
    where = f"module {path!r}" if path else "the network"
    return (
        f"{where} {what} when it was traced, so it is not known which units they read; give an "
        "example for which it makes the same calls"
    )


def _by_place(calls: Sequence[NormCall]) -> dict[tuple[str, Site], list[NormCall]]:
    found: dict[tuple[str, Site], list[NormCall]] = {}
    for call in calls:
        found.setdefault((call.module, call.site), []).append(call)
    return found


def _period(calls: Sequence[NormCall]) -> int:
    """After how many calls they begin anew, 0 if they were not seen to."""
    for period in range(1, len(calls) // 2 + 1):
        if len(calls) % period == 0 and all(
            call.agrees(calls[i % period]) for i, call in enumerate(calls)
        ):
            return period
    return int(len(calls) == 1)
