"""The profiles of clusters: Snakemake takes them, and they speak of what there is."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from yte import process_yaml

from tests.workflow.conftest import ROOT, make_folder, snakemake

CLUSTERS = ("slurm", "kubernetes")
PROFILES = (*CLUSTERS, "gpu")


def read(name: str) -> dict[str, Any]:
    with (ROOT / f"profiles/{name}/config.yaml").open() as stream:
        profile: dict[str, Any] = process_yaml(stream, require_use_yte=True)
    return profile


def rules(file: str) -> set[str]:
    """Names of the rules of a file of the workflow."""
    text = (ROOT / f"workflow/rules/{file}.smk").read_text()
    pages = text.partition("MEASURED_PAGES = {")[2].partition("\n}")[0]  # a rule for each
    made = re.findall(r'^    "(\w+)": \(', pages, re.MULTILINE)
    return {*re.findall(r"^rule (\w+):", text, re.MULTILINE), *made}


def names(key: str) -> set[str]:
    """Names of the corpora, or of the studies, of all configurations."""
    paths = set((ROOT / "config").glob("*.yaml")) - {ROOT / "config/proof.yaml"}  # of one machine
    configs = [yaml.safe_load(path.read_text()) for path in paths]
    return {name for config in configs if isinstance(config, dict) for name in config.get(key, {})}


def corpus_rules() -> set[str]:
    """Names of the rules that are made for the corpora of all configurations."""
    return {f"corpus_{corpus}" for corpus in names("corpora")}


def number(value: int | str, attempt: int) -> int:
    result = eval(str(value), {"attempt": attempt})
    assert isinstance(result, int)
    return result


@pytest.mark.parametrize("name", PROFILES)
def test_every_rule_that_is_named_exists(name: str) -> None:
    profile = read(name)
    keys = ("set-resources", "set-threads", "groups")
    named = {rule for key in keys for rule in profile.get(key, {})}
    known = set().union(*map(rules, ("data", "networks", "costs", "measurements", "evidence")))
    assert {"dense", "compress"} <= named <= known | corpus_rules() | names("studies")


@pytest.mark.parametrize("name", CLUSTERS)
def test_memory_and_time_are_numbers_that_grow_with_the_attempt(name: str) -> None:
    profile = read(name)
    rows = {"any other": profile["default-resources"], **profile["set-resources"]}
    asked = {
        (rule, key): [number(resources[key], attempt) for attempt in (1, 2)]
        for rule, resources in rows.items()
        for key in {"mem_mb", "runtime"} & set(resources)
    }
    # Trainings go on where the last try stopped, and clusters have a longest time.
    constant = {("dense", "runtime"), ("compress", "runtime")}
    for key, (first, second) in asked.items():
        assert second == (1 if key in constant else 2) * first > 0
    assert {("any other", "mem_mb"), ("dense", "mem_mb"), ("compress", "mem_mb")} < set(asked)
    assert profile["retries"] > 0


def test_the_clusters_ask_for_the_same_memory_threads_and_groups() -> None:
    slurm, kubernetes = read("slurm"), read("kubernetes")
    for key in ("set-threads", "groups", "group-components"):
        assert slurm[key] == kubernetes[key]
    memory = [
        {rule: r["mem_mb"] for rule, r in profile["set-resources"].items() if "mem_mb" in r}
        for profile in (slurm, kubernetes)
    ]
    assert memory[0] == memory[1]


def test_every_small_job_is_in_a_group() -> None:
    # `latency` wants a machine for itself; `page` reads what Snakemake has noted of the others;
    # `barrier` and `merge` train.
    made = set().union(*map(rules, ("costs", "measurements", "evidence"))) | names("studies")
    small = made - {"latency", "page", "barrier", "merge"}
    assert set(read("slurm")["groups"]) == small


def test_rules_that_would_take_a_share_of_all_cores_have_threads() -> None:
    assert set(read("slurm")["set-threads"]) == corpus_rules() | {"latency"}


@pytest.mark.parametrize("name", CLUSTERS)
@pytest.mark.parametrize("gpus", ["0", "1"])
def test_trainings_ask_for_gpus_if_there_are_some(
    name: str, gpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRTRIM_GPUS", gpus)
    for rule, resources in read(name)["set-resources"].items():
        wanted = int(gpus) if rule in ("dense", "compress") else 0
        assert resources.get("gpu", 0) == wanted
    # Kubernetes refuses a job with a number of GPUs, zero even, and no make of them.
    if name == "kubernetes":
        dense = read(name)["set-resources"]["dense"]
        assert dense.get("gpu_manufacturer") == ("nvidia" if gpus == "1" else None)
        assert ("gpu" in dense) == (gpus == "1")


def test_five_trainings_share_a_gpu() -> None:
    profile = read("gpu")
    for rule in ("dense", "compress"):
        assert profile["set-resources"][rule]["gpu"] == 1
        assert profile["resources"]["gpu_share"] // profile["set-resources"][rule]["gpu_share"] == 5


@pytest.mark.parametrize("name", CLUSTERS)
def test_snakemake_takes_the_profile(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIRTRIM_GPUS", "1")
    make_folder(tmp_path)
    result = snakemake(tmp_path, "--profile", f"profiles/{name}", "-n", "--quiet", "rules")
    assert result.returncode == 0, result.stderr[-3000:]
    assert f"profile profiles/{name} and" in result.stderr.replace("profiles ", "profile ")
    assert re.search(r"^compress +2$", result.stdout + result.stderr, re.MULTILINE)
