"""mirtrim listen: what a trained network hears in audio files."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mirtrim
from mirtrim.cli.extra import needing_extra
from mirtrim.cli.progress import Progress
from mirtrim.errors import ConfigError, MirtrimError

if TYPE_CHECKING:
    from mirtrim.listening.bundle import Bundle

MODELS = Path("results") / "default" / "models"
FORMATS = ("midi", "csv", "lab", "jams")


def add(verbs: Any) -> None:
    """Add the verb to the parser's verbs."""
    verb = verbs.add_parser(
        "listen",
        help="hear drums, onsets, pitch, chords or instruments in audio files",
        description="Run a trained network on audio files of any length.",
    )
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE", help="wav, flac, ogg, mp3 …")
    verb.add_argument("--task", required=True, help="drums, onset, pitch, chord or instrument")
    verb.add_argument(
        "--ratio",
        type=float,
        help="use a network that is at least so many times smaller (default: the largest there is)",
    )
    verb.add_argument(
        "--models",
        type=Path,
        metavar="FOLDER",
        help=f"where the trained networks lie (default: {MODELS.as_posix()}, here or in the "
        "checkout of mirtrim)",
    )
    verb.add_argument(
        "--output",
        type=Path,
        help="file to write, or a folder; default: beside each audio file, song.wav → "
        "song.drums.mid",
    )
    verb.add_argument(
        "--format", choices=FORMATS, help="default: midi (drums), lab (chord), csv (all others)"
    )
    verb.set_defaults(verb=_listen)


def _listen(options: argparse.Namespace) -> int:
    with needing_extra("listen"):
        import torch

        from mirtrim.listening.bundle import read_bundle
        from mirtrim.listening.shelf import find_bundle
    # Small networks are faster on one thread, and give the same bits on any machine's cores.
    torch.set_num_threads(1)
    folder = options.models or _models_folder()
    bundle = read_bundle(find_bundle(folder, options.task, options.ratio))
    form = _format(bundle, options)
    targets = _targets(options, bundle.about.task, form)
    failed = 0
    for source, target in targets.items():
        try:
            _hear(source, target, bundle, form)
        except (MirtrimError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def _hear(source: Path, target: Path, bundle: "Bundle", form: str) -> None:
    """Listen to one file, write what was heard, and say so."""
    from mirtrim.listening.formats import write_heard
    from mirtrim.listening.listen import listen
    from mirtrim.listening.summary import summary_of

    progress = Progress(source.name)
    try:
        heard = listen(source, bundle, progress)
    finally:
        progress.clear()
    tool = f"mirtrim listen, network {bundle.path.name}"
    write_heard(heard, target, form, source.stem, tool)
    for note in heard.notes:
        print(f"note: {source}: {note}", file=sys.stderr)
    print(f"{source}: {summary_of(heard)} -> {target}")


def _models_folder() -> Path:
    """The usual folder below the current one, else in the checkout that the package lies in."""
    checkout = Path(mirtrim.__file__).resolve().parents[2]
    for folder in (MODELS, checkout / MODELS):
        if folder.is_dir():
            return folder
    raise ConfigError(
        f"{MODELS} holds no trained networks; run `snakemake models`, or give their --models FOLDER"
    )


def _format(bundle: "Bundle", options: argparse.Namespace) -> str:
    """The format asked for, or that of the output's ending, or the task's usual one."""
    from mirtrim.listening.formats import ENDINGS, formats_of

    possible = formats_of(bundle.task)
    by_ending = {ending: form for form, ending in ENDINGS.items()}
    meant = by_ending.get(options.output.suffix) if options.output else None
    form: str = options.format or meant or possible[0]
    if form not in possible:
        raise ConfigError(
            f"{form}: task {bundle.about.task} has no such format; it has {', '.join(possible)}"
        )
    return form


def _targets(options: argparse.Namespace, task: str, form: str) -> dict[Path, Path]:
    """Audio file → file to write; no two to the same one, and none over an audio file."""
    from mirtrim.listening.formats import ENDINGS

    sources = list(dict.fromkeys(options.files))
    output: Path | None = options.output
    if output and len(sources) == 1 and not output.is_dir():
        targets = {sources[0]: output}
    else:
        if output and output.exists() and not output.is_dir():
            raise ConfigError(f"--output {output}: several files need a folder, and this is a file")
        targets = {
            source: (output or source.parent) / f"{source.stem}.{task}{ENDINGS[form]}"
            for source in sources
        }
    taken: dict[Path, Path] = {}
    for source, target in targets.items():
        other = taken.setdefault(target.resolve(), source)
        if other != source:
            raise ConfigError(f"{other} and {source} would both be written to {target}")
        if target.resolve() in {path.resolve() for path in sources}:
            raise ConfigError(f"--output {target}: that is an audio file to listen to")
    return targets
