"""Drum patterns of one bar, as probabilities per slot.

A digit is the probability, in ninths, that a piece has that stroke; "." is never. Spaces
separate beats and are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """One way of playing a bar.

    Attributes:
        meter: (numerator, denominator).
        slots_per_quarter: 4 for sixteenths, 3 for triplets.
        tempo: lowest and highest quarter notes per minute.
        rows: voice → one character per slot of the bar.
        swung: whether the drummer's swing applies to the sixteenths.
    """

    meter: tuple[int, int]
    slots_per_quarter: int
    tempo: tuple[int, int]
    rows: Mapping[str, str]
    swung: bool = True

    @property
    def slots(self) -> int:
        """Slots of one bar."""
        return self.meter[0] * 4 * self.slots_per_quarter // self.meter[1]


def _rows(**rows: str) -> dict[str, str]:
    return {voice: row.replace(" ", "") for voice, row in rows.items()}


STYLES: Mapping[str, Style] = {
    "rock": Style((4, 4), 4, (96, 150), _rows(
        kick="9... ..5. 924. ..31", snare=".... 9... .... 9...", ghost=".... ...2 .1.. ...2",
        time="9.9. 9.9. 9.9. 9.9.", open=".... .... .... ..3.")),
    "pop": Style((4, 4), 4, (88, 128), _rows(
        kick="9... ..4. 9.6. ....", snare=".... 9... .... 9...", ghost="...1 .... .... .1..",
        time="9393 9393 9393 9393", open="...1 .... .... ..2.")),
    "funk": Style((4, 4), 4, (84, 118), _rows(
        kick="9.36 ..4. 3.72 .4..", snare=".... 9... .... 9..2", ghost=".4.5 ..36 .5.4 ...4",
        time="9696 9696 9696 9696", open=".... ..2. .... ..5.")),
    "soul": Style((4, 4), 4, (76, 110), _rows(
        kick="9..5 .... 4.8. ..2.", snare=".... 9... .... 9...", ghost=".... ...5 .4.. ...3",
        time="9.9. 9.92 9.9. 9.92", open=".... .... .... ..4.")),
    "hiphop": Style((4, 4), 4, (72, 100), _rows(
        kick="9..4 ..5. .38. .4..", snare=".... 9... .... 9...", ghost=".... ...3 .2.. ..3.",
        time="9.94 9.93 9.94 9.96", open=".... ..3. .... ....")),
    "punk": Style((4, 4), 4, (150, 190), _rows(
        kick="9.4. ..6. 9.9. ..4.", snare=".... 9... .... 9...",
        time="9.9. 9.9. 9.9. 9.9.", open="3... .... 3... ...."), swung=False),
    "metal": Style((4, 4), 4, (110, 160), _rows(
        kick="9595 9.95 9595 9.95", snare=".... 9... .... 9...",
        time="9... 9... 9... 9...", open="2... .... 2... ...."), swung=False),
    "halftime": Style((4, 4), 4, (70, 96), _rows(
        kick="9..3 ..4. ..5. .3..", snare=".... .... 9... ...2", ghost=".... ..3. ...3 ....",
        time="9.9. 9.9. 9.9. 9.94", open=".... .... .... ..3.")),
    "dance": Style((4, 4), 4, (112, 134), _rows(
        kick="9... 9... 9... 9...", snare=".... 8... .... 8..1", ghost=".... .... .... ...2",
        time="3.9. 3.9. 3.9. 3.9.", open="..6. ..6. ..6. ..6."), swung=False),
    "latin": Style((4, 4), 4, (96, 132), _rows(
        kick="9..6 9..6 9..6 9..6", stick="9..6 ..8. ..9. ..5.", ghost=".... ...2 .... ...2",
        time="9696 9696 9696 9696", pedal=".... 9... .... 9...", tom=".... ...2 .... ..43")),
    "afro": Style((4, 4), 4, (100, 128), _rows(
        kick="9..3 ..6. ..9. ...4", snare=".... ..8. .... 3..5", ghost=".5.. 4..3 .4.. .3..",
        time="9.95 .9.9 9.95 .9.9", pedal="..9. ..9. ..9. ..9.", tom=".... .... ..3. ..44")),
    "ballad": Style((4, 4), 4, (60, 84), _rows(
        kick="9... ...2 9.5. ....", stick=".... 7... .... 7...", snare=".... 2... .... 2...",
        ghost="...1 ..2. ...2 ....", time="9.9. 9.9. 9.9. 9.9.", open=".... .... .... ..1.")),
    "shuffle": Style((4, 4), 3, (84, 132), _rows(
        kick="9.. ..3 9.6 ...", snare="... 9.. ... 9..", ghost="..4 ..3 ..4 ..2",
        time="9.9 9.9 9.9 9.9", open="... ... ... ..2"), swung=False),
    "jazz": Style((4, 4), 3, (110, 190), _rows(
        kick="4.. 3.. 4.2 3..", snare="..1 ..2 ... .23", ghost="..3 .2. ..3 .3.",
        time="9.. 9.8 9.. 9.8", pedal="... 9.. ... 9.."), swung=False),
    "waltz": Style((3, 4), 4, (84, 150), _rows(
        kick="9... ...1 ..3.", snare=".... 8... 8...", ghost="..2. ...2 ..2.",
        time="9.6. 9.6. 9.6.", pedal=".... 5... 5...")),
    "sixeight": Style((6, 8), 4, (84, 120), _rows(
        kick="9..... ..4.3.", snare="...... 9.....", ghost="..2..2 ...2..",
        time="9.9.9. 9.9.9.", open="...... ....2."), swung=False),
}  # fmt: skip
