"""Tell and draw errors of rare and of frequent classes of a study that varies its tasks."""

from pathlib import Path

from job import job, rows_of_study

from mirtrim.analysis.figures.levels import draw_groups_of_classes
from mirtrim.analysis.figures.panels import write
from mirtrim.analysis.levels import GROUPS, GROUPS_NOTE, level_table, read_groups, write_levels

wanted, output = snakemake.params, snakemake.output
with job(snakemake, f"study {wanted.study}"):
    rows = rows_of_study(snakemake)
    lines = read_groups(rows, wanted.variants)
    write_levels(
        level_table(lines, GROUPS), GROUPS, GROUPS_NOTE, Path(output.csv), Path(output.markdown)
    )
    write(draw_groups_of_classes(lines), [Path(path) for path in output.figure])
