"""Networks that other people wrote, cut by half: mirtrim beside Torch-Pruning 1.6.1.

python benchmarks/zoo.py [--kind audio] [--only WORD] [--alone] [--json FILE]

Needs an environment of its own, with whatever of these packages pip brings (a network whose
package is missing is left out, and said to be):

    pip install torchcrepe penn beat_this openunmix demucs torchvision torchaudio timm \
        transformers panns-inference piano-transcription-inference asteroid encodec vocos \
        pesto-pitch hear21passt BS-RoFormer x-transformers einops torch-pruning==1.6.1

Weights are random: what is measured is the engine. Each network runs in a process of its own.
Columns: parameters; what mirtrim does at ratio 2 (cut, refused, crash, wrong, changed input);
share of units that can never go, outputs and constants left out; the largest ratio; processor
seconds for discovery, cut and check; what Torch-Pruning does (cut: it still runs and returns the
same shapes).
"""

import argparse
import copy
import importlib
import json
import resource
import signal
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

SECONDS = 240
Entry = Mapping[str, Any]  # of a network in zoo.yaml


def networks() -> dict[str, dict[str, Entry]]:
    """The networks of each kind by name."""
    zoo = yaml.safe_load(Path(__file__).with_name("zoo.yaml").read_text(encoding="utf-8"))
    vision = {
        name: {"make": f"torchvision.models:{name}", "options": {"weights": None}, "input": size}
        for name, size in zoo["torchvision"].items()
    } | {
        f"timm {name}": {
            "make": "timm:create_model",
            "options": {"model_name": name, "pretrained": False},
            "input": size,
        }
        for name, size in zoo["timm"].items()
    }
    for entry in vision.values():
        entry["input"] = [1, 3, entry["input"], entry["input"]]
    return {"audio": zoo["audio"], "vision": vision}


def made(entry: Entry) -> nn.Module:
    """The network, with random weights."""
    module, _, name = entry["make"].partition(":")
    if module.startswith("penn"):
        # Its Viterbi decoder is compiled for one version of torch; no network needs it.
        sys.modules.setdefault("torbi", types.ModuleType("torbi"))
    found: Any = importlib.import_module(module)
    options = dict(entry.get("options", {}))
    options |= {key: tuple(sizes) for key, sizes in entry.get("tuples", {}).items()}
    if "config" in entry:
        network = getattr(found, name)(getattr(found, entry["config"])(**options))
    else:
        network = getattr(found, name)(**options)
    part: nn.Module = network.get_submodule(entry.get("part", ""))
    return part


def example(entry: Entry) -> Any:
    """A random input of the network."""
    given = entry["input"]
    if isinstance(given, list):
        return torch.randn(*given, generator=torch.Generator().manual_seed(0))
    if "uniform" in given:
        return torch.rand(given["uniform"])
    return torch.randn(given["frames"]), torch.tensor(given["lengths"])


def examine(name: str, entry: Entry, side: str) -> dict[str, Any]:
    """What mirtrim (side "ours") or Torch-Pruning ("theirs") makes of one network."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    try:
        model, inputs = made(entry).eval(), example(entry)
    except (ImportError, OSError) as error:
        return {"network": name, "mirtrim": "not installed", "why": str(error)}
    found: dict[str, Any] = {
        "network": name,
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    if side == "ours":
        found.update(_ours(model, inputs))
    else:
        found["torch_pruning"] = _theirs(made(entry).eval(), inputs)
    return found


def _ours(model: nn.Module, inputs: Any) -> dict[str, Any]:
    import numpy as np

    import mirtrim
    from mirtrim.pruning.selection import choose_units
    from mirtrim.units.finding import discover

    before = {name: value.clone() for name, value in model.state_dict().items()}
    attributes = {n: dict(vars(m)) for n, m in model.named_modules()}
    found: dict[str, Any] = {}
    started = time.process_time()
    try:
        small = mirtrim.trim(model, inputs, ratio=2)
        found["mirtrim"] = "cut"
        found["law"] = small.trim_report.equivalence_difference
    except mirtrim.utils.errors.MirtrimError as error:
        found["mirtrim"] = "wrong" if "differ by" in str(error) else "refused"
        found["why"] = str(error)
    except Exception as error:
        found["mirtrim"], found["why"] = "crash", f"{type(error).__name__}: {error}"
    found["seconds"] = round(time.process_time() - started, 2)
    same = all(torch.equal(before[n], v) for n, v in model.state_dict().items())
    for name, module in model.named_modules():
        same = same and vars(module).keys() == attributes[name].keys()
    if not same:
        found["mirtrim"] = "changed input"
    try:
        graph = discover(model, inputs)
        # Outputs are no choice of anybody's, and constant front ends are no layers.
        others = sum(
            count
            for why, count in graph.kept.items()
            if why.endswith(("an output of the network", "is a buffer", "a frozen front end"))
        )
        units = sum(len(layer.groups) for layer in graph.layers) - others
        found["pinned"] = round((sum(graph.kept.values()) - others) / max(units, 1), 3)
        found["kept"] = dict(list(graph.kept.items())[:3])
        try:
            choose_units(graph, np.ones(graph.group_count), 0)
        except mirtrim.utils.errors.RatioError as error:
            found["largest"] = float(str(error).partition("ratio from here: ")[2].split(";")[0])
    except Exception as error:
        found.setdefault("why", f"{type(error).__name__}: {error}")
    return found


def _theirs(model: nn.Module, inputs: Any) -> str:
    import torch_pruning

    positional = inputs if isinstance(inputs, tuple) else (inputs,)
    try:
        with torch.no_grad():
            expected = _shapes(model(*positional))
        last = [m for m in model.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
        pruner = torch_pruning.pruner.BasePruner(
            model,
            inputs,
            importance=torch_pruning.importance.MagnitudeImportance(p=1),
            pruning_ratio=0.3,
            ignored_layers=last[-1:],
        )
        count = sum(p.numel() for p in model.parameters())
        pruner.step()
        if sum(p.numel() for p in model.parameters()) == count:
            return "nothing cut"
        with torch.no_grad():
            found = _shapes(copy.deepcopy(model)(*positional))
    except Exception as error:
        return f"fails ({type(error).__name__})"
    return "cut" if found == expected else "other shapes"


def _shapes(outputs: Any) -> list[tuple[int, ...]]:
    from mirtrim.units.nesting import tensors_in

    return [tuple(tensor.shape) for tensor in tensors_in(outputs)]


def _in_process(name: str, side: str, seconds: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", name, "--side", side, "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    column = "mirtrim" if side == "ours" else "torch_pruning"
    if done.returncode == -signal.SIGXCPU:
        return {"network": name, column: f"not done in {seconds} s"}
    return {"network": name, column: "crash", "why": done.stderr[-300:]}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="networks of other people, cut by half")
    parser.add_argument("--only", default="", help="networks whose name has this word")
    parser.add_argument("--kind", choices=("audio", "vision"), help="only these")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--side", default="ours", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of processor, for each")
    parser.add_argument("--alone", action="store_true", help="without Torch-Pruning")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    options = parser.parse_args()
    kinds = networks()
    entries = kinds[options.kind] if options.kind else kinds["audio"] | kinds["vision"]
    if options.one:
        # Seconds of the processor: a busy machine changes nothing.
        resource.setrlimit(resource.RLIMIT_CPU, (options.seconds, options.seconds + 5))
        warnings.simplefilter("ignore")
        print(json.dumps(examine(options.one, entries[options.one], options.side)))
        return
    rows = []
    print("network | parameters | mirtrim | pinned | largest | seconds | Torch-Pruning", flush=True)
    for name in entries:
        if options.only.lower() not in name.lower():
            continue
        row = _in_process(name, "ours", options.seconds)
        if not options.alone and row["mirtrim"] != "not installed":
            row |= _in_process(name, "theirs", options.seconds // 4)
        rows.append(row)
        cells = [row.get(k, "") for k in ("pinned", "largest", "seconds", "torch_pruning")]
        print(
            f"{name} | {row.get('parameters', 0):,} | {row['mirtrim']} | "
            + " | ".join(map(str, cells))
            + (f" | {row['why'][:160]}" if "why" in row else ""),
            flush=True,
        )
        if options.json:
            options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
