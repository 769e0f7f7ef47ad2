"""Writes the bill of materials of the image's Python packages (CycloneDX JSON).

    python -m tools.sbom [FILE]

writes dist/sbom.cdx.json by default. The same pins give the same bytes. The file does not cover the
base image (BASE in the Dockerfile): use an image scanner.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.environments import python_of
from webhook import __version__

ROOT = Path(__file__).resolve().parents[1]


def bill() -> str:
    """Returns the bill of materials as JSON text."""
    made = subprocess.run(
        [
            *(python_of("supply"), "-m", "cyclonedx_py", "environment", python_of("runtime")),
            *("--pyproject", ROOT / "pyproject.toml", "--mc-type", "application"),
            *("--output-reproducible", "--output-format", "JSON", "--output-file", "-"),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    document: dict[str, Any] = json.loads(made.stdout)
    # pyproject.toml takes the version from the code, which cyclonedx-py does not read.
    document["metadata"]["component"]["version"] = __version__
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Writes the file; returns the exit status."""
    path = Path(arguments[0]) if arguments else ROOT / "dist/sbom.cdx.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(bill())
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
