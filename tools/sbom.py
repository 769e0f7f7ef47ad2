"""Writes what the images hold of Python packages, as CycloneDX bills of materials.

    python -m tools.sbom [FOLDER]

makes FOLDER/sbom-webhook.cdx.json and FOLDER/sbom-certs.cdx.json, by default in dist/. The same
pins give the same bytes. An image's other half, its base, is chosen with the Dockerfile's BASE: a
scanner of images tells what that holds.
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
IMAGES = {"webhook": "serve", "certs": "cluster"}  # to the requirements of each


def bill(image: str) -> str:
    """The bill of materials of one image, as JSON text."""
    made = subprocess.run(
        [
            *(python_of("supply"), "-m", "cyclonedx_py", "environment", python_of(IMAGES[image])),
            *("--pyproject", ROOT / "pyproject.toml", "--mc-type", "application"),
            *("--output-reproducible", "--output-format", "JSON", "--output-file", "-"),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    document: dict[str, Any] = json.loads(made.stdout)
    # pyproject.toml has the version from the code, where the tool does not look.
    document["metadata"]["component"]["version"] = __version__
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Writes both; returns the exit status."""
    folder = Path(arguments[0]) if arguments else ROOT / "dist"
    folder.mkdir(parents=True, exist_ok=True)
    for image in IMAGES:
        path = folder / f"sbom-{image}.cdx.json"
        path.write_text(bill(image))
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
