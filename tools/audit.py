"""Asks whether anything that is pinned has a known vulnerability.

    python -m tools.audit [FLAG of pip-audit]...

The data are those of PyPI's own interface, by pip-audit, and need the Internet. The exit status
says what is known: 0 that there is none, 1 that there is one, 75 that the data cannot be had for
everything, so that nothing is known. 75 is for the caller to judge: it is no "all well".
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tools.environments import REQUIREMENTS, python_of

AUDITED = ("serve", "cluster", "build")  # what images hold, and what builds them
VULNERABLE = 1
UNKNOWN = os.EX_TEMPFAIL


class Verdict(NamedTuple):
    """What is known of one file: an exit status, and the lines that say it."""

    status: int
    lines: tuple[str, ...]


def verdict(name: str, report: Mapping[str, Any] | None) -> Verdict:
    """Judge a report.

    Args:
        name: of the requirements file.
        report: pip-audit's, as JSON data; None where it gave none.
    """
    file = f"requirements/{name}.txt"
    if report is None:
        return Verdict(UNKNOWN, (f"{file}: NOT AUDITED, pip-audit had no answer (see above)",))
    packages = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    lines = [
        f"{file}: {package['name']} {package['version']} has {found['id']}{_way_out(found)}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    status = VULNERABLE if lines else 0
    if skipped:
        some = f"{len(skipped)} of {len(packages)} packages: {', '.join(skipped)}"
        which = some if len(skipped) < len(packages) else f"any of its {len(packages)} packages"
        lines.append(f"{file}: NOT AUDITED, there are no data for {which}")
        status = status or UNKNOWN
    if not status:
        lines.append(f"{file}: {len(packages)} packages, no known vulnerability")
    return Verdict(status, tuple(lines))


def _way_out(found: Mapping[str, Any]) -> str:
    fixed = ", ".join(found["fix_versions"])
    return f", mended in {fixed}" if fixed else ", not mended yet"


def audit(name: str, flags: Sequence[str]) -> Verdict:
    """Ask about one file."""
    answer = subprocess.run(
        [
            *(python_of("supply"), "-m", "pip_audit", "-r", REQUIREMENTS / f"{name}.txt"),
            *("--require-hashes", "--disable-pip", "--no-deps", "--vulnerability-service", "pypi"),
            *("--format", "json", "--progress-spinner", "off", *flags),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    try:
        return verdict(name, json.loads(answer.stdout))
    except ValueError:
        sys.stderr.write(answer.stderr)
        return verdict(name, None)


def main(flags: Sequence[str]) -> int:
    """Asks about every file; returns the exit status."""
    verdicts = [audit(name, flags) for name in AUDITED]
    for each in verdicts:
        print(*each.lines, sep="\n")
    statuses = {each.status for each in verdicts}
    return VULNERABLE if VULNERABLE in statuses else max(statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
