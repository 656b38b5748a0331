# Networks that listen, on recordings that a person has. Trains nothing.

for name, block in SETS.items():

    rule:
        name:
            f"recordings_{name}"
        input:
            networks=later(listening_networks),
        output:
            rows=update(f"{RESULTS}/recordings/{name}.csv"),
        log:
            f"{RESULTS}/logs/recordings_{name}.log",
        conda:
            "../envs/mirtrim.yaml"
        params:
            block={key: value for key, value in block.items() if key != "cluster"},
            networks=networks_given(),
            state=state_of_folder(block),
            code=code_of("recordings.py"),
        message:
            f"Networks and simple rules on the recordings {name}"
        script:
            "../scripts/recordings.py"


rule recordings:
    input:
        rows=scored_sets,
    output:
        csv=f"{RESULTS}/recordings.csv",
        markdown=f"{RESULTS}/recordings.md",
        shelf=f"{SHELF}/recordings.csv",
    log:
        f"{RESULTS}/logs/recordings.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        clusters={
            name: block["cluster"]
            for name, block in SETS.items()
            if block.get("cluster")
        },
        code=code_of("recordings_table.py"),
    message:
        "Networks on recordings, beside simple rules and the dense network"
    script:
        "../scripts/recordings_table.py"
