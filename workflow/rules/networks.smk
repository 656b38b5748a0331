# Training: one dense job per task and seed, one compress job per run and seed.


rule dense:
    input:
        store=features_of_task,
    output:
        network=f"{RESULTS}/networks/{{task}}/dense_seed{{seed}}.safetensors",
        rows=f"{RESULTS}/rows/{{task}}/dense_seed{{seed}}.csv",
        pieces=f"{RESULTS}/pieces/{{task}}/dense_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/dense/{{task}}_seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/dense/{{task}}_seed{{seed}}.tsv"
    conda:
        "../envs/mirtrim.yaml"
    params:
        profile=PROFILE,
        task=settings_of_task,
        resume=RESUME,
        code=lambda wildcards: code_of("dense.py", f"dense {wildcards.task}"),
    message:
        "Dense network of task {wildcards.task}, seed {wildcards.seed}"
    script:
        "../scripts/dense.py"


rule compress:
    input:
        store=features_of_task,
        network=f"{RESULTS}/networks/{{task}}/dense_seed{{seed}}.safetensors",
        # Committed rows have times of a checkout; the network beside them says if it is new.
        rows=ancient(f"{RESULTS}/rows/{{task}}/dense_seed{{seed}}.csv"),
        reference=reference_of,
    output:
        networks=directory(f"{RESULTS}/networks/{{task}}/{{run}}_seed{{seed}}"),
        rows=f"{RESULTS}/rows/{{task}}/{{run}}_seed{{seed}}.csv",
        pieces=f"{RESULTS}/pieces/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/compress/{{task}}_{{run}}_seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compress/{{task}}_{{run}}_seed{{seed}}.tsv"
    wildcard_constraints:
        run="(?!dense_seed)[a-z0-9_]+",
    conda:
        "../envs/mirtrim.yaml"
    params:
        profile=PROFILE,
        task=settings_of_task,
        run=choices_of_run,
        rounds=rounds_of,
        resume=RESUME,
        code=code_of_run,
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
            rows=ancient(list(row_files_of_models(task).values())),
        output:
            models=model_files(task),
        log:
            f"{RESULTS}/logs/models_{task}.log",
        conda:
            "../envs/mirtrim.yaml"
        params:
            task=config["tasks"][task],
            name=task,
            rows=row_files_of_models(task),
            runs=["dense", *model_runs(task)],
            ratios=model_ratios(task),
            seed=config["models"]["seed"],
            code=code_of("models.py"),
        message:
            f"Networks of task {task} with their cards"
        script:
            "../scripts/models.py"
