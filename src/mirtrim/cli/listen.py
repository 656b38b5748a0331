"""mirtrim listen: run a trained network on audio files."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mirtrim
from mirtrim.cli.extra import needing_extra
from mirtrim.cli.progress import Progress
from mirtrim.listening.about import FP32, INT8, Network
from mirtrim.listening.evidence import evidence_of, read_evidence
from mirtrim.listening.formats import ENDINGS, write_heard
from mirtrim.listening.results import Heard
from mirtrim.listening.shelf import bundles_in, find_bundle, task_lines
from mirtrim.utils.errors import ConfigError, MirtrimError
from mirtrim.utils.files import check_target, explain, is_special

# Default folders of trained networks; the first one with a network of the task is used.
SHELVES = tuple(Path("results") / profile / "models" for profile in ("listening", "default"))
FORMAT_OF = {ending: form for form, ending in ENDINGS.items()} | {".midi": "midi"}
# A file with such a name as the output was probably meant as an input.
AUDIO_ENDINGS = (
    ".wav", ".wave", ".w64", ".rf64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".flac",
    ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".mp4", ".aac", ".wma", ".ape", ".wv", ".webm",
)  # fmt: skip


class _Help(argparse.Action):
    """Help that includes the scores of each task, which are read lazily."""

    def __call__(self, parser: argparse.ArgumentParser, *others: Any) -> None:
        parser.epilog = _good_at()
        parser.print_help()
        parser.exit()


def add(verbs: Any, help_text: str) -> None:
    """Add the verb to the parser's verbs."""
    verb = verbs.add_parser(
        "listen",
        help=help_text,
        description="Run a trained network on audio files of any length.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    verb.add_argument(
        "-h", "--help", action=_Help, nargs=0, help="this help and the scores of each task"
    )
    verb.add_argument("files", nargs="+", type=Path, metavar="FILE", help="wav, flac, ogg, mp3 …")
    verb.add_argument("--task", required=True, help="one of the tasks below")
    verb.add_argument(
        "--ratio",
        type=float,
        help="use a network that is at least this many times smaller (default: the largest one)",
    )
    verb.add_argument(
        "--models",
        type=Path,
        metavar="FOLDER",
        help="folder of trained networks (default: "
        f"{' or '.join(shelf.as_posix() for shelf in SHELVES)}, here or in the checkout)",
    )
    verb.add_argument("--int8", action="store_true", help="use the int8 network")
    verb.add_argument(
        "--force",
        action="store_true",
        help="use a network even if it scores below a simple rule on recordings",
    )
    verb.add_argument(
        "--output",
        help="output file or folder (an existing one, or a name ending in /); "
        "default: next to each audio file, song.wav → song.drums.mid",
    )
    verb.add_argument(
        "--format", choices=[*ENDINGS], help="default: midi (drums), lab (chord), csv (all others)"
    )
    verb.set_defaults(verb=_listen)


def _listen(options: argparse.Namespace) -> int:
    with needing_extra("listen"):
        from mirtrim.listening.listen import listen
        from mirtrim.listening.runtime import open_listener
    folder = options.models or _shelf_of(options.task)
    path = find_bundle(folder, options.task, options.ratio, force=options.force)
    bundle = open_listener(path, INT8 if options.int8 else FP32)
    for one in evidence_of(read_evidence(folder), bundle.path.name, bundle.description):
        if one.is_below:
            print(f"note: {bundle.path.name}: {one.sentence}", file=sys.stderr)
    form = _format(bundle, options)
    targets = _targets(options, bundle.about.task, form)
    if bundle.about.ratio > 1 and (options.ratio or 1) == 1:
        largest = find_bundle(folder, options.task, force=True)
        if largest == bundle.path:
            why = f"{folder} holds no dense network of task {bundle.about.task}"
        else:
            why = f"{largest.name} is not offered: it scores below a simple rule on recordings"
        print(f"note: {why}; {_name(bundle)} is the largest", file=sys.stderr)
    failed = 0
    for source, target in targets.items():
        try:
            _hear(source, target, listen, bundle, form)
        except BrokenPipeError:
            raise
        except (MirtrimError, OSError) as error:
            print(f"error: {explain(error)}", file=sys.stderr)
            failed += 1
        except Exception as error:  # whatever one file does, the others are heard
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            print(
                f"error: {source}: cannot be analysed ({reason}); please report it", file=sys.stderr
            )
            failed += 1
    return 1 if failed else 0


def _hear(
    source: Path, target: Path, listen: Callable[..., Heard], bundle: Network, form: str
) -> None:
    """Listen to one file, write the result, and report it."""
    check_target(target)
    progress = Progress(source.name)
    try:
        heard = listen(source, bundle, progress)
    finally:
        progress.clear()
    notes = list(heard.notes)
    if target.is_file() and not is_special(target):
        notes.append(f"{target} already existed and is replaced")
    write_heard(heard, target, form, source.stem, f"mirtrim listen, network {bundle.path.name}")
    for note in notes:
        print(f"note: {source}: {note}", file=sys.stderr)
    print(f"{source}: {heard.summary} ({_name(bundle)}) -> {target}")


def _name(bundle: Network) -> str:
    """The network's name, how much smaller than the dense one it is, and its path."""
    return f"network {bundle.path.name}, ratio {bundle.about.ratio:.2f}, {bundle.path.parent}"


def _shelves() -> list[Path]:
    """The default folders that exist, below the current folder, else in the package's checkout."""
    checkout = Path(mirtrim.__file__).resolve().parents[2]
    found: list[Path] = []
    for shelf in SHELVES:
        found += [folder for folder in (shelf, checkout / shelf) if folder.is_dir()][:1]
    return found


def _shelf_of(task: str) -> Path:
    """The first default folder that has a network of the task, else the last one."""
    shelves = _shelves()
    if not shelves:
        raise ConfigError(
            f"{SHELVES[-1]} holds no trained networks; run `snakemake models`, or give their "
            "--models FOLDER"
        )
    holds = (s for s in shelves if any(a.task == task for a in bundles_in(s).values()))
    return next(holds, shelves[-1])


def _good_at() -> str:
    """The scores of each task, from the descriptions and the table of the default folders."""
    lines = []
    for shelf in _shelves():
        try:
            lines += [f"{shelf}:", *(f"  {line}" for line in task_lines(shelf)), ""]
        except MirtrimError as error:
            lines += [f"{error}", ""]
    return "\n".join(lines) or "There are no trained networks yet; run `snakemake models`."


def _format(bundle: Network, options: argparse.Namespace) -> str:
    """The requested format, or that of the output's ending, or the task's default."""
    possible = bundle.manner.formats
    file = _single(options)
    meant = FORMAT_OF.get(file.suffix.lower()) if file else None
    form: str = options.format or meant or possible[0]
    if file and meant and meant != form:
        raise ConfigError(
            f"--output {file}: {file.suffix} is the ending of {meant}, not of {form}; change it, "
            "or --format"
        )
    if form not in possible:
        raise ConfigError(
            f"{form}: task {bundle.about.task} has no such format; it has {', '.join(possible)}"
        )
    return form


def _single(options: argparse.Namespace) -> Path | None:
    """The one file to write if --output names one, not a folder."""
    if options.output is None or len(set(options.files)) > 1:
        return None
    # An existing folder, or a trailing slash.
    separators = tuple(sign for sign in (os.sep, os.altsep) if sign)
    is_folder = options.output.endswith(separators) or Path(options.output).is_dir()
    return None if is_folder else Path(options.output)


def _targets(options: argparse.Namespace, task: str, form: str) -> dict[Path, Path]:
    """Audio file → output file; outputs are distinct and never overwrite an audio file."""
    sources = list(dict.fromkeys(options.files))
    output = Path(options.output) if options.output is not None else None
    if file := _single(options):
        targets = {sources[0]: file}
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
            raise ConfigError(f"--output {target}: this is an input audio file")
    if file:
        _check_ending(file, named=options.format is not None)
    return targets


def _check_ending(file: Path, named: bool) -> None:
    """Refuse an ending that does not match the format."""
    ending = file.suffix.lower()
    if ending in AUDIO_ENDINGS:
        raise ConfigError(f"--output {file}: {file.suffix} is the ending of audio; choose another")
    if ending and not named and ending not in FORMAT_OF and not is_special(file):
        raise ConfigError(
            f"--output {file}: {file.suffix} is the ending of no format; say which with --format"
        )
