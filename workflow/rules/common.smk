# Configuration, names of files, and the helper functions of all rules.

import copy
import functools
import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from mirtrim.runs.config_values import check_finite
from mirtrim.corpora.reader import state_of_folder
from mirtrim.utils.errors import MirtrimError
from mirtrim.analysis.figures.choices import drawable
from mirtrim.runs.plan import cached_plan
from mirtrim.runs.jobs.finished import remove_ended
from mirtrim.utils.files import sha256_of_file, sha256_of_value
from mirtrim.runs.freshness import LEDGER, Equivalences, data_at_hand, why_stale
from mirtrim.runs.tables import MEASURED, job_path, jobs_in, table_path

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
if workflow.is_main_process:
    for note in PLAN.notes:
        print(f"note: {note}", file=sys.stderr)
# What scripts know beside the configuration. Not parameters of rules: Snakemake runs a job again
# whose parameters change, be it by a key that is new and at its default.
config["plan"] = {
    "columns": PLAN.columns,
    "rounds": PLAN.rounds,
    "code": PLAN.code,
    "settings": PLAN.settings,
    "variants": PLAN.variants,
}

PROFILE = config["profile"]
DATA = config["data_folder"]
RESULTS = f"results/{PROFILE}"
FIGURES = f"figures/{PROFILE}"
RESUME = f"{DATA}/resume"
TASKS = list(config["tasks"])
# Those that compare runs on the tasks as they are, and those that vary the tasks themselves.
STUDIES = {
    study: block for study, block in config["studies"].items() if not block["variants"]
}
VARIED = {
    study: block for study, block in config["studies"].items() if block["variants"]
}
VARIANTS = PLAN.variants
# Tasks and variants whose tables have rows of variants.
VARIED_ROWS = list(dict.fromkeys(variant["rows"] for variant in VARIANTS.values()))


def runs_of_task(task, names=None):
    """Names of the runs that a task has: main runs and those of its studies, or those of `names`;
    none of whose ratios the task lacks all."""
    if names is None:
        names = list(PLAN.runs)
        for study, block in STUDIES.items():
            if task in block["tasks"]:
                names += [name for name in PLAN.studies[study] if name not in names]
    return [name for name in names if PLAN.rounds[f"{task} {name}"]]


FIGURES_OF_ALL = drawable(
    [PLAN.columns[name] for name in runs_of_task(task)] for task in TASKS
)


wildcard_constraints:
    task="[a-z_]+(-[a-z0-9_]+)*",
    corpus="[a-z0-9_]+",
    digest="[0-9a-f]+",
    seed="[0-9]+",
    run="[a-z0-9_]+",


def code_of(script, *parts):
    """Digest of a rule's script, of all that it imports, and of these parts of `PLAN.code`."""
    return sha256_of_value([PLAN.scripts[script], *(PLAN.code[part] for part in parts)])


def corpus_version(corpus):
    """Name of a corpus with a digest of the settings that decide its bytes, for its folder."""
    return f"{corpus}-{PLAN.settings[f'corpus {corpus}'][:10]}"


def corpus_folder(corpus):
    return f"{DATA}/corpora/{corpus_version(corpus)}"


def rendered_seconds(block):
    """Seconds of audio that a corpus of these settings renders; 1 for one that is fetched."""
    return 1 + int(
        sum(block.get("pieces", {}).values()) * block.get("piece_seconds", 0)
    )


def base_of(task):
    """The task that a variant is one of; any other is its own."""
    return VARIANTS[task]["task"] if task in VARIANTS else task


def features_folder(task):
    task = base_of(task)
    digest = PLAN.settings[f"features {task}"][:10]
    return f"{DATA}/features/{task}-{config['tasks'][task]['corpus']}-{digest}"


def settings_of_task(wildcards):
    """What a dense network depends on: all settings of the task but its ratios."""
    block = config["tasks"][wildcards.task]
    return {name: value for name, value in block.items() if name != "ratios"}


KNOWN = Equivalences.read(Path(RESULTS, LEDGER))


def stamp(code, settings):
    """What Snakemake compares on the machine where a file was made: digests of the code and the
    settings behind it. What has been proven to be equivalent has the same."""
    first = KNOWN.first(PLAN.code[code], f"code {code}")
    return f"{first}-{KNOWN.first(PLAN.settings[settings], f'settings {settings}')}"


def reference_of(wildcards):
    """The networks that a control copies the shape of, if it does."""
    reference = PLAN.columns[wildcards.run]["reference"]
    if reference == "-":
        return []
    return f"{RESULTS}/networks/{wildcards.task}/{reference}_seed{wildcards.seed}"


def corpus_manifest_of_task(wildcards):
    return f"{corpus_folder(config['tasks'][wildcards.task]['corpus'])}/corpus.json"


def features_of_task(wildcards):
    return f"{features_folder(wildcards.task)}/store.json"


def job_file(kind, task, job):
    """What a job writes; see mirtrim.runs.tables."""
    return str(job_path(Path(RESULTS), kind, task, job))


def jobs_of(task, runs=PLAN.runs, seeds=None):
    """Names of jobs of a task: the dense network and `runs`, of every seed."""
    return expand(
        "{run}_seed{seed}",
        run=["dense", *runs_of_task(task, runs)],
        seed=seeds or config["seeds"],
    )


def runs_of_varied(study):
    """Runs of a study that varies tasks: those that it contrasts, or its own and the main ones."""
    contrasts = VARIED[study]["contrasts"]
    if contrasts:
        return list(dict.fromkeys(run for pair in contrasts for run in pair))
    return [*PLAN.runs, *PLAN.studies[study]]


def varied_jobs(study):
    """Task or variant → jobs of a study that varies tasks. Variants of the same settings have the
    same jobs."""
    runs, seeds = runs_of_varied(study), VARIED[study]["seeds"]
    found = {}
    for variant in VARIANTS.values():
        if study in variant["study"]:
            found[variant["rows"]] = jobs_of(variant["rows"], runs, seeds)
    return found


def main_jobs(tasks=TASKS):
    """Task → jobs of the main runs."""
    return {task: jobs_of(task) for task in tasks}


def study_jobs(study):
    """Task → jobs of a study, and of the main runs with the same seeds."""
    runs = [*PLAN.runs, *PLAN.studies[study]]
    seeds = STUDIES[study]["seeds"]
    return {task: jobs_of(task, runs, seeds) for task in STUDIES[study]["tasks"]}


def all_jobs():
    """Task → jobs of the main runs and of all studies, each once."""
    found = main_jobs()
    for study in STUDIES:
        for task, jobs in study_jobs(study).items():
            found[task] = list(dict.fromkeys([*found[task], *jobs]))
    return found


def every_job():
    """The same, and those of studies that vary tasks."""
    found = all_jobs()
    for study in VARIED:
        for task, jobs in varied_jobs(study).items():
            found[task] = list(dict.fromkeys([*found.get(task, []), *jobs]))
    return found


def exported_jobs(tasks=TASKS):
    """Task → jobs whose networks are exported and scored."""
    seeds = config["costs"]["seeds"]
    return {task: jobs_of(task, cost_runs(task), seeds) for task in tasks}


def boarded_jobs(tasks=TASKS):
    """Task → jobs whose networks are fitted to boards."""
    runs, seeds = config["costs"]["board_runs"], config["costs"]["board_seeds"]
    return {task: jobs_of(task, runs_there(runs, task), seeds) for task in tasks}


# Other profiles whose verdicts are there and are told beside those of this one.
OTHER_VERDICTS = {
    name: f"results/{name}/verdicts.csv"
    for name in config["beside"]
    if name != PROFILE and Path(f"results/{name}/verdicts.csv").exists()
}
# What was measured on finished networks, here and in those profiles: profile → tables.
MEASURED_THERE = {
    kind: {
        name: [
            str(path) for path in sorted(Path(f"results/{name}/{kind}").glob("*.csv"))
        ]
        for name in [PROFILE, *config["beside"]]
    }
    for kind in ("inspections", "connectivity")
}
# What simple rules reach, where it has been measured (target `baselines`).
WITH_BASELINE = ("chord", "genre", "instrument", "onset", "pitch")
BASELINES = [
    path
    for path in expand(f"{RESULTS}/baselines/{{task}}.csv", task=TASKS)
    if Path(path).exists()
]
EXPECTED = PLAN.expected()
ROWS = {
    task: jobs_in(table_path(Path(RESULTS), "rows", task))
    for task in [*TASKS, *VARIANTS]
}
TABLES = {"rows": ROWS}
for kind in MEASURED:
    TABLES[kind] = {
        task: jobs_in(table_path(Path(RESULTS), kind, task)) for task in TASKS
    }


@functools.cache
def data_of_task(task):
    """See mirtrim.runs.freshness.data_at_hand."""
    task = base_of(task)
    corpus = config["tasks"][task]["corpus"]
    return data_at_hand(
        Path(corpus_folder(corpus), "corpus.json"),
        Path(features_folder(task), "store.json"),
        state_of_folder(config["corpora"][corpus]),
    )


@functools.cache
def networks_wanted():
    """Whether everything or a task is asked for, and with it networks, which no checkout has: they
    are trained, and their rows take the place of the committed ones."""
    # Known once the workflow has been read, and in the process that plans it alone.
    targets = set(workflow.dag_settings.targets or ["all"])
    return workflow.is_main_process and bool(targets & {"all", *TASKS})


def later(function, *arguments):
    """An input function: `function` of the arguments, called when jobs are planned."""
    return lambda wildcards: function(*arguments)


@functools.cache
def why_trained(task, job):
    """Why the rows of a job that the task's table has will not do; None if they will."""
    run, _, seed = job.rpartition("_seed")
    lines, data = ROWS[task].get(job, []), data_of_task(task)
    why = why_stale(lines, EXPECTED[task][run], KNOWN, data)
    if why is None and networks_wanted() and task in TASKS and job in jobs_of(task):
        ending = ".safetensors" if run == "dense" else ""
        if not Path(f"{RESULTS}/networks/{task}/{job}{ending}").exists():
            why = "its networks are wanted"
    return why


@functools.cache
def is_measured(kind, task, job):
    """Whether a table of measurements has the networks of a job as the table of rows has them."""
    lines, rows = TABLES[kind][task].get(job, []), ROWS[task].get(job, [])
    sizes = {line["target_ratio"]: line.get("parameters") for line in lines}
    return bool(lines) and all(
        sizes.get(row["target_ratio"]) in (None, row["parameters"])
        for row in rows
        if row["target_ratio"] in sizes
    )


def tables(kind, tasks):
    """Committed tables of results that are there."""
    paths = [table_path(Path(RESULTS), kind, task) for task in tasks]
    return [str(path) for path in paths if path.exists()]


def files(kind, jobs):
    """Files of those jobs, of {task: jobs}, whose rows the tables do not have."""
    return [
        job_file(kind, task, job)
        for task, names in jobs.items()
        for job in names
        if why_trained(task, job)
    ]


def measurements(kind, jobs):
    """Files of those jobs whose measurements the tables do not have."""
    return [
        job_file(kind, task, job)
        for task, names in jobs.items()
        for job in names
        if why_trained(task, job) or not is_measured(kind, task, job)
    ]


def latency_files(tasks):
    """Files of latencies of those tasks some of whose networks have not been timed."""
    seed = config["costs"]["seeds"][0]
    return [
        job_file("latency", task, "timed")
        for task in tasks
        if not all(
            is_measured("latency", task, job)
            for job in jobs_of(task, cost_runs(task), [seed])
        )
    ]


def networks_of_task(task):
    """What a training of the task's main runs leaves, and no checkout has."""
    return [
        f"{RESULTS}/networks/{task}/{run}_seed{seed}{ending}"
        for run, ending in {
            "dense": ".safetensors",
            **dict.fromkeys(runs_of_task(task, PLAN.runs), ""),
        }.items()
        for seed in config["seeds"]
    ]


def runs_there(names, task):
    """Those of the named runs that the task has: studies are made of some tasks only."""
    return [run for run in names if run in runs_of_task(task)]


def cost_runs(task):
    """Runs that are weighed on a task."""
    return runs_there(config["costs"]["runs"], task)


def model_runs(task):
    """Runs whose networks are published, besides the dense one."""
    return runs_there(config["models"]["runs"], task)


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


def timed_jobs(wildcards):
    """Task → jobs whose networks are timed, in the order of `timed`."""
    seed = config["costs"]["seeds"][0]
    return {
        wildcards.task: [
            f"{run}_seed{seed}" for run in ["dense", *cost_runs(wildcards.task)]
        ]
    }


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


def jobs_of_models(task):
    """The jobs whose networks are published."""
    return {task: jobs_of(task, model_runs(task), [config["models"]["seed"]])}
