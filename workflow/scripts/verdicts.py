"""Compute the verdicts from rows and scores of pieces."""

from pathlib import Path

import pandas as pd
from job import job

from mirtrim.evidence.rows import read_rows
from mirtrim.evidence.task_evidence import read_pieces
from mirtrim.evidence.verdicts import write_verdicts


def measured(name):
    """A table of further measurements, if the rule has one."""
    path = snakemake.input.get(name)
    return pd.read_csv(path) if path else None


output = snakemake.output
with job(snakemake, "verdicts"):
    write_verdicts(
        read_rows([Path(path) for path in snakemake.input.rows]),
        read_pieces([Path(path) for path in snakemake.input.pieces]),
        Path(snakemake.input.hypotheses),
        Path(output.csv),
        Path(output.markdown),
        Path(output.latex),
        snakemake.params.rng_seed,
        costs=measured("costs"),
        latency=measured("latency"),
    )
