# Configuration, names of files, and the helper functions of all rules.

import copy
import functools
import logging
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# mirdata configures logging when it is imported, unless somebody has: Snakemake's lines would be
# printed twice.
logging.root.addHandler(logging.NullHandler())

from mirtrim.runs.config_values import check_finite
from mirtrim.corpora.reader import state_of_folder, state_of_sounds
from mirtrim.utils.errors import MirtrimError
from mirtrim.analysis.figures.choices import drawable
from mirtrim.runs.plan import cached_plan
from mirtrim.runs.jobs.ended import remove_ended
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

# Snakemake takes `True` on the command line for a boolean, and YAML's `true` for a word.
for key, value in OVERRIDES.items():
    if value in ("true", "false"):
        config[key] = value == "true"

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
ROWS = {
    task: jobs_in(table_path(Path(RESULTS), "rows", task))
    for task in [*config["tasks"], *PLAN.variants]
}
# Whether what has not been trained yet is left out, instead of trained.
SO_FAR = config["so_far"]
if SO_FAR:
    config["tasks"] = {
        task: block
        for task, block in config["tasks"].items()
        if any(job.startswith("dense_seed") for job in ROWS[task])
    }
    if not config["tasks"]:
        raise WorkflowError(
            f"so_far: {RESULTS}/rows has no dense network of any task yet; train some first: "
            "snakemake rows"
        )
TASKS = list(config["tasks"])
# Those that compare runs on the tasks as they are, and those that vary the tasks themselves.
VARIANTS = {
    name: variant
    for name, variant in PLAN.variants.items()
    if not SO_FAR or ROWS[variant["rows"]]
}
STUDIES, VARIED = {}, {}
for study, block in config["studies"].items():
    # A study of tasks none of which there is has nothing to show.
    of_it = [
        variant["task"] for variant in VARIANTS.values() if study in variant["study"]
    ]
    having = of_it if block["variants"] else TASKS
    block = block | {"tasks": [task for task in block["tasks"] if task in having]}
    if block["tasks"]:
        (VARIED if block["variants"] else STUDIES)[study] = block
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
    return PLAN.variants[task]["task"] if task in PLAN.variants else task


def features_folder(task):
    task = base_of(task)
    digest = PLAN.settings[f"features {task}"][:10]
    corpus = PLAN.config["tasks"][task]["corpus"]
    return f"{DATA}/features/{task}-{corpus}-{digest}"


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


def planned(task, runs, seeds):
    """Names of jobs of a task: the dense network and `runs`, of every seed."""
    return expand(
        "{run}_seed{seed}", run=["dense", *runs_of_task(task, runs)], seed=seeds
    )


def jobs_of(task, runs=PLAN.runs, seeds=None):
    """The same, with `so_far` those alone that have been trained."""
    jobs = planned(task, runs, seeds or config["seeds"])
    return [job for job in jobs if not SO_FAR or why_stale_now(task, job) is None]


def left_of(task):
    """Jobs of a task and of its variants that `so_far` leaves out: task or variant → names."""
    wanted = {task: planned(task, PLAN.runs, config["seeds"])}
    for study, block in PLAN.config["studies"].items():
        runs = [*PLAN.runs, *PLAN.studies[study]]
        names = [
            variant["rows"]
            for variant in PLAN.variants.values()
            if variant["task"] == task and study in variant["study"]
        ]
        if not block["variants"] and task in block["tasks"]:
            names = [task]
        for name in names:
            wanted.setdefault(name, []).extend(planned(name, runs, block["seeds"]))
    return {
        name: [job for job in dict.fromkeys(jobs) if why_stale_now(name, job)]
        for name, jobs in wanted.items()
    }


def runs_of_varied(study):
    """Runs of a study that varies tasks: those that it contrasts, or its own and the main ones."""
    contrasts = VARIED[study]["contrasts"]
    if contrasts:
        return list(dict.fromkeys(run for pair in contrasts for run in pair))
    main = VARIED[study]["main_runs"]
    return [*(PLAN.runs if main is None else main), *PLAN.studies[study]]


def varied_jobs(study):
    """Task or variant → jobs of a study that varies tasks. Variants of the same settings have the
    same jobs."""
    runs, seeds = runs_of_varied(study), VARIED[study]["seeds"]
    found = {}
    for variant in VARIANTS.values():
        if study in variant["study"]:
            found[variant["rows"]] = jobs_of(variant["rows"], runs, seeds)
    return found


def variants_of(study):
    """The variants that a study has."""
    return {
        name: variant for name, variant in VARIANTS.items() if study in variant["study"]
    }


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
    jobs = {task: jobs_of(task, cost_runs(task), seeds) for task in tasks}
    return measurable("exports", jobs)


def boarded_jobs(tasks=TASKS):
    """Task → jobs whose networks are fitted to boards."""
    runs, seeds = config["costs"]["board_runs"], config["costs"]["board_seeds"]
    jobs = {task: jobs_of(task, runs_there(runs, task), seeds) for task in tasks}
    return measurable("arenas", jobs)


def measurable(kind, jobs):
    """Those of {task: jobs} that have been measured, or can be: without `so_far`, all."""
    return {
        task: [
            job
            for job in names
            if not SO_FAR
            or is_measured(kind, task, job)
            or network_of(task, job).exists()
        ]
        for task, names in jobs.items()
    }


def network_of(task, job):
    """What a job leaves: a file of the dense network, a folder of all others."""
    ending = ".safetensors" if job.startswith("dense_seed") else ""
    return Path(f"{RESULTS}/networks/{task}/{job}{ending}")


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
            str(path)
            for path in sorted(Path(f"results/{name}/{kind}").glob("*.csv"))
            if "-" not in path.stem  # of a variant of a task
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
# What networks score on recordings, where that has been measured (target `recordings`).
RECORDED = [path for path in [f"{RESULTS}/recordings.csv"] if Path(path).exists()]
EXPECTED = PLAN.expected()
TABLES = {"rows": ROWS}
for kind in MEASURED:
    TABLES[kind] = {
        task: jobs_in(table_path(Path(RESULTS), kind, task))
        for task in dict.fromkeys([*TASKS, *VARIED_ROWS])
    }


@functools.cache
def data_of_task(task):
    """See mirtrim.runs.freshness.data_at_hand."""
    task = base_of(task)
    corpus = PLAN.config["tasks"][task]["corpus"]
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
    return not SO_FAR and workflow.is_main_process and bool(targets & {"all", *TASKS})


def later(function, *arguments):
    """An input function: `function` of the arguments, called when jobs are planned."""
    return lambda wildcards: function(*arguments)


@functools.cache
def why_stale_now(task, job):
    """Why the rows that the task's table has of a job, if any, are not true of it now."""
    run = job.rpartition("_seed")[0]
    lines, data = ROWS[task].get(job, []), data_of_task(task)
    return why_stale(lines, EXPECTED[task][run], KNOWN, data)


@functools.cache
def why_trained(task, job):
    """Why the rows of a job that the task's table has will not do; None if they will."""
    run = job.rpartition("_seed")[0]
    why = why_stale_now(task, job)
    wanted = networks_wanted() and task in TASKS and job in jobs_of(task)
    if why is None and wanted and not network_of(task, job).exists():
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


def rows_at_hand(wildcards):
    """The table of the task's rows, whenever it was written."""
    return ancient(tables("rows", [wildcards.task]))


def rows_of_run(wildcards):
    """The rows of the job of a run, if the table does not have them."""
    return files("rows", {wildcards.task: [f"{wildcards.run}_seed{wildcards.seed}"]})


def latency_files(tasks):
    """Files of latencies of those tasks some of whose networks have not been timed."""
    seed = config["costs"]["seeds"][0]
    return [
        job_file("latency", task, "timed")
        for task in tasks
        if not SO_FAR
        and not all(
            is_measured("latency", task, job)
            for job in jobs_of(task, cost_runs(task), [seed])
        )
    ]


def networks_of_task(task):
    """What a training of the task's main runs leaves, and no checkout has."""
    if SO_FAR:
        return []
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
    costs = [
        f"{RESULTS}/boards.md",
        f"{FIGURES}/bytes.svg",
        *expand(f"{RESULTS}/costs/{{task}}.md", task=TASKS),
    ]
    return [
        f"{RESULTS}/REPLICATION.md",
        f"{RESULTS}/verdicts.md",
        f"{RESULTS}/checklist.md",
        f"{RESULTS}/curves.html",
        f"{FIGURES}/overview.svg",
        *(costs if not SO_FAR or all(exported_jobs().values()) else []),
        *expand(f"{FIGURES}/{{figure}}.svg", figure=FIGURES_OF_ALL),
        *expand(f"{FIGURES}/{{task}}_curve.svg", task=TASKS),
        *expand(f"{RESULTS}/summary/{{task}}.md", task=TASKS),
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


# What has been trained of the runs of each task, dense networks aside.
TRAINED = {
    task: dict.fromkeys(
        job.rpartition("_seed")[0] for job in jobs if not job.startswith("dense_seed")
    )
    for task, jobs in all_jobs().items()
}
FIGURES_OF_ALL = drawable(
    [PLAN.columns[name] for name in runs] for runs in TRAINED.values()
)
LEFT = {task: left_of(task) for task in PLAN.config["tasks"]} if SO_FAR else {}


def inspected_jobs():
    """Task → jobs whose networks are looked at: those that have been trained, or, of a task that
    has no rows yet, all."""
    wanted, found = config["inspected"], {}
    for task in wanted["tasks"]:
        names = jobs_of(task, runs_there(wanted["runs"], task), wanted["seeds"])
        found[task] = [job for job in names if job in ROWS[task]] or names
    return found


def jobs_named(key):
    """Task or variant → the jobs of a block of the configuration that names runs and seeds."""
    for task in config[key]:
        rows = PLAN.variants.get(task, {"rows": task})["rows"]
        if rows != task:
            raise WorkflowError(
                f"config key {key}: {task} has the settings of {rows}, and no networks of its own; "
                f"name {rows}"
            )
    return {
        task: [f"{run}_seed{seed}" for run in block["runs"] for seed in block["seeds"]]
        for task, block in config[key].items()
    }


def page_of(path, study, caption):
    """A file that the report shows."""
    return report(
        path,
        caption=f"../report/{caption}.rst",
        category="Studies",
        labels={"task": "all", "study": study},
    )


def features_of_other(wildcards):
    """Features of the task that shares the trunk of this one."""
    other = config["merging"][wildcards.task]["other"]
    return f"{features_folder(other)}/store.json"


INSPECTED = inspected_jobs()
# Whose tickets are trained twice, whose trunks are merged with those of another task, and in whose
# weights directions are compared.
CONNECTED = jobs_named("connectivity")
MERGED = jobs_named("merging")
TAKEN_APART = jobs_named("singular")

SETS = {block["name"]: block for block in config["recordings"]["sets"]}
SHELF = f"{RESULTS}/models"


def networks_given():
    """Networks and folders of networks to score; a network may be named by any of its files."""
    endings = r"(\.model|\.int8)?\.(json|onnx|safetensors|md)$"
    return [re.sub(endings, "", path) for path in config["recordings"]["networks"]] or [
        SHELF
    ]


def listening_networks():
    """Files of the networks that are given, or of all that lie on the shelf."""
    found = []
    for path in map(Path, networks_given()):
        files = path.glob("*.model.json") if path.is_dir() else [f"{path}.model.json"]
        found += sorted(map(str, files))
    return found


def scored_sets(wildcards):
    """Rows of the sets that are configured, and of those that have been measured before."""
    there = {path.stem for path in Path(RESULTS, "recordings").glob("*.csv")}
    return [f"{RESULTS}/recordings/{name}.csv" for name in sorted({*SETS, *there})]
