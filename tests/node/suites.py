"""Jobs that run a suite of `clients/suites` with Docker's SDK or Testcontainers for Python."""

from pathlib import Path
from typing import Any

from node.images import PYTHON_CLIENTS
from node.injecting import MAKE_CONTEXT, job

SUITES = Path(__file__).parent / "clients/suites"
# The variables of each. Testcontainers' reaper is an image of its own, which users without a
# registry do without as well.
SETTINGS: dict[str, dict[str, str]] = {
    "docker_sdk": {},
    "testcontainers_suite": {"TESTCONTAINERS_RYUK_DISABLED": "true"},
}


def suite_job(suite: str) -> dict[str, Any]:
    """A pod whose output ends with `passed` if the suite does."""
    program = (SUITES / f"{suite}.py").read_text(encoding="utf-8")
    script = f"{MAKE_CONTEXT}python3 - <<'SUITE'\n{program}SUITE\necho passed"
    env = [{"name": name, "value": value} for name, value in SETTINGS[suite].items()]
    work = [{"name": "work", "mountPath": "/tmp/job"}]
    manifest = job("suite", script, image=PYTHON_CLIENTS, env=env, volumeMounts=work)
    manifest["spec"]["volumes"] = [{"name": "work", "emptyDir": {}}]
    return manifest
