"""Write what compression buys on one task."""

from pathlib import Path

import pandas as pd
from job import job

from mirtrim.evidence.cost_rows import read_cost_rows
from mirtrim.evidence.cost_table import cost_table, write_cost_table

source, output = snakemake.input, snakemake.output
with job(snakemake, f"cost table {snakemake.wildcards.task}"):
    table = cost_table(
        read_cost_rows([Path(path) for path in source.costs]),
        pd.read_csv(source.latency),
        pd.concat([pd.read_csv(path) for path in source.arenas]) if source.arenas else None,
    )
    write_cost_table(table, Path(output.csv), Path(output.markdown))
