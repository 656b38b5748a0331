"""Draw the learning curves of one task."""

from job import job, paths

from mirtrim.analysis.figures.learning import draw_learning
from mirtrim.analysis.style import save_figure
from mirtrim.runs.learning import read_learning

with job(snakemake, f"learning curves of {snakemake.wildcards.task}"):
    learning = read_learning(paths(snakemake.input.tables))
    save_figure(draw_learning(learning), paths(snakemake.output))
