"""What Snakemake and its scripts import, and what the library's code means: forks have it."""

from pathlib import Path

import snakemake.cli  # noqa: F401
import yaml

import mirtrim.analysis.figures.catalogue
import mirtrim.analysis.interactive
import mirtrim.corpora.prepare
import mirtrim.runs.jobs.compress
import mirtrim.runs.jobs.inspections  # noqa: F401
from mirtrim.runs.code import corpus_code

CONFIG = Path(__file__).parents[2] / "config/default.yaml"

# The first question reads all code.
corpus_code(yaml.safe_load(CONFIG.read_text())["corpora"]["mini_groove_midi"])
