"""What tests of rendered corpora share: digests of a folder, settings of varied corpora."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def digests(home: Path, pattern: str = "*") -> dict[str, str]:
    """Path below `home` → SHA-256, of all files that match."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in home.rglob(pattern)
        if path.is_file()
    }


def varied_settings(
    loader: str, pieces: Mapping[str, int], seconds: float, seed: int, **given: Any
) -> dict[str, Any]:
    """Of a small corpus of mode `varied`, with the bank of the pretty_midi wheel."""
    return {
        "loader": loader, "mode": "varied", "folder": None, "index": None, "pieces": pieces,
        "piece_seconds": seconds, "seed": seed, "banks": ["pretty_midi"], "one_shots": [],
        "copies": 1, **given,
    }  # fmt: skip
