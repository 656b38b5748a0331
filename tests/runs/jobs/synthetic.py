"""Jobs on a synthetic store: small enough to train in a second."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from mirtrim.pruning.methods import settings_of
from mirtrim.runs.jobs.compress import Run, compress
from mirtrim.runs.jobs.dense import dense_cost, load_dense, train_dense
from mirtrim.runs.jobs.setting import Setting, open_setting
from mirtrim.tasks.store import write_store
from mirtrim.training import CPU

FEATURES = {
    "sample_rate": 16000, "window": 512, "hop": 800, "mel_bands": 8, "lowest_hz": 20,
    "highest_hz": 8000, "window_frames": 10, "merge_seconds": 0.03,
}  # fmt: skip
CONFIG: dict[str, Any] = {
    "corpus": "synthetic",
    "rewind_epoch": 1,
    "features": FEATURES,
    "network": {"channels": 4, "hidden": 16},
    "training": {
        "initialisation": "sound", "epochs": 3, "batch_size": 8, "examples_per_epoch": 64,
        "learning_rate": 0.01, "weight_decay": 1e-4, "schedule": "one_cycle",
        "plateau_patience": 10, "stop_patience": 30, "positive_weight": 2,
    },
}  # fmt: skip
RATIOS = [2, 4]


def store(folder: Path, sources: Callable[[str, int], str]) -> None:
    """Noise in which every event raises all bands."""
    rng = np.random.default_rng(0)
    tracks = []
    for split, count in (("train", 4), ("validation", 2), ("test", 2)):
        for number in range(count):
            targets = (rng.random((60, 1)) < 0.2).astype(np.uint8)
            frames = rng.standard_normal((60, 8)).astype(np.float32) + 2 * targets
            row = {
                "track_id": f"{split}{number}", "split": split, "source": sources(split, number),
                "duration_seconds": 3.0,
            }  # fmt: skip
            events = pd.DataFrame(
                {"time_seconds": np.flatnonzero(targets) * 0.05, "label": "onset"}
            )
            tracks.append((row, {"frames": frames.astype(np.float32), "targets": targets}, events))
    write_store(folder, tracks, "frames")


class Job:
    """Paths of one run in a folder of its own, and the device that it computes on."""

    def __init__(
        self, folder: Path, device: torch.device = CPU, training: Mapping[str, Any] | None = None
    ) -> None:
        """`training` changes settings of the training."""
        self.folder, self.device = folder, device
        self.config = {**CONFIG, "training": {**CONFIG["training"], **(training or {})}}
        if not (folder / "store").exists():
            store(folder / "store", lambda split, number: f"{split}{number}")

    @property
    def setting(self) -> Setting:
        return open_setting("test", "onset", self.config, self.folder / "store", self.device)

    def dense(self, seed: int = 0, progress: Any = lambda stage, epoch: None) -> None:
        train_dense(
            self.setting, seed, 1,
            network_path=self.folder / "dense.safetensors", rows_path=self.folder / "dense.csv",
            pieces_path=self.folder / "dense_pieces.csv", resume_folder=self.folder / "resume",
            progress=progress,
        )  # fmt: skip

    def compress(
        self,
        method: str = "trim",
        progress: Any = lambda stage, epoch: None,
        ratios: Sequence[float] = RATIOS,
        **run: Any,
    ) -> None:
        dense = load_dense(self.folder / "dense.safetensors")
        cost = dense_cost(self.folder / "dense.csv")
        choices = settings_of({"method": method, "scope": "local", **run})
        compress(
            Run(self.setting, dense, cost, choices, dict(enumerate(ratios, start=1)), 0),
            rows_path=self.folder / f"{method}.csv",
            pieces_path=self.folder / f"{method}_pieces.csv",
            networks_folder=self.folder / method, resume_folder=self.folder / "resume",
            progress=progress,
        )  # fmt: skip
