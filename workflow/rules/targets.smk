# What a person types; `snakemake` without a name makes everything (rule `all`, in Snakefile).
#
# Rows are committed, networks are not: targets that ask for networks train, the others draw and
# count from the rows that are there.


rule data:
    input:
        [f"{features_folder(task)}/store.json" for task in TASKS],


rule rows:
    input:
        tables("rows", [*TASKS, *VARIANTS]),
        later(files, "rows", every_job()),


rule baselines:
    input:
        [f"{RESULTS}/baselines/{task}.csv" for task in TASKS if task in WITH_BASELINE],


rule tables:
    input:
        expand(f"{RESULTS}/tables/{{task}}.md", task=TASKS),
        expand(f"{RESULTS}/points/{{task}}.md", task=TASKS),


rule figures:
    input:
        f"{FIGURES}/overview.svg",
        expand(f"{FIGURES}/{{task}}_curve.svg", task=TASKS),


rule report:
    input:
        f"{RESULTS}/report.html",


rule costs:
    input:
        expand(f"{RESULTS}/costs/{{task}}.md", task=TASKS),
        f"{RESULTS}/boards.md",
        f"{FIGURES}/bytes.svg",


# Of the tasks that have been trained since losses are kept; nobody trains again for them.
rule learning:
    input:
        [
            f"{FIGURES}/{task}_learning.svg"
            for task in TASKS
            if table_path(Path(RESULTS), "learning", task).exists()
        ],


rule models:
    input:
        [path for task in TASKS for path in model_files(task)],


for task in TASKS:

    rule:
        name:
            task
        input:
            networks_of_task(task),
            later(files, "rows", main_jobs([task])),
            f"{RESULTS}/tables/{task}.md",
            f"{RESULTS}/points/{task}.md",
            f"{FIGURES}/{task}_curve.svg",
