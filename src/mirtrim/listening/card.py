"""Model cards: what a trained network is for, how good it is, and what it is not good for."""

from mirtrim.listening.about import SURE_FROM, About
from mirtrim.listening.bundle import Bundle
from mirtrim.listening.decoding import SURE_ACCURACY
from mirtrim.runs.labels import label_of
from mirtrim.tasks.task import Task

RENDERED = "mini_"
# What sounds in a corpus, without `RENDERED`.
CONTENT = {
    "groove_midi": "drum kits alone",
    "mdb_stem_synth": "single melodies without accompaniment",
    "guitarset": "one guitar alone",
    "medley_solos_db": "one instrument at a time",
    "tinysol": "single notes of one instrument",
    "four_way_tabla": "tabla alone",
    "gtzan_genre": "30 s excerpts of published recordings",
}


def model_card(bundle: Bundle) -> str:
    """A model card in Markdown."""
    about, task = bundle.about, bundle.task
    scores = [(name, value) for name, value in sorted(about.scores.items()) if "/" not in name]
    lines = [
        f"# {bundle.path.name}",
        "",
        purpose(task, about),
        "",
        "## How it was made",
        "",
        f"* Network: {type(bundle.network).__name__}, profile {about.profile}, {made_by(about)}, "
        f"seed {about.seed}.",
        f"* Trained on: {trained_on(about.corpus)}.",
        f"* Versions: {about.versions}.",
        "",
        "## How good it is",
        "",
        f"Test error {about.test_error:.3f} (1 − {task.main_score.replace('_', ' ')}), validation "
        f"error {about.validation_error:.3f}; on pieces of the same corpus that training never "
        "saw.",
        "",
        "| score on test | value |",
        "| --- | ---: |",
        *(f"| {name.replace('_', ' ')} | {value:.3f} |" for name, value in scores),
        "",
        "## What it costs",
        "",
        "| | |",
        "| --- | ---: |",
        f"| parameters | {about.parameters:,} |",
        f"| of them not zero | {about.nonzeros:,} |",
        f"| compression ratio | {about.ratio:.2f} (asked: {about.target_ratio:g}) |",
        f"| multiply-accumulates for one example | {about.macs:,} |",
        "",
        "## What it is not good for",
        "",
        *(f"* {limit}" for limit in limits(task, about)),
        "",
        "## Licence",
        "",
        f"{about.licence}. The corpus that it was trained on is not part of it.",
        "",
    ]
    return "\n".join(lines)


def made_by(about: About) -> str:
    """The method in words."""
    if about.pruning["method"] == "dense":
        return "dense (nothing removed)"
    return f"{label_of(about.pruning)}, {about.ratio:.1f} times smaller than the dense one"


def trained_on(corpus: str) -> str:
    """The corpus, and whether it was rendered."""
    content = CONTENT.get(corpus.removeprefix(RENDERED))
    what = f"{corpus} ({content})" if content else corpus
    return f"{what}, rendered music, not recordings" if corpus.startswith(RENDERED) else what


def purpose(task: Task, about: About) -> str:
    """What goes in and what comes out, in one sentence."""
    what = task.hearing.says(about.features) if task.hearing else "does its task"
    return f"Task `{task.name}`: from audio at {about.features['sample_rate']} Hz it {what}."


def limits(task: Task, about: About) -> list[str]:
    """What a person must not expect."""
    found = []
    content = CONTENT.get(about.corpus.removeprefix(RENDERED))
    if content:
        found.append(f"Anything but {content}: it has heard nothing else.")
    if about.corpus.startswith(RENDERED):
        found.append(
            "Recordings, without a check by ear: the test error is that of rendered music, and "
            "on recordings it has to be expected to be larger."
        )
    if task.hearing:
        found += task.hearing.limits(about.features)
    sure = about.decoding.get(SURE_FROM)
    if sure is not None:
        found.append(
            f"Doubtful sounds: it is unsure below a probability of {sure:.2f}; above it, at "
            f"least {SURE_ACCURACY:.0%} of its answers were right on validation."
        )
    if about.test_error > 0.5:
        found.append("Use at all: it is wrong more often than right.")
    return found
