"""Networks in ONNX Runtime hear what they hear in torch, and nothing slow is imported for it."""

import json
import subprocess
import sys
import time
from dataclasses import fields

import numpy as np
import pytest

from mirtrim.listening.about import INT8
from mirtrim.listening.listen import listen
from mirtrim.listening.runtime import open_listener
from mirtrim.utils.errors import ArtefactError, ConfigError

from .samples import SETTINGS, music, write

SLOW = ("torch", "numba", "librosa", "pandas", "scipy", "matplotlib", "mirdata", "jsonschema")
# A start takes half a second of processor time; a loaded machine needs several times as long.
MOST_PROCESSOR_SECONDS = 2.0


@pytest.mark.parametrize("task", ["onset", "drums", "pitch", "chord", "instrument"])
def test_onnx_hears_what_torch_hears(make_bundle, tmp_path, task):
    bundle = make_bundle(task)
    path = write(tmp_path / "a.wav", music(25, 11025), 11025)
    expected, heard = listen(path, bundle), listen(path, open_listener(bundle.path))
    assert type(heard) is type(expected)
    for field in fields(expected):
        one, other = getattr(heard, field.name), getattr(expected, field.name)
        if isinstance(one, np.ndarray) and one.dtype.kind == "f":
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda said: said["files"]["fp32"].update(sha256="0"), "is not what a.model.json describ"),
        (lambda said: said["files"].clear(), "there is no fp32 network"),
        (lambda said: said.update(manner=None), "cannot be listened with"),
        (lambda said: said["manner"].update(kind="smell"), "manner.kind: 'smell' is not one of"),
        (lambda said: said["features"].pop("hop"), "features.hop: None is not a whole number"),
        (lambda said: said["features"].update(sample_rate="8k"), "features.sample_rate: '8k'"),
        (lambda said: said["decoding"].clear(), "decoding.threshold_onset: None is not a number"),
        (lambda said: said["statistics"]["mean"].pop(), "statistics.mean: 7 numbers for 8 columns"),
        (lambda said: said.update(ratio="four"), "ratio: 'four' is not a number"),
        (lambda said: said.pop("macs"), "'macs' is a required property"),
        (lambda said: said["features"].update(window_frames=21), "does not fit its features"),
    ],
)  # fmt: skip
def test_damage_is_one_line(make_bundle, change, message):
    base = make_bundle("onset", "a").path
    path = base.with_name("a.model.json")
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))
    with pytest.raises((ArtefactError, ConfigError)) as caught:
        open_listener(base)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_broken_network(make_bundle):
    base = make_bundle("onset", "a").path
    with pytest.raises(ConfigError, match="there is no int8 network; there is fp32"):
        open_listener(base, INT8)
    file = base.with_name("a.onnx")
    file.write_bytes(b"no network")
    with pytest.raises(ArtefactError, match=r"a\.onnx is not what"):
        open_listener(base)
    file.unlink()
    with pytest.raises(ArtefactError, match=r"a\.onnx is missing"):
        open_listener(base)


SCRIPT = """
import resource, sys
from mirtrim.cli import main
status = main(sys.argv[1:])
used = resource.getrusage(resource.RUSAGE_SELF)
slow = [name for name in {slow!r} if name in sys.modules]
print("status", status, "slow", slow, "seconds", used.ru_utime + used.ru_stime)
"""


@pytest.mark.parametrize("task", sorted(SETTINGS))
def test_nothing_slow_is_imported_to_listen(make_bundle, tmp_path, task):
    bundle = make_bundle(task)
    song = write(tmp_path / "song.wav", music(3, 8000), 8000)
    words = ["listen", str(song), "--task", task, "--models", str(bundle.path.parent)]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(slow=SLOW), *words],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert time.monotonic() - began < 300
    said = done.stdout.splitlines()[-1]
    assert said.startswith("status 0 slow [] seconds "), done.stderr
    assert float(said.split()[-1]) < MOST_PROCESSOR_SECONDS
