include: "workflow/Snakefile"


# Stands here because Snakemake forgets the default target of included files.
rule all:
    default_target: True
    input:
        [path for task in TASKS for path in networks_of_task(task)],
        rules.tables.input,
        rules.figures.input,
