"""Tell and draw a study that varies its tasks, level by level."""

from pathlib import Path

from job import job, paths, rows_of_study

from mirtrim.analysis import factors, levels
from mirtrim.analysis.figures import levels as figures
from mirtrim.analysis.style import save_figure

given, wanted, output = snakemake.input, snakemake.params, snakemake.output
pages = Path(output.csv), Path(output.markdown)
with job(snakemake, f"study {wanted.study}"):
    figure = None
    if wanted.told == "contrasts":
        table = factors.factor_table(rows_of_study(snakemake), wanted.contrasts)
        factors.write_factors(table, *pages)
    elif wanted.told == "levels":
        rows = rows_of_study(snakemake)
        dimension, firsts = factors.first_levels(wanted.variants.values())
        table = factors.level_contrasts(rows, dimension, firsts)
        factors.write_level_contrasts(table, dimension, *pages)
        figure = figures.draw_errors_at_levels(rows, dimension) if output.figure else None
    elif wanted.told == "rare_classes":
        lines = levels.read_groups(rows_of_study(snakemake), wanted.variants)
        table = levels.level_table(lines, levels.GROUPS)
        levels.write_levels(table, levels.GROUPS, levels.GROUPS_NOTE, *pages)
        figure = figures.draw_groups_of_classes(lines)
    else:
        measured = paths(given.get("tables")), paths(given.get("rows"))
        lines = levels.read_inspected(wanted.variants, wanted.jobs, *measured)
        table = levels.level_table(lines, levels.CALIBRATION)
        levels.write_levels(table, levels.CALIBRATION, levels.CALIBRATION_NOTE, *pages)
        figure = figures.draw_calibration_of_levels(lines)
    if figure:
        save_figure(figure, paths(output.figure))
