"""Small untrained bundles of every kind of task, and audio to listen to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from mirtrim.listening.about import About, read_description
from mirtrim.listening.bundle import Bundle
from mirtrim.listening.card import model_card
from mirtrim.listening.evidence import Evidence
from mirtrim.tasks.registry import get_task

SPECTRAL = {
    "features": {
        "sample_rate": 8000, "window": 512, "hop": 400, "mel_bands": 8, "lowest_hz": 20,
        "highest_hz": 4000, "window_frames": 20, "merge_seconds": 0.03,
        "threshold": "best",
    },
    "network": {"channels": 4, "hidden": 16, "dropout": 0.25},
}  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {
    "onset": SPECTRAL,
    "drums": SPECTRAL,
    "pitch": {
        "features": {"sample_rate": 8000, "frame_samples": 256, "hop": 64, "score_every_frames": 1},
        "network": {"capacity": 1, "first_kernel": 64, "dropout": 0.0, "prior": 0.1},
    },
    "chord": {
        "features": {
            "sample_rate": 8000, "hop": 512, "lowest_hz": 55, "bins": 105, "window_frames": 15,
            "gain": 100, "annotation": "played", "score_every_frames": 3,
        },
        "network": {
            "widths": [4, 4, 4], "hidden": 16, "noise": 0.1, "dropout": 0.1, "affine_input": True,
        },
    },
    "instrument": {
        "features": {
            "sample_rate": 8000, "window_samples": 2048, "silence_db": 40,
            "classes": ["flute", "piano", "violin"],
        },
        "network": {
            "kernel": 32, "channels": 4, "hidden": 16, "bottleneck_channels": 2, "dropout": 0.0,
        },
    },
}  # fmt: skip
DECODING = {
    "onset": {"threshold_onset": 0.3},
    "drums": {"threshold_kick": 0.3, "threshold_snare": 0.4, "threshold_hihat": 0.5},
    "pitch": {"threshold": 0.5},
    "chord": {"change_penalty": 1.0},
    "instrument": {},
}
CHOICES = {
    "method": "trim", "criterion": "magnitude", "scope": "local", "scale": "max",
    "order": "lowest_first", "reset": "rewind", "budget": "parameters", "reference": "-",
}  # fmt: skip


def network_of(task: str, seed: int = 0) -> torch.nn.Module:
    """An untrained network whose outputs vary as much as those of a trained one."""
    torch.manual_seed(seed)
    network = get_task(task).network(SETTINGS[task]["features"], SETTINGS[task]["network"])
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv1d | torch.nn.Conv2d):
                module.weight.mul_(2.0)
    return network


def about_of(task: str, network: torch.nn.Module, **changes: Any) -> About:
    """What such a bundle says; `changes` replaces fields."""
    said: dict[str, Any] = {
        "task": task,
        "statistics": {"mean": [-4.0] * 8, "deviation": [2.0] * 8}
        if task in ("onset", "drums")
        else {},
        "decoding": DECODING[task],
        "corpus": "mini_noise",
        "profile": "test",
        "licence": "MIT",
        "pruning": CHOICES,
        "seed": 0,
        "target_ratio": 4.0,
        "ratio": 4.25,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "nonzeros": 100,
        "macs": 1000,
        "validation_error": 0.25,
        "test_error": 0.375,
        "scores": {get_task(task).main_score: 0.625, "confusion/a/b": 3.0},
        "versions": "python 3.11",
        **SETTINGS[task],
    }
    return About(**{**said, **changes})


def card_of(bundle: Bundle, recorded: Sequence[Evidence] = ()) -> str:
    """The model card of a bundle."""
    return model_card(bundle, read_description(bundle.path), recorded)


def music(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """Notes of changing pitch and loudness with rests between them, float32."""
    rng = np.random.default_rng(seed)
    samples = 0.002 * rng.standard_normal(int(seconds * rate))
    start = 0
    while start < len(samples):
        length = int(rate * rng.uniform(0.2, 0.7))
        note = np.arange(min(length, len(samples) - start)) / rate
        pitch = 110 * 2 ** rng.uniform(0, 2)
        tone = sum(np.sin(2 * np.pi * pitch * h * note) / h for h in range(1, 6))
        samples[start : start + length] += rng.uniform(0.05, 0.3) * tone * np.exp(-6 * note)
        start += length + int(rate * rng.choice([0.0, 0.0, 0.4]))
    return samples.astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int, **options: Any) -> Path:
    """Write audio; float samples without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".wav":
        options = {"subtype": "FLOAT", **options}
    soundfile.write(path, samples, rate, **options)
    return path
