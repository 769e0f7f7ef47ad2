"""Checks the pinned packages for known vulnerabilities.

    python -m tools.audit [FLAG of pip-audit]...

pip-audit asks PyPI's JSON API, which needs the Internet. Exit status: 0 no known vulnerability,
1 at least one, 75 no data for some packages, so that nothing can be said about them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tools.environments import REQUIREMENTS, python_of

AUDITED = ("runtime", "build")  # the packages of the image, and those that build it
VULNERABLE = 1
UNKNOWN = os.EX_TEMPFAIL


class Verdict(NamedTuple):
    """The result for one file: an exit status and its lines of text."""

    status: int
    lines: tuple[str, ...]


def verdict(name: str, report: Mapping[str, Any] | None) -> Verdict:
    """Returns the result for a requirements file.

    Args:
        name: the file's name without its suffix.
        report: pip-audit's JSON report; None if pip-audit failed.
    """
    file = f"requirements/{name}.txt"
    if report is None:
        return Verdict(UNKNOWN, (f"{file}: NOT AUDITED, pip-audit failed (see above)",))
    packages = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    lines = [
        f"{file}: {package['name']} {package['version']} has {found['id']}{_fix(found)}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    status = VULNERABLE if lines else 0
    if skipped:
        names = f": {', '.join(skipped)}" if len(skipped) < len(packages) else ""
        lines.append(
            f"{file}: NOT AUDITED, no data for {len(skipped)} of {len(packages)} packages{names}"
        )
        status = status or UNKNOWN
    if not status:
        lines.append(f"{file}: {len(packages)} packages, no known vulnerability")
    return Verdict(status, tuple(lines))


def _fix(found: Mapping[str, Any]) -> str:
    versions = ", ".join(found["fix_versions"])
    return f", fixed in {versions}" if versions else ", no fixed version"


def audit(name: str, flags: Sequence[str]) -> Verdict:
    """Runs pip-audit for one requirements file."""
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
    """Audits every file; returns the exit status."""
    verdicts = [audit(name, flags) for name in AUDITED]
    for each in verdicts:
        print(*each.lines, sep="\n")
    statuses = {each.status for each in verdicts}
    return VULNERABLE if VULNERABLE in statuses else max(statuses)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
