"""Model cards: what a trained network is for, how good it is, and what it is not good for."""

from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

from mirtrim.listening.about import About, Description, beside
from mirtrim.listening.bundle import Bundle, read_bundle
from mirtrim.listening.decoding import SURE_ACCURACY
from mirtrim.listening.evidence import Evidence, evidence_of, read_evidence, withheld
from mirtrim.listening.needs import SURE_FROM
from mirtrim.listening.shelf import descriptions_in
from mirtrim.runs.labels import label_of
from mirtrim.tasks.task import Task
from mirtrim.utils.files import write_text

# Corpora that this project renders.
RENDERED = ("mini_", "varied_")
# The content of a corpus, without `mini_`.
CONTENT = {
    "groove_midi": "drum kits alone",
    "mdb_stem_synth": "single melodies without accompaniment",
    "guitarset": "one guitar alone",
    "medley_solos_db": "one instrument at a time",
    "tinysol": "single notes of one instrument",
    "four_way_tabla": "tabla alone",
    "gtzan_genre": "30 s excerpts of published recordings",
    "varied_drums": "drum kits, at most with a quiet band behind them",
    "varied_ensembles": "instruments, alone and in groups, mostly the piano",
    "varied_melodies": "single notes and melodies without accompaniment",
    "varied_solos": "one instrument at a time",
    "varied_songs": "a voice with a piano, a guitar or a band",
}


def write_cards(folder: Path) -> None:
    """Write the card (`.md`) of every bundle in a folder, with its scores on recordings from the
    table next to it."""
    evidence = read_evidence(folder)
    for base, description in descriptions_in(folder).items():
        known = evidence_of(evidence, base.name, description)
        write_text(beside(base, ".md"), model_card(read_bundle(base), description, known))


def model_card(bundle: Bundle, description: Description, recorded: Sequence[Evidence] = ()) -> str:
    """A model card in Markdown.

    Args:
        recorded: what this network has scored on recordings.
    """
    about, task = bundle.about, bundle.task
    scores = "\n".join(
        f"| {name.replace('_', ' ')} | {value:.3f} |"
        for name, value in sorted(about.scores.items())
        if "/" not in name
    )
    costs = [
        f"| parameters | {about.parameters:,} |",
        f"| non-zero parameters | {about.nonzeros:,} |",
        f"| compression ratio | {about.ratio:.2f} (target: {about.target_ratio:g}) |",
        f"| multiply-accumulates for one example | {about.macs:,} |",
        *(line for name, of in sorted(description.files.items()) for line in _file(name, of)),
    ]
    parts = [
        f"# {bundle.path.name}",
        purpose(task, about),
        "## How it was made",
        f"* Network: {type(bundle.network).__name__}, profile {about.profile}, {made_by(about)}, "
        f"seed {about.seed}.\n* Trained on: {trained_on(about.corpus)}.\n"
        f"* Versions: {about.versions}.",
        "## How good it is",
        f"Test error {about.test_error:.3f} (1 − {task.main_score.replace('_', ' ')}), validation "
        f"error {about.validation_error:.3f}; on pieces of the same corpus that training never "
        "saw.",
        on_recordings(recorded),
        f"| score on test | value |\n| --- | ---: |\n{scores}",
        "## What it costs",
        "\n".join(["| | |", "| --- | ---: |", *costs]),
        "## What it is not good for",
        "\n".join(f"* {limit}" for limit in limits(task, about, recorded)),
        "## Licence",
        f"{about.licence}. The corpus that it was trained on is not part of it.\n",
    ]
    return "\n\n".join(parts)


def on_recordings(recorded: Sequence[Evidence]) -> str:
    """A table of scores on recordings next to the best simple rule, and what follows from it."""
    if not recorded:
        return "On recordings it has not been measured (`snakemake recordings`)."
    lines = [
        "| recordings | pieces | score | rendered | best simple rule | its score | difference |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for one in recorded:
        interval = f" [{one.rule_low:+.3f}, {one.rule_high:+.3f}]"
        lines.append(
            f"| {one.set} ({one.measure.replace('_', ' ')}) | {one.recordings} | {one.score:.3f} "
            f"| {one.rendered:.3f} | {one.rule_name} | {one.rule_score:.3f} "
            f"| {one.rule_difference:+.3f}{'' if isnan(one.rule_low) else interval} |"
        )
    if (reason := withheld(recorded)) is not None:
        hidden = "**Not offered** by `mirtrim listen` without `--force`"
        lines += ["", f"{hidden}: {reason.rule_name} is better."]
    return "\n".join(lines)


def _file(name: str, of: Mapping[str, Any]) -> list[str]:
    lines = [f"| bytes of the {name} network (ONNX) | {of.get('bytes', 0):,} |"]
    if "test_error" in of:
        lines.append(f"| test error of the {name} network | {of['test_error']:.3f} |")
    if "milliseconds" in of:
        lines.append(
            f"| milliseconds for one example, {name}, one thread | {of['milliseconds']:.3g} "
            f"({of['machine']}) |"
        )
    return lines


def made_by(about: About) -> str:
    """The method in words."""
    if about.pruning["method"] == "dense":
        return "dense (nothing removed)"
    return f"{label_of(about.pruning)}, {about.ratio:.1f} times smaller than the dense one"


def trained_on(corpus: str) -> str:
    """The corpus, and whether it was rendered."""
    content = CONTENT.get(corpus.removeprefix("mini_"))
    what = f"{corpus} ({content})" if content else corpus
    return f"{what}, rendered music, not recordings" if corpus.startswith(RENDERED) else what


def purpose(task: Task, about: About) -> str:
    """What goes in and what comes out, in one sentence."""
    what = task.hearing.says(about.features) if task.hearing else "does its task"
    return f"Task `{task.name}`: from audio at {about.features['sample_rate']} Hz it {what}."


def limits(task: Task, about: About, recorded: Sequence[Evidence] = ()) -> list[str]:
    """What a person must not expect."""
    found = []
    content = CONTENT.get(about.corpus.removeprefix("mini_"))
    if content:
        found.append(f"Anything but {content}: it was trained on nothing else.")
    if about.corpus.startswith(RENDERED) and not recorded:
        found.append(
            "Recordings, unless you check by ear: the test error is of rendered music; expect a "
            "larger one on recordings."
        )
    if task.hearing:
        found += task.hearing.limits(about.features)
    sure = about.decoding.get(SURE_FROM)
    if sure is not None:
        found.append(
            f"Doubtful sounds: below a probability of {sure:.2f} it answers “unsure”; above it, at "
            f"least {SURE_ACCURACY:.0%} of its answers were right on validation."
        )
    if about.test_error > 0.5:
        found.append("Use at all: it is wrong more often than right.")
    return found
