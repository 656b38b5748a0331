"""Atomic writing: all or nothing, whoever is killed or refused."""

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mirtrim.utils.files import atomic_path, check_target, explain, write_text


def test_a_block_that_raises_leaves_the_old_file_alone(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")

    def stopped() -> None:
        with atomic_path(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stopped()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_what_a_killed_writer_leaves_is_taken_over(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from mirtrim.utils.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('much more than the next one writes')\n"
        f"    os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
    )
    target = tmp_path / "rows.csv"
    killed = subprocess.run([sys.executable, "-c", script, target], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    assert not target.exists()
    write_text(target, "new")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
    assert target.read_text() == "new"


def test_two_writers_at_once_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with atomic_path(target) as first:
        first.write_text("first")
        write_text(target, "second")
        assert target.read_text() == "second"
        assert first.read_text() == "first"
    assert target.read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "folder: Is a directory; move it away or choose another name and run again"),
        ("file/a/b", "file: Not a directory; choose another name and run again"),
        (f"new/{250 * 'x'}.csv", "File name too long; choose a shorter name and run again"),
        (f"{300 * 'y'}/x.csv", "File name too long; choose a shorter name and run again"),
    ],
)
def test_a_target_is_refused_before_the_work(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for use in (check_target, lambda path: write_text(path, "")):
        with pytest.raises(OSError, match=".") as caught:
            use(tmp_path / name)
        assert explain(caught.value).endswith(message)
    check_target(tmp_path / "new" / "deep" / "a.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_results_are_as_readable_as_any_other_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "ours", "")
    modes = [os.stat(tmp_path / name).st_mode for name in ("plain", "ours")]
    assert modes[0] == modes[1]


def test_a_refused_write_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=r"a\.txt") as caught:
            write_text(tmp_path / "a.txt", 1000 * "x")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    path = tmp_path / "a.txt"
    expected = f"{path}: File too large; raise the limit on the size of files and run again"
    assert explain(caught.value) == expected
    assert not list(tmp_path.iterdir())


def test_a_full_disk_and_a_locked_folder_are_explained() -> None:
    assert explain(OSError(28, "No space left on device", "/r/a.csv")) == (
        "/r/a.csv: No space left on device; free some space and run again"
    )
    assert "make the folder writable" in explain(OSError(30, "Read-only file system", "/r"))


def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.txt"
    link = tmp_path / "link.txt"
    link.symlink_to(target)
    write_text(link, "new")  # the target need not be there
    assert link.is_symlink()
    assert target.read_text() == "new"

    def stopped() -> None:
        with atomic_path(link) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stopped()
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["a.txt"]


def test_devices_and_pipes_are_written_through(tmp_path: Path) -> None:
    write_text(os.devnull, "gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE, text=True) as reader:
        write_text(pipe, "through")
        assert reader.communicate(timeout=60)[0] == "through"
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
    assert pipe.is_fifo()


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="no /dev/stdout")
def test_standard_output_under_another_name(tmp_path: Path) -> None:
    code = (
        "from mirtrim.utils.files import write_text\nprint('before', flush=True)\n"
        "write_text('/dev/stdout', 'content\\n')\nprint('after')"
    )
    with open(tmp_path / "out.txt", "w") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    assert (tmp_path / "out.txt").read_text() == "before\ncontent\nafter\n"
