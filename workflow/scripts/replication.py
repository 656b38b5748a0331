"""Write the replication on one page."""

from pathlib import Path

from job import job

from mirtrim.evidence.replication import write_replication
from mirtrim.evidence.rows import read_rows
from mirtrim.evidence.task_evidence import read_pieces
from mirtrim.evidence.verdict_tables import read_verdicts

with job(snakemake, "replication"):
    write_replication(
        read_rows([Path(path) for path in snakemake.input.rows]),
        read_pieces([Path(path) for path in snakemake.input.pieces]),
        read_verdicts(Path(snakemake.input.verdicts)),
        Path(snakemake.input.recorded),
        Path(snakemake.input.curves),
        Path(snakemake.output.markdown),
    )
