# From nothing to features: download or render, validate, extract.


# One rule per corpus, for a priority each: the longest rendering starts first, so that no core
# waits at the end for one that started last.
for corpus, block in config["corpora"].items():

    rule:
        name:
            f"corpus_{corpus}"
        output:
            manifest=f"{corpus_folder(corpus)}/corpus.json",
        log:
            f"{RESULTS}/logs/corpus/{corpus_version(corpus)}.log",
        benchmark:
            f"{RESULTS}/benchmarks/corpus/{corpus_version(corpus)}.tsv"
        priority: rendered_seconds(block)
        conda:
            "../envs/mirtrim.yaml"
        # Corpora side by side keep the cores busier than one after another on all of them.
        threads: max(1, (workflow.cores or 1) // len(config["corpora"]))
        params:
            name=corpus,
            stamp=stamp(f"corpus {corpus}", f"corpus {corpus}"),
            # A user's own files may change; Snakemake does not know them. What is played with the
            # same banks as before is not rendered again.
            folder_state=state_of_folder(block) or state_of_sounds(block),
        message:
            f"Corpus {corpus}: download or render, then validate"
        script:
            "../scripts/corpus.py"


rule features:
    input:
        corpus=corpus_manifest_of_task,
    output:
        store=f"{DATA}/features/{{task}}-{{corpus}}-{{digest}}/store.json",
    log:
        f"{RESULTS}/logs/features/{{task}}-{{corpus}}-{{digest}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/features/{{task}}-{{corpus}}-{{digest}}.tsv"
    conda:
        "../envs/mirtrim.yaml"
    params:
        stamp=lambda wildcards: stamp(
            f"features {wildcards.task}", f"features {wildcards.task}"
        ),
    message:
        "Features of task {wildcards.task} from corpus {wildcards.corpus}"
    script:
        "../scripts/features.py"
