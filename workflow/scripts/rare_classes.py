"""Tell and draw errors of rare and of frequent classes of a study that varies its tasks."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.figures.levels import draw_groups_of_classes
from mirtrim.analysis.figures.panels import write
from mirtrim.analysis.free_ratios import read_variants
from mirtrim.analysis.levels import GROUPS, GROUPS_NOTE, level_table, read_groups, write_levels

given, wanted, output = snakemake.input, snakemake.params, snakemake.output
with job(snakemake, f"study {wanted.study}"):
    rows = read_variants(
        wanted.variants,
        paths(given.get("tables")),
        paths(given.get("rows")),
        {wanted.study: wanted.runs},
    )
    # A study of several has its own rows alone.
    lines = read_groups(rows[rows.study == wanted.study], wanted.variants)
    write_levels(
        level_table(lines, GROUPS), GROUPS, GROUPS_NOTE, Path(output.csv), Path(output.markdown)
    )
    write(draw_groups_of_classes(lines), [Path(path) for path in output.figure])
