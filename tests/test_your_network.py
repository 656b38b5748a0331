"""The page about a network that people use runs as it stands, on a few rendered melodies."""

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from mirtrim.corpora import layout
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.rendering.melodies.mini import MINI_STEMS
from mirtrim.tasks.audio import read_mono

PAGE = Path(__file__).resolve().parents[1] / "docs" / "your-network.md"
try:
    import torchaudio  # noqa: F401
except (ImportError, OSError):
    # torchcrepe imports it to read files, which this page does not; PyPI's wheel needs CUDA.
    sys.modules["torchaudio"] = types.ModuleType("torchaudio")
torchcrepe = pytest.importorskip("torchcrepe", reason="torchcrepe is not installed")


def rendered(folder: Path, pieces: int) -> list[torch.Tensor]:
    """Sounds of a few melodies, each (1, samples) at 16 kHz."""
    counts = {"train": pieces, "validation": 0, "test": 0}
    MINI_STEMS.generate(folder, counts, 3.0, seed=1)
    corpus = open_dataset(MINI_STEMS.loader, folder, folder / layout.INDEX_NAME)
    paths = [corpus.track(name).audio_path for name in corpus.track_ids]
    return [torch.from_numpy(read_mono(path, 16000).astype(np.float32))[None] for path in paths]


def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in text.split("```python")[1:]]
    *sounds, last = rendered(tmp_path / "corpus", 3)
    torch.manual_seed(0)
    names = {"sounds": [sound[:, :24000] for sound in sounds]}
    names["held_out"] = torch.cat(list(torchcrepe.preprocess(last[:, :16000], 16000, 320)))
    monkeypatch.chdir(tmp_path)
    for block in blocks:
        exec(block, names)
    printed = capsys.readouterr().out
    assert re.search(r"conv1 +conv +128 → \d", printed)
    shares = [line.split() for line in printed.splitlines() if "of the dense one" in line]
    assert [round(float(words[0].rstrip(":"))) for words in shares] == [2, 4, 8]
    # Chance is one frame in seventy; few steps on few frames leave half of them right.
    assert float(shares[0][1]) > 0.2
    dense, small = torchcrepe.Crepe("tiny"), names["small"]
    sizes = [sum(p.numel() for p in network.parameters()) for network in (dense, small)]
    assert sizes[0] / sizes[1] >= 8
    held_out = names["held_out"]
    assert torch.equal(small(held_out), names["ticket"].model(held_out))
    assert (tmp_path / "tiny-2.safetensors").exists()
