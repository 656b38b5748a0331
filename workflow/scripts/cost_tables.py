"""Write what compression buys: tables of each task, bytes, and which networks fit which board."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.board_table import board_table, write_board_table
from mirtrim.analysis.boards import read_boards
from mirtrim.analysis.cost_table import cost_table, write_cost_table
from mirtrim.analysis.figures.bytes_on_disk import draw
from mirtrim.analysis.style import save_figure
from mirtrim.runs.cost_rows import read_arenas, read_cost_rows, read_latencies
from mirtrim.utils.files import atomic_path

given, output = snakemake.input, snakemake.output
with job(snakemake, "cost tables"):
    wanted = snakemake.params
    costs = read_cost_rows(
        paths(given.get("costs")), paths(given.get("cost_tables")), wanted.exported
    )
    latency = read_latencies(paths(given.get("latency")), paths(given.get("latency_tables")))
    arenas = read_arenas(
        paths(given.get("arenas")), paths(given.get("arena_tables")), wanted.boarded
    )
    for path, table in ((output.costs, costs), (output.latency, latency)):
        with atomic_path(path) as temporary:
            table.to_csv(temporary, index=False)
    files = zip(output.csv, output.markdown, strict=True)
    for task, paths in zip(snakemake.params.tasks, files, strict=True):
        parts = (table[table.task == task] for table in (costs, latency, arenas))
        write_cost_table(cost_table(*parts), *map(Path, paths))
    boards = board_table(arenas, read_boards(Path(given.boards)))
    write_board_table(boards, *map(Path, output.boards))
    save_figure(draw(costs), [Path(path) for path in output.bytes])
