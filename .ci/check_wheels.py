"""Compare what pip has fetched with the digests in wheels.sha256.

    pip install -c constraints.txt --report report.json -e ".[replicate,test]"
    python .ci/check_wheels.py report.json            # exit code 1 and a line per difference
    python .ci/check_wheels.py report.json --write    # after a change of constraints.txt

Only files that are the same on every platform are listed: wheels that end in "none-any" and source
archives. Add `--dry-run --ignore-installed` to pip to look before anything is installed.
"""

import json
import sys
from pathlib import Path
from urllib.parse import unquote

LIST = Path(__file__).parents[1] / "wheels.sha256"


def fetched(report: Path) -> dict[str, str]:
    """File name → SHA-256 of every file in a report of pip that is the same everywhere."""
    found = {}
    for item in json.loads(report.read_text(encoding="utf-8"))["install"]:
        about = item["download_info"]
        name = unquote(about["url"].rsplit("/", 1)[-1])
        digest = about.get("archive_info", {}).get("hashes", {}).get("sha256")
        if digest and name.endswith(("none-any.whl", ".tar.gz")):
            found[name] = digest
    return found


def known() -> dict[str, str]:
    """What wheels.sha256 lists, in the format of sha256sum."""
    pairs = (line.split() for line in LIST.read_text(encoding="utf-8").splitlines())
    return {name: digest for digest, name in pairs}


def differences(found: dict[str, str], listed: dict[str, str]) -> list[str]:
    """One line per file that is not the listed one."""
    lines = []
    for name, digest in sorted(found.items()):
        if name not in listed:
            lines.append(f"{name} is not in {LIST.name}; add it after a look (--write)")
        elif listed[name] != digest:
            lines.append(f"{name} has SHA-256 {digest}, {LIST.name} says {listed[name]}")
    return lines


def main() -> int:
    """Compare or write; the exit code."""
    found = fetched(Path(sys.argv[1]))
    if "--write" in sys.argv[2:]:
        LIST.write_text("".join(f"{found[n]}  {n}\n" for n in sorted(found)), encoding="utf-8")
        return 0
    lines = differences(found, known())
    print("\n".join(lines) or f"{len(found)} files as listed in {LIST.name}")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
