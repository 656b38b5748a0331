# Configuration, names of files, and the helper functions of all rules.

import copy
import os
from pathlib import Path

from snakemake.exceptions import WorkflowError

from mirtrim.config import check_finite
from mirtrim.corpora.settings import SETTINGS_OF_MODE
from mirtrim.corpora.watching import state_of_folder
from mirtrim.errors import MirtrimError
from mirtrim.evidence.figures.choices import drawable
from mirtrim.experiments.plan import cached_plan
from mirtrim.experiments.resuming import remove_ended
from mirtrim.files import sha256_of_value

# One thread per job: the same bits on any number of cores, and no two jobs fight for one.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"
# The C library keeps freed memory (1 GiB) for the next batch: to hand it back and fetch it again
# takes a twentieth of a training step.
for variable in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"):
    os.environ.setdefault(variable, "1073741824")

# What the command line changes of the profile, before defaults are filled in.
OVERRIDES = copy.deepcopy(dict(workflow.config_settings.overwrite_config))

try:
    check_finite(config)
    PLAN = cached_plan(
        config,
        Path(workflow.source_path("../schemas/config.schema.yaml")),
        list(Path(str(workflow.current_basedir), "../scripts").glob("*.py")),
        Path(".snakemake/mirtrim_plans"),
    )
except MirtrimError as error:
    raise WorkflowError(str(error))
config.clear()
config.update(PLAN.config)

PROFILE = config["profile"]
DATA = config["data_folder"]
RESULTS = f"results/{PROFILE}"
FIGURES = f"figures/{PROFILE}"
RESUME = f"{DATA}/resume"
TASKS = list(config["tasks"])
# A profile may leave out all tasks of a study.
STUDIES = {name: block for name, block in config["studies"].items() if block["tasks"]}


MAIN_RUNS = dict(zip(PLAN.runs, config["runs"]))
STUDY_RUNS = {
    study: dict(zip(PLAN.studies[study], block["runs"]))
    for study, block in STUDIES.items()
}
RUNS = {**MAIN_RUNS}
for runs in STUDY_RUNS.values():
    RUNS |= runs


def runs_of_task(task):
    """Main runs, and those of the studies that the task is part of."""
    runs = dict(MAIN_RUNS)
    for study, block in STUDIES.items():
        if task in block["tasks"]:
            runs |= STUDY_RUNS[study]
    return runs


FIGURES_OF_ALL = drawable(
    [PLAN.choices[name] for name in runs_of_task(task)] for task in TASKS
)


wildcard_constraints:
    task="[a-z_]+",
    corpus="[a-z0-9_]+",
    digest="[0-9a-f]+",
    seed="[0-9]+",
    run="[a-z0-9_]+",


def code_of(script, *parts):
    """Digest of a rule's script, of all that it imports, and of these parts of `PLAN.code`."""
    return sha256_of_value([PLAN.scripts[script], *(PLAN.code[part] for part in parts)])


def corpus_settings(corpus):
    """The settings that decide a corpus' bytes; the others do not rename its folder."""
    block = config["corpora"][corpus]
    names = SETTINGS_OF_MODE[block["mode"]]
    return {name: block[name] for name in ("loader", "mode", *names)}


def corpus_version(corpus):
    """Name of a corpus with a digest of its settings, for its folder, log and benchmark."""
    digest = sha256_of_value(corpus_settings(corpus))[:10]
    return f"{corpus}-{digest}"


def corpus_folder(corpus):
    return f"{DATA}/corpora/{corpus_version(corpus)}"


def rendered_seconds(block):
    """Seconds of audio that a corpus of these settings renders; 1 for one that is fetched."""
    return 1 + int(
        sum(block.get("pieces", {}).values()) * block.get("piece_seconds", 0)
    )


def features_folder(task):
    block = config["tasks"][task]
    digest = sha256_of_value([corpus_settings(block["corpus"]), block["features"]])[:10]
    return f"{DATA}/features/{task}-{block['corpus']}-{digest}"


def settings_of_task(wildcards):
    """What a dense network depends on: all settings of the task but its ratios."""
    block = config["tasks"][wildcards.task]
    return {name: value for name, value in block.items() if name != "ratios"}


def choices_of_run(wildcards):
    """All that is said of a run but its ratios, of which a task may have a part only."""
    return {key: value for key, value in RUNS[wildcards.run].items() if key != "ratios"}


def rounds_of(wildcards):
    """Round number and ratio: the run's ratios at their places among the task's."""
    ratios = config["tasks"][wildcards.task]["ratios"]
    wanted = RUNS[wildcards.run]["ratios"] or ratios
    return {n: ratio for n, ratio in enumerate(ratios, start=1) if ratio in wanted}


def reference_of(wildcards):
    """The networks that a control copies the shape of, if it does."""
    reference = RUNS[wildcards.run]["reference"]
    if reference == "-":
        return []
    return f"{RESULTS}/networks/{wildcards.task}/{reference}_seed{wildcards.seed}"


def code_of_run(wildcards):
    """Digest of the code behind a compress job."""
    return code_of("compress.py", f"compress {wildcards.task} {wildcards.run}")


def corpus_manifest_of_task(wildcards):
    return f"{corpus_folder(config['tasks'][wildcards.task]['corpus'])}/corpus.json"


def features_of_task(wildcards):
    return f"{features_folder(wildcards.task)}/store.json"


def files_of_runs(kind, task, ending, runs=MAIN_RUNS, seeds=None):
    """Files of `kind` that the dense jobs and all `runs` of a task write."""
    return expand(
        f"{RESULTS}/{kind}/{task}/{{run}}_seed{{seed}}{ending}",
        run=["dense", *runs],
        seed=seeds or config["seeds"],
    )


def networks_of_task(task):
    """What a training of the task's main runs leaves, and no checkout has."""
    return [
        f"{RESULTS}/networks/{task}/{run}_seed{seed}{ending}"
        for run, ending in {
            "dense": ".safetensors",
            **dict.fromkeys(MAIN_RUNS, ""),
        }.items()
        for seed in config["seeds"]
    ]


def row_files_of_task(wildcards):
    return files_of_runs("rows", wildcards.task, ".csv")


def files_of_study(kind, study, task):
    """Files of a study on one of its tasks, and of the main runs with the same seeds."""
    runs = {**MAIN_RUNS, **STUDY_RUNS[study]}
    return files_of_runs(kind, task, ".csv", runs, STUDIES[study]["seeds"])


def row_files(wildcards):
    return [path for task in TASKS for path in files_of_runs("rows", task, ".csv")]


def files_of_everything(kind):
    """Files of the main runs and of all studies, each once."""
    paths = [path for task in TASKS for path in files_of_runs(kind, task, ".csv")]
    for study, block in STUDIES.items():
        for task in block["tasks"]:
            paths += files_of_study(kind, study, task)
    return sorted(set(paths))


def runs_there(names, task):
    """Those of the named runs that the task has: studies are made of some tasks only."""
    return [run for run in names if run in runs_of_task(task)]


def cost_runs(task):
    """Runs that are weighed on a task."""
    return runs_there(config["costs"]["runs"], task)


def model_runs(task):
    """Runs whose networks are published, besides the dense one."""
    return runs_there(config["models"]["runs"], task)


def cost_files_of_task(task):
    seeds = config["costs"]["seeds"]
    return files_of_runs("costs", task, ".csv", cost_runs(task), seeds)


def arena_files_of_task(task):
    """What microcontrollers need for the networks of the runs that are fitted to boards."""
    runs = runs_there(config["costs"]["board_runs"], task)
    seeds = config["costs"]["board_seeds"]
    return files_of_runs("microcontroller", task, ".csv", runs, seeds)


def networks_of_run(wildcards):
    """What the job of a run has left: a file of the dense network, a folder of all others."""
    ending = ".safetensors" if wildcards.run == "dense" else ""
    name = f"{wildcards.run}_seed{wildcards.seed}{ending}"
    return f"{RESULTS}/networks/{wildcards.task}/{name}"


def timed(kind, ending="", ending_of_dense=""):
    """Input function: the same for the first seed alone, the dense network first."""

    def files(wildcards):
        seed = config["costs"]["seeds"][0]
        base = f"{RESULTS}/{kind}/{wildcards.task}"
        runs = [f"{base}/{run}_seed{seed}{ending}" for run in cost_runs(wildcards.task)]
        return [f"{base}/dense_seed{seed}{ending_of_dense or ending}", *runs]

    return files


def evidence_of_the_report(wildcards):
    """Everything that a reader of the report finds in it."""
    studies = [
        f"{FIGURES}/{task}_{study}.svg"
        for study, block in STUDIES.items()
        for task in block["tasks"]
    ]
    return [
        f"{RESULTS}/REPLICATION.md",
        f"{RESULTS}/verdicts.md",
        f"{RESULTS}/checklist.md",
        f"{RESULTS}/boards.md",
        f"{RESULTS}/curves.html",
        f"{FIGURES}/overview.svg",
        f"{FIGURES}/bytes.svg",
        *expand(f"{FIGURES}/{{figure}}.svg", figure=FIGURES_OF_ALL),
        *expand(f"{FIGURES}/{{task}}_curve.svg", task=TASKS),
        *expand(
            f"{RESULTS}/{{kind}}/{{task}}.md", kind=["summary", "costs"], task=TASKS
        ),
        *expand(f"{RESULTS}/tables/{{task}}.html", task=TASKS),
        *studies,
    ]


def model_ratios(task):
    """Ratios whose networks are published, of those that the task has."""
    ratios = config["tasks"][task]["ratios"]
    return [ratio for ratio in config["models"]["ratios"] if ratio in ratios]


def model_files(task):
    """Descriptions of the published networks of a task."""
    names = [
        "dense",
        *(
            f"{run}-ratio-{ratio:g}"
            for run in model_runs(task)
            for ratio in model_ratios(task)
        ),
    ]
    return [f"{RESULTS}/models/{task}-{name}.model.json" for name in names]


def row_files_of_models(task):
    """Name of a run → its rows, of the seed whose networks are published."""
    seed = config["models"]["seed"]
    return {
        run: f"{RESULTS}/rows/{task}/{run}_seed{seed}.csv"
        for run in ["dense", *model_runs(task)]
    }
