"""Drum kits: those of SoundFonts, those in folders of single strokes, and layers of several."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mirtrim.corpora.annotations.drums import CYMBAL, HIHAT, KICK, SIDE_STICK, SNARE, TOM
from mirtrim.corpora.rendering.drums.recording import GENERAL_MIDI_PITCH
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, RENDERER_RATE, Note, Part
from mirtrim.corpora.rendering.varied.banks import Bank, OneShots, one_shot
from mirtrim.corpora.rendering.varied.synth import mixed, render
from mirtrim.sound.effects import amplitude
from mirtrim.utils.errors import CorpusError

VOICES = ("kick", "stick", "snare", "pedal", "open", "closed", "bell", "ride", "crash", "tom")
# Substitutes for strokes whose sound a kit lacks; empty: the stroke is left out.
INSTEAD: Mapping[str, tuple[str, ...]] = {
    "stick": ("snare",), "pedal": ("closed",), "open": ("closed",), "bell": ("ride", "crash"),
    "ride": ("crash", "closed"), "crash": ("ride", "open"), "tom": (), "kick": (), "snare": (),
    "closed": (),
}  # fmt: skip
NEEDED = ("kick", "snare", "closed")
# Words in file names. The first match counts; sounds that are played with hands or shaken, and #
# loops, are not part of a kit.
OTHER = r"demo|loop|beats|empty|clap|cowbell|conga|bongo|djembe|shake|tamb|agogo|cajon|clave|fx"
WORDS: tuple[tuple[str, str], ...] = (
    ("tom", r"(?<!s)tom|^t\d|^ft(?![a-z])"),
    ("bell", r"(?:ride|paiste).*(?:bell|cup)|(?:bell|cup).*ride"),
    ("pedal", r"(?:hat|hh).*(?:pedal|foot|pd|_p)|(?:pedal|foot).*(?:hat|hh)"),
    ("open", r"(?:hat|hh).*(?:open|[ _]op)|(?:open).*(?:hat|hh)|ohh|^ho(?![a-z])"),
    ("closed", r"hat|hh"),
    ("ride", r"ride|^rc(?![a-z])"),
    ("crash", r"crash|china|splash|cymb|^cc(?![a-z])|^cra(?![a-z])"),
    ("stick", r"stick|rim|^rs(?![a-z])"),
    ("snare", r"snare|snr|(?<![a-z])s[dn](?![a-z])|^sd"),
    ("kick", r"kick|kik|bass ?-?drum|(?<![a-z])bd(?![a-z])|^bd"),
)
VOICE_OF_PITCH: Mapping[int, str] = {
    **dict.fromkeys(KICK, "kick"), **dict.fromkeys(SIDE_STICK, "stick"),
    **dict.fromkeys(SNARE, "snare"), **dict.fromkeys(TOM, "tom"),
    **dict.fromkeys(HIHAT, "closed"), 44: "pedal", 46: "open", 26: "open",
    **dict.fromkeys(CYMBAL, "crash"), 51: "ride", 59: "ride", 53: "bell",
}  # fmt: skip
assert set(VOICE_OF_PITCH) == {*KICK, *SIDE_STICK, *SNARE, *TOM, *HIHAT, *CYMBAL}
# Level of each voice of a folder, whose files all have their peak at full scale, and by how much
# that differs between recordings.
LEVEL_DB: Mapping[str, float] = {
    "kick": 0, "stick": -6, "snare": -1, "pedal": -14, "open": -9, "closed": -11, "bell": -9,
    "ride": -11, "crash": -5, "tom": -2,
}  # fmt: skip
BALANCE_DB = 4.0
SOFTEST_DB = -34.0  # of a stroke at velocity 1
CHOKE_SECONDS = 0.03


@dataclass(frozen=True)
class BankKit:
    """A kit of a SoundFont; `channel` is not that of the drums where the bank is one kit."""

    bank: Bank
    program: int
    channel: int = DRUM_CHANNEL

    @property
    def name(self) -> str:
        """Bank and program."""
        return f"{self.bank.name} {self.program}"


@dataclass(frozen=True)
class ShotKit:
    """A kit of single sounds.

    Attributes:
        sounds: voice → its files, in the order of their names.
    """

    name: str
    sounds: Mapping[str, tuple[Path, ...]]

    def voice(self, pitch: int) -> str | None:
        """What a stroke in Roland's pitches is played with, None if there is nothing."""
        wanted = VOICE_OF_PITCH[pitch]
        return next((v for v in (wanted, *INSTEAD[wanted]) if v in self.sounds), None)


Kit = BankKit | ShotKit


@dataclass(frozen=True)
class Hit:
    """How a kit is played in one recording.

    Attributes:
        semitones: tuning of the whole kit.
        level_db: of the kit against the first one of its layers.
    """

    kit: Kit
    semitones: float = 0.0
    level_db: float = 0.0


def kits_of(banks: Sequence[Bank], one_shots: Iterable[OneShots]) -> list[Kit]:
    """Every kit of every bank and folder, in a fixed order.

    A bank with a single preset is a kit. Every folder with sound files is considered; folders
    without a kick, a snare or a hi-hat are not kits.

    Raises:
        CorpusError: there is no kit at all.
    """
    kits: list[Kit] = []
    for bank in banks:
        kits += [BankKit(bank, program) for program in bank.kits]
        if bank.presets == {(0, 0)}:
            kits.append(BankKit(bank, 0, channel=0))
    for folder in one_shots:
        by_parent: dict[Path, list[Path]] = {}
        for path in folder.files:
            by_parent.setdefault(path.parent, []).append(path)
        for parent, files in by_parent.items():
            sounds: dict[str, list[Path]] = {}
            for path in files:
                voice = voice_of_name(path.stem)
                if voice is not None:
                    sounds.setdefault(voice, []).append(path)
            if all(voice in sounds for voice in NEEDED):
                kits.append(ShotKit(parent.name, {v: tuple(p) for v, p in sounds.items()}))
    if not kits:
        raise CorpusError("no bank and no folder holds a drum kit; add one to `banks`")
    return kits


def voice_of_name(stem: str) -> str | None:
    """The element of `VOICES` that a file name indicates, None if it is not part of a kit."""
    name = stem.lower()
    if re.search(OTHER, name):
        return None
    return next((voice for voice, words in WORDS if re.search(words, name)), None)


def draw_hits(kits: Sequence[Kit], main: int, rng: np.random.Generator) -> list[Hit]:
    """Kit number `main` alone, or with one or two others under it, all out of tune."""
    hits = [Hit(kits[main], float(rng.normal(0, 0.8)))]
    for _ in range(int(rng.choice([0, 0, 0, 1, 1, 2]))):
        other = kits[int(rng.integers(len(kits)))]
        hits.append(Hit(other, float(rng.normal(0, 1.5)), float(rng.uniform(-15, -2))))
    return hits


def in_turn(kits: Sequence[Kit], count: int, rng: np.random.Generator) -> list[int]:
    """Which kit plays each of `count` pieces: every one in turn, and each bank or folder as often.

    A bank with thirty variants of a kit is no more different than a folder with one kit. Half of
    the pieces go through all kits, the others through banks and folders.
    """
    groups: dict[str, list[int]] = {}
    for index, kit in enumerate(kits):
        groups.setdefault(kit.bank.name if isinstance(kit, BankKit) else kit.name, []).append(index)
    names = sorted(groups)
    order = rng.permutation(len(kits))
    turns = []
    for number in range(count):
        if number % 2 == 0:
            turns.append(int(order[number // 2 % len(kits)]))
        else:
            turns.append(int(rng.choice(groups[names[number // 2 % len(names)]])))
    return turns


def play_kits(
    notes: Sequence[Note], seconds: float, layers: Sequence[Hit], rng: np.random.Generator
) -> tuple[np.ndarray, list[Note]]:
    """Strokes in Roland's pitches, played by all layers together.

    Returns:
        Mono samples at 48 kHz, (round(48000 · seconds),) float32, and the strokes that the first
        layer could play; the others play those.
    """
    played = [note for note in notes if plays(layers[0].kit, note.pitch)]

    def sound(hit: Hit) -> np.ndarray:
        if isinstance(hit.kit, BankKit):
            return _from_bank(hit.kit, hit.semitones, played, seconds)
        return _from_shots(hit.kit, hit.semitones, played, seconds, rng)

    return mixed(((sound(layer), layer.level_db) for layer in layers), seconds), played


def plays(kit: Kit, pitch: int) -> bool:
    """Whether a kit has a sound for a stroke."""
    return isinstance(kit, BankKit) or kit.voice(pitch) is not None


def _from_bank(kit: BankKit, semitones: float, notes: Sequence[Note], seconds: float) -> np.ndarray:
    strokes = [
        replace(
            note,
            pitch=GENERAL_MIDI_PITCH.get(note.pitch, note.pitch),
            end_seconds=min(note.start_seconds + 2.0, seconds),
        )
        for note in notes
    ]
    return render([Part(kit.channel, kit.program, strokes, semitones)], seconds, kit.bank)


def _from_shots(
    kit: ShotKit,
    semitones: float,
    notes: Sequence[Note],
    seconds: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Louder strokes take a louder file of their voice where it has several."""
    count = round(seconds * RENDERER_RATE)
    mix = np.zeros(count + 1, dtype=np.float32)
    speed = 2 ** (semitones / 12)
    balance = {voice: LEVEL_DB[voice] + rng.normal(0, BALANCE_DB) for voice in kit.sounds}
    rising = {voice: sorted(files, key=_loudness) for voice, files in kit.sounds.items()}
    prepared: dict[Path, np.ndarray] = {}
    ringing: tuple[int, np.ndarray, float] | None = None  # an open hi-hat
    for note in notes:
        voice = kit.voice(note.pitch)
        if voice is None:
            continue
        files = rising[voice]
        place = note.velocity / 128 * len(files) + rng.normal(0, 0.3)
        path = files[int(np.clip(place, 0, len(files) - 1))]
        if path not in prepared:
            prepared[path] = _at_speed(one_shot(path), speed)
        sound = prepared[path]
        gain = np.float32(amplitude(balance[voice] + SOFTEST_DB * (1 - note.velocity / 127)))
        gain *= np.float32(rng.uniform(0.85, 1.15))
        start = round(note.start_seconds * RENDERER_RATE)
        if ringing is not None and note.pitch in HIHAT:
            _choke(mix, *ringing, start)
            ringing = None
        end = min(start + len(sound), count)
        if end <= start:
            continue
        mix[start:end] += gain * sound[: end - start]
        if voice == "open":
            ringing = (start, sound, float(gain))
    return mix[:count]


def _loudness(path: Path) -> tuple[float, str]:
    """What louder strokes of one drum have more of; equally loud ones stay in order."""
    return float(np.sum(np.square(one_shot(path)[: RENDERER_RATE // 10]))), path.name


def _choke(mix: np.ndarray, start: int, sound: np.ndarray, gain: float, at: int) -> None:
    """End an open hi-hat, which began at `start`, at sample `at`, in place."""
    gone = at - start
    if not 0 < gone < len(sound):
        return
    end = min(start + len(sound), len(mix))
    time = np.arange(end - at, dtype=np.float32) / np.float32(CHOKE_SECONDS * RENDERER_RATE)
    mix[at:end] -= np.float32(gain) * sound[gone : gone + end - at] * (1 - np.exp(-3 * time))


def _at_speed(sound: np.ndarray, speed: float) -> np.ndarray:
    """A sound played faster or slower, by linear interpolation; peak 1."""
    place = np.arange(0, len(sound) - 1, speed)
    left = place.astype(np.int64)
    part = (place - left).astype(np.float32)
    faster = sound[left] * (1 - part) + sound[left + 1] * part
    return faster / np.float32(np.abs(faster).max())
