"""Write the curves of all tasks as one page to hover over."""

from pathlib import Path

import pandas as pd
from job import job

from mirtrim.evidence.interactive import draw, write
from mirtrim.evidence.rows import read_rows

with job(snakemake, "interactive curves"):
    rows = read_rows([Path(path) for path in snakemake.input.rows])
    timed = [pd.read_csv(path) for path in snakemake.input.get("latency", [])]
    latency = pd.concat(timed, ignore_index=True) if timed else None
    page = draw(rows, latency)
    write(page, Path(snakemake.output.html), f"mirtrim, profile {snakemake.params.profile}")
