# Training: one dense job per task and seed, one compress job per run and seed.
#
# Each writes files of its own, and records rows and scores in the tables of its task, which are
# committed (mirtrim.runs.tables). Whether the tables will do is read in them, not in times of
# files, which mean nothing in a clone: a job whose rows they have is asked for by nobody but who
# asks for its networks (`why_trained`).


rule dense:
    input:
        store=features_of_task,
    output:
        network=f"{RESULTS}/networks/{{task}}/dense_seed{{seed}}.safetensors",
        rows=f"{RESULTS}/jobs/rows/{{task}}/dense_seed{{seed}}.csv",
        pieces=f"{RESULTS}/jobs/pieces/{{task}}/dense_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/dense/{{task}}_seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/dense/{{task}}_seed{{seed}}.tsv"
    conda:
        "../envs/mirtrim.yaml"
    params:
        stamp=lambda wildcards: stamp(
            f"dense {wildcards.task}", f"task {wildcards.task}"
        ),
    message:
        "Dense network of task {wildcards.task}, seed {wildcards.seed}"
    script:
        "../scripts/dense.py"


rule baseline:
    input:
        store=features_of_task,
    output:
        scores=f"{RESULTS}/baselines/{{task}}.csv",
    log:
        f"{RESULTS}/logs/baselines/{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("baseline.py"),
        stamp=lambda wildcards: stamp(
            f"features {wildcards.task}", f"features {wildcards.task}"
        ),
    message:
        "A simple rule without a network, on the test pieces of {wildcards.task}"
    script:
        "../scripts/baseline.py"


rule compress:
    input:
        store=features_of_task,
        network=f"{RESULTS}/networks/{{task}}/dense_seed{{seed}}.safetensors",
        rows=f"{RESULTS}/jobs/rows/{{task}}/dense_seed{{seed}}.csv",
        reference=reference_of,
    output:
        networks=directory(f"{RESULTS}/networks/{{task}}/{{run}}_seed{{seed}}"),
        rows=f"{RESULTS}/jobs/rows/{{task}}/{{run}}_seed{{seed}}.csv",
        pieces=f"{RESULTS}/jobs/pieces/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/compress/{{task}}_{{run}}_seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compress/{{task}}_{{run}}_seed{{seed}}.tsv"
    wildcard_constraints:
        run="(?!dense_seed)[a-z0-9_]+",
    conda:
        "../envs/mirtrim.yaml"
    params:
        stamp=lambda wildcards: stamp(
            f"compress {wildcards.task} {wildcards.run}", f"task {wildcards.task}"
        ),
        rounds=lambda wildcards: PLAN.rounds[f"{wildcards.task} {wildcards.run}"],
    message:
        "All rounds of {wildcards.run} on task {wildcards.task}, seed {wildcards.seed}"
    script:
        "../scripts/compress.py"


for task in TASKS:

    rule:
        name:
            f"models_{task}"
        input:
            store=f"{features_folder(task)}/store.json",
            dense=f"{RESULTS}/networks/{task}/dense_seed{config['models']['seed']}.safetensors",
            networks=expand(
                f"{RESULTS}/networks/{task}/{{run}}_seed{config['models']['seed']}",
                run=model_runs(task),
            ),
            tables=ancient(tables("rows", [task])),
            rows=later(files, "rows", jobs_of_models(task)),
        output:
            models=model_files(task),
        log:
            f"{RESULTS}/logs/models_{task}.log",
        conda:
            "../envs/mirtrim.yaml"
        params:
            task=config["tasks"][task],
            name=task,
            jobs=jobs_of_models(task),
            runs=["dense", *model_runs(task)],
            ratios=model_ratios(task),
            seed=config["models"]["seed"],
            code=code_of("models.py"),
        message:
            f"Networks of task {task} with their cards"
        script:
            "../scripts/models.py"
