"""Write Best, Optim and Small of one task."""

from pathlib import Path

import pandas as pd
from job import job

from mirtrim.evidence.operating_points import operating_points, write_operating_points
from mirtrim.evidence.rows import read_rows

output = snakemake.output
with job(snakemake, f"operating points {snakemake.wildcards.task}"):
    latency = snakemake.input.get("latency")
    table = operating_points(
        read_rows([Path(path) for path in snakemake.input.rows]),
        pd.read_csv(latency) if latency else None,
    )
    write_operating_points(table, Path(output.csv), Path(output.markdown), Path(output.latex))
