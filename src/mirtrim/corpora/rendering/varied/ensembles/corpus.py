"""Pieces for any instruments, above all the piano, in the layout of MAESTRO (audio beside MIDI).

The MIDI file of a track says when its notes are heard, not when their keys went down: the attack
of every instrument of a bank is measured at the beginning of each rendering, which is then cut.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mirtrim.corpora import layout
from mirtrim.corpora.rendering.midi import midi_bytes
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, RENDERER_RATE, Note, Part
from mirtrim.corpora.rendering.varied.audible import audible
from mirtrim.corpora.rendering.varied.banks import Bank
from mirtrim.corpora.rendering.varied.ensembles.playing import Piece, play_piece
from mirtrim.corpora.rendering.varied.kits import Kit, draw_hits, in_turn, kits_of, play_kits
from mirtrim.corpora.rendering.varied.making import Sounds, VariedJob
from mirtrim.corpora.rendering.varied.synth import downsampled, render
from mirtrim.corpora.splits import SPLITS
from mirtrim.sound.chain import Chain
from mirtrim.sound.effects import amplitude, rms
from mirtrim.utils.seeds import numpy_generator

NAME = "varied_ensembles"
METADATA_NAME = "maestro-v2.0.0.json"  # where the loader looks
RECORDING = Chain(
    room=0.75, room_seconds=1.2, tilt_db=3, equaliser_db=6, band_limit=0.3, noise=0.7,
    noise_db=(15, 60), clipping=0.1, codec=0.1,
)  # fmt: skip
DRUMS_DB = (-8.0, 6.0)  # against all else
# Number of single notes that the instruments play before a piece, over the range that they use.
PROBES = 4
PROBE_SECONDS, PROBE_GAP_SECONDS = 0.25, 0.25
AFTER_PROBES_SECONDS = 1.0
ATTACK_DB = -15.0  # against the loudest of the first moments of a note
FIRST_SECONDS = 0.15
SILENT = 1e-5


@dataclass(frozen=True)
class EnsembleJob(VariedJob):
    """One track.

    Attributes:
        copy: of several recordings of one piece, with other sounds.
        bank: of the pitched instruments; another one plays if it lacks some of them.
        kits: all there are; number `kit` is the main one.
    """

    copy: int
    bank: int
    kit: int
    kits: tuple[Kit, ...]

    corpus = NAME
    chain = RECORDING
    levels_db = (-30.0, -0.3)

    @property
    def track_id(self) -> str:
        """Path of its MIDI file without ending, as in MAESTRO."""
        return f"{self.source}-{self.copy}" if self.copy else self.source

    @property
    def source(self) -> str:
        """The piece, independent of its instruments."""
        return f"{self.split}/{self.number:04d}"

    def make(self, data_home: Path) -> None:
        """Play, record and write the track."""
        parts, mix = self.played()
        samples = self.record(data_home / self.files["audio"], downsampled(mix))
        parts = [replace(part, notes=audible(part.notes, samples)) for part in parts]
        layout.write_bytes(data_home / self.files["midi"], midi_bytes(parts))

    def played(self) -> tuple[list[Part], np.ndarray]:
        """Parts with the times at which their notes are heard, and their sound at 48 kHz."""
        piece = self.piece()
        seconds, rng = self.sounds.seconds, self.stream("sounds")
        tonal = [part for part in piece.parts if part.channel != DRUM_CHANNEL]
        drums = [part for part in piece.parts if part.channel == DRUM_CHANNEL]
        mix: np.ndarray = np.zeros(round(seconds * RENDERER_RATE), dtype=np.float32)
        heard: list[Part] = []
        if any(part.notes for part in tonal):
            bank = self.sounds.tonal_bank(tonal, self.bank, self.number)
            heard, mix = heard_parts(tonal, seconds, bank)
        for part in drums:
            hits = draw_hits(self.kits, self.kit, rng)
            beat, strokes = play_kits(part.notes, seconds, hits, rng)
            scale = np.float32(1.0)
            if heard and rms(beat).item() > SILENT:
                level = amplitude(float(rng.uniform(*DRUMS_DB)))
                scale = np.float32((level * rms(mix) / rms(beat)).item())
            mix = mix + scale * beat
            heard.append(replace(part, notes=strokes))
        return heard, mix

    def piece(self) -> Piece:
        """What is played."""
        return play_piece(self.sounds.seconds, self.stream("piece", self.source))


def heard_parts(parts: Sequence[Part], seconds: float, bank: Bank) -> tuple[list[Part], np.ndarray]:
    """Parts with notes that begin when they are heard, and their sound at 48 kHz, (samples,).

    Notes that the bank lacks, and that are therefore inaudible, are left out.
    """
    probed, lead = [], 0.0
    probes: list[list[tuple[float, int]]] = []
    for part in parts:
        pitches = probe_pitches([note.pitch for note in part.notes])
        times = [lead + k * (PROBE_SECONDS + PROBE_GAP_SECONDS) for k in range(len(pitches))]
        lead += len(pitches) * (PROBE_SECONDS + PROBE_GAP_SECONDS)
        probes.append(list(zip(times, pitches, strict=True)))
    lead += AFTER_PROBES_SECONDS
    for part, own in zip(parts, probes, strict=True):
        single = [Note(time, time + PROBE_SECONDS, pitch, 90) for time, pitch in own]
        moved = [
            replace(n, start_seconds=n.start_seconds + lead, end_seconds=n.end_seconds + lead)
            for n in part.notes
        ]
        probed.append(replace(part, notes=[*single, *moved]))
    sound = render(probed, lead + seconds, bank)
    heard = []
    for part, own in zip(parts, probes, strict=True):
        measured = [(pitch, attack_seconds(sound, time)) for time, pitch in own]
        known = [(pitch, late) for pitch, late in measured if late is not None]
        if not known:
            continue
        known_pitches = [pitch for pitch, _ in known]
        known_attacks = [late for _, late in known]
        notes = []
        for note in part.notes:
            begin = note.start_seconds + float(np.interp(note.pitch, known_pitches, known_attacks))
            if begin < seconds:
                notes.append(
                    replace(
                        note, start_seconds=begin, end_seconds=max(note.end_seconds, begin + 0.01)
                    )
                )
        heard.append(replace(part, notes=notes))
    return heard, sound[round(lead * RENDERER_RATE) :]


def probe_pitches(pitches: Sequence[int]) -> list[int]:
    """Pitches that stand for all: from the lowest to the highest, rising."""
    if not pitches:
        return []
    return sorted({round(p) for p in np.linspace(min(pitches), max(pitches), PROBES)})


def attack_seconds(sound: np.ndarray, at: float) -> float | None:
    """How long after `at` seconds a note is heard, None if it is not.

    Args:
        sound: at 48 kHz, in which nothing else sounds meanwhile.
    """
    begin = round(at * RENDERER_RATE)
    first = np.abs(sound[begin : begin + round(FIRST_SECONDS * RENDERER_RATE)])
    loudest = float(first.max(initial=0))
    if loudest < SILENT:
        return None
    return float(np.argmax(first >= loudest * 10 ** (ATTACK_DB / 20))) / RENDERER_RATE


def ensemble_jobs(sounds: Sounds) -> list[EnsembleJob]:
    """The tracks of a corpus, for every split; banks and kits take turns."""
    kits = tuple(kits_of(sounds.banks, sounds.one_shots))
    banks = max(1, len(sounds.tonal))
    jobs = []
    for split in SPLITS:
        copies = sounds.copies if split == "train" else 1
        count = copies * sounds.pieces[split]
        turns = in_turn(kits, count, numpy_generator(sounds.seed, NAME, "kits", split))
        for index, kit in enumerate(turns):
            number, copy = divmod(index, copies)
            bank = (number + copy) % banks
            jobs.append(EnsembleJob(split, number, sounds, copy, bank, kit, kits))
    return jobs


def form_of(jobs: Sequence[EnsembleJob]) -> Form:
    """Tables and files of the corpus."""
    metadata = [
        {
            "canonical_composer": "invented",
            "canonical_title": job.piece().title,
            "split": job.split,
            "year": 0,
            "midi_filename": job.files["midi"],
            "audio_filename": job.files["audio"],
            "duration": job.sounds.seconds,
        }
        for job in jobs
    ]
    content = json.dumps(metadata, indent=1).encode()
    return Form(
        folder="varied/ensembles",
        owned=(
            METADATA_NAME,
            *(f"{split}/*.{ending}" for split in SPLITS for ending in ("mid", "flac")),
        ),
        tables={"metadata": (METADATA_NAME, content)},
    )
