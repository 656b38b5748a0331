"""mirtrim listen: what a trained network hears in audio files."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mirtrim
from mirtrim.cli.extra import needing_extra
from mirtrim.cli.progress import Progress
from mirtrim.utils.errors import ConfigError, MirtrimError
from mirtrim.utils.files import is_special

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
        help="file to write, or a folder (one that is there, or a name with / at its end); "
        "default: beside each audio file, song.wav → song.drums.mid",
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
    if bundle.about.ratio > 1 and (options.ratio or 1) == 1:
        print(
            f"note: {folder} holds no dense network of task {bundle.about.task}; "
            f"{_name(bundle)} is the largest",
            file=sys.stderr,
        )
    failed = 0
    for source, target in targets.items():
        try:
            _hear(source, target, bundle, form)
        except BrokenPipeError:
            raise
        except (MirtrimError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            failed += 1
        except Exception as error:  # whatever one file does, the others are heard
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(f"error: {source}: cannot be heard ({reason}); please report it", file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def _hear(source: Path, target: Path, bundle: "Bundle", form: str) -> None:
    """Listen to one file, write what was heard, and say so."""
    from mirtrim.listening.formats import write_heard
    from mirtrim.listening.listen import listen
    from mirtrim.listening.results import summary_of

    progress = Progress(source.name)
    try:
        heard = listen(source, bundle, progress)
    finally:
        progress.clear()
    replaced = target.is_file() and not is_special(target)
    write_heard(heard, target, form, source.stem, f"mirtrim listen, network {bundle.path.name}")
    notes = [*heard.notes, *([f"{target} was there and is replaced"] if replaced else [])]
    for note in notes:
        print(f"note: {source}: {note}", file=sys.stderr)
    print(f"{source}: {summary_of(heard)} ({_name(bundle)}) -> {target}")


def _name(bundle: "Bundle") -> str:
    """Which network it is, how much smaller than the dense one, and where it lies."""
    return f"network {bundle.path.name}, ratio {bundle.about.ratio:.2f}, {bundle.path.parent}"


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
    output = _output(options)
    meant = by_ending.get(output.suffix) if output and not _is_folder(options.output) else None
    form: str = options.format or meant or possible[0]
    if form not in possible:
        raise ConfigError(
            f"{form}: task {bundle.about.task} has no such format; it has {', '.join(possible)}"
        )
    return form


def _output(options: argparse.Namespace) -> Path | None:
    return Path(options.output) if options.output is not None else None


def _is_folder(output: str) -> bool:
    """Whether a folder is there, or a name with a slash at its end asks for one."""
    separators = tuple(sign for sign in (os.sep, os.altsep) if sign)
    return output.endswith(separators) or Path(output).is_dir()


def _targets(options: argparse.Namespace, task: str, form: str) -> dict[Path, Path]:
    """Audio file → file to write; no two to the same one, and none over an audio file."""
    from mirtrim.listening.formats import ENDINGS

    sources = list(dict.fromkeys(options.files))
    output = _output(options)
    if output and len(sources) == 1 and not _is_folder(options.output):
        targets = {sources[0]: output}
    else:
        if output and output.exists() and not output.is_dir():
            why = "several files need a folder" if len(sources) > 1 else "/ stands for a folder"
            raise ConfigError(f"--output {options.output}: {why}, and this is a file")
        targets = {
            source: (output or source.parent) / f"{source.stem}.{task}{ENDINGS[form]}"
            for source in sources
        }
    taken: dict[str, Path] = {}
    heard = {os.path.realpath(source) for source in sources}
    for source, target in targets.items():
        other = taken.setdefault(os.path.realpath(target), source)
        if other != source:
            raise ConfigError(f"{other} and {source} would both be written to {target}")
        if os.path.realpath(target) in heard:
            raise ConfigError(f"--output {target}: that is an audio file to listen to")
    return targets
