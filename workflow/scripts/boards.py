"""Write which networks fit which board."""

from pathlib import Path

import pandas as pd
from job import job

from mirtrim.cost.boards import read_boards
from mirtrim.evidence.board_table import board_table, write_board_table

output = snakemake.output
with job(snakemake, "boards"):
    networks = pd.concat([pd.read_csv(path) for path in snakemake.input.tables])
    table = board_table(networks, read_boards(Path(snakemake.input.boards)))
    write_board_table(table, Path(output.csv), Path(output.markdown), Path(output.latex))
