"""Write the credibility checklist."""

from pathlib import Path

import yaml
from job import job

from mirtrim.evidence.checklist import write_checklist
from mirtrim.evidence.rows import read_rows
from mirtrim.evidence.task_evidence import read_pieces
from mirtrim.evidence.verdict_tables import read_verdicts

with job(snakemake, "checklist"):
    write_checklist(
        read_rows([Path(path) for path in snakemake.input.rows]),
        read_pieces([Path(path) for path in snakemake.input.pieces]),
        snakemake.config,
        Path(snakemake.input.checklist),
        Path(snakemake.output.markdown),
        verdicts=read_verdicts(Path(snakemake.input.verdicts)),
        citation=yaml.safe_load(Path(snakemake.input.citation).read_text(encoding="utf-8")),
    )
