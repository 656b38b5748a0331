# What the trained networks cost: bytes, error in int8, latency, memory. Trains nothing.


rule cost:
    input:
        store=features_of_task,
        networks=networks_of_run,
        tables=rows_at_hand,
        rows=rows_of_run,
    output:
        files=directory(f"{RESULTS}/onnx/{{task}}/{{run}}_seed{{seed}}"),
        costs=f"{RESULTS}/jobs/exports/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/cost/{{task}}_{{run}}_seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cost/{{task}}_{{run}}_seed{{seed}}.tsv"
    conda:
        "../envs/mirtrim.yaml"
    params:
        task=settings_of_task,
        code=lambda wildcards: code_of("cost.py", f"dense {wildcards.task}"),
    message:
        "Export, quantise and weigh {wildcards.run} on task {wildcards.task}, seed {wildcards.seed}"
    script:
        "../scripts/cost.py"


rule latency:
    input:
        store=features_of_task,
        networks=timed("networks", ending_of_dense=".safetensors"),
        files=timed("onnx"),
        tables=rows_at_hand,
        rows=lambda wildcards: files("rows", timed_jobs(wildcards)),
    output:
        latency=f"{RESULTS}/jobs/latency/{{task}}/timed.csv",
    log:
        f"{RESULTS}/logs/latency/{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    # All cores, for a measurement that nothing else disturbs; the networks use one.
    threads: workflow.cores or 1
    params:
        jobs=timed_jobs,
        task=settings_of_task,
        seconds=config["costs"]["latency_seconds"],
        code=code_of("latency.py"),
    message:
        "Latency of the networks of task {wildcards.task}, alone on the machine"
    script:
        "../scripts/latency.py"


rule microcontroller:
    input:
        store=features_of_task,
        networks=networks_of_run,
        tables=rows_at_hand,
        rows=rows_of_run,
    output:
        files=directory(f"{RESULTS}/tflite/{{task}}/{{run}}_seed{{seed}}"),
        table=f"{RESULTS}/jobs/arenas/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/microcontroller/{{task}}_{{run}}_seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/microcontroller/{{task}}_{{run}}_seed{{seed}}.tsv"
    conda:
        "../envs/mirtrim.yaml"
    params:
        task=settings_of_task,
        code=lambda wildcards: code_of("microcontroller.py", f"dense {wildcards.task}"),
    message:
        "{wildcards.run} of task {wildcards.task}, seed {wildcards.seed}, for microcontrollers"
    script:
        "../scripts/microcontroller.py"


rule cost_tables:
    input:
        cost_tables=tables("exports", TASKS),
        costs=later(measurements, "exports", exported_jobs()),
        latency_tables=tables("latency", TASKS),
        latency=later(latency_files, TASKS),
        arena_tables=tables("arenas", TASKS),
        arenas=later(measurements, "arenas", boarded_jobs()),
        boards="config/boards.yaml",
    output:
        costs=f"{RESULTS}/costs.csv",
        latency=f"{RESULTS}/latency.csv",
        csv=expand(f"{RESULTS}/costs/{{task}}.csv", task=TASKS),
        markdown=[
            report(
                f"{RESULTS}/costs/{task}.md",
                caption="../report/cost_table.rst",
                category="Costs",
                labels={"task": task},
            )
            for task in TASKS
        ],
        boards=[
            f"{RESULTS}/boards.csv",
            report(
                f"{RESULTS}/boards.md",
                caption="../report/boards.rst",
                category="Costs",
                labels={"task": "all, boards"},
            ),
            f"{RESULTS}/boards.tex",
        ],
        bytes=[
            report(
                f"{FIGURES}/bytes.svg",
                caption="../report/bytes.rst",
                category="Costs",
                labels={"task": "all, bytes"},
            ),
            f"{FIGURES}/bytes.png",
        ],
    log:
        f"{RESULTS}/logs/cost_tables.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        tasks=TASKS,
        exported=exported_jobs(),
        boarded=boarded_jobs(),
        code=code_of("cost_tables.py"),
    message:
        "What compression buys on each task, and which networks fit which board"
    script:
        "../scripts/cost_tables.py"
