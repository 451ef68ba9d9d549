"""Removes from a folder of packages what `unneeded.toml` says that nothing runs: `slim.py FOLDER`."""

import shutil
import sys
import tomllib
from pathlib import Path

DECLARED = Path(__file__).with_name("unneeded.toml")


def unneeded(packages: Path) -> list[Path]:
    """Files and folders below the folder of packages, of each pattern one at least."""
    matched: set[Path] = set()
    for entry in tomllib.loads(DECLARED.read_text())["unneeded"]:
        for pattern in entry["files"]:
            paths = list(packages.glob(pattern))
            if not paths:
                raise SystemExit(f"error: {packages} has no {pattern}; take it out of {DECLARED}")
            matched.update(paths)
    return sorted(matched)


def main() -> None:
    """Remove them."""
    for path in unneeded(Path(sys.argv[1])):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
