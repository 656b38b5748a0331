"""Join cost rows and latencies of all tasks into one table each."""

from pathlib import Path

import pandas as pd
from job import job

from mirtrim.evidence.cost_rows import read_cost_rows
from mirtrim.files import atomic_path

with job(snakemake, "collect costs"):
    costs = read_cost_rows([Path(path) for path in snakemake.input.costs])
    latencies = [pd.read_csv(path) for path in snakemake.input.latency]
    tables = {
        snakemake.output.costs: costs,
        snakemake.output.latency: pd.concat(latencies, ignore_index=True),
    }
    for path, table in tables.items():
        with atomic_path(path) as temporary:
            table.to_csv(temporary, index=False)
