"""Real-time factor of listening, decoding and features included, for every packed network.

python benchmarks/listening.py song.wav [models folder]
"""

import argparse
from pathlib import Path

import soundfile
import torch
from timing import interleaved, print_table

from mirtrim.listening.bundle import read_bundle
from mirtrim.listening.listen import listen
from mirtrim.listening.shelf import bundles_in

MODELS = Path("results/default/models")


def main(song: Path, folder: Path) -> None:
    """Networks of one task take turns, on one thread; medians of CPU time."""
    torch.set_num_threads(1)
    seconds = soundfile.info(song).duration
    known = bundles_in(folder)
    rows = []
    for task in sorted({about.task for about in known.values()}):
        bundles = [read_bundle(path) for path, about in known.items() if about.task == task]
        bundles.sort(key=lambda bundle: bundle.about.ratio)
        times = interleaved([lambda b=b: listen(song, b) for b in bundles], repeats=3)
        rows += [
            [task, f"{b.about.ratio:.2f}", f"{t / seconds:.5f}", f"{seconds / t:.0f}"]
            for b, t in zip(bundles, times, strict=True)
        ]
    print(f"{seconds:.0f} s of audio\n")
    print_table(["task", "ratio", "real-time factor", "times real time"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="real-time factor of every packed network")
    parser.add_argument("song", type=Path, help="a recording")
    parser.add_argument("models", type=Path, nargs="?", default=MODELS, help="folder of networks")
    given = parser.parse_args()
    main(given.song, given.models)
