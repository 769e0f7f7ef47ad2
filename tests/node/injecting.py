"""Injected pods, made by `dind-webhook inject`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cli.running import run
from node.images import CLI, STATIC_BUSYBOX
from node.pods import pod

# A build context: an image FROM scratch with the programs that the jobs here run in it.
MAKE_CONTEXT = f"""
set -eu
mkdir -p /tmp/job && cd /tmp/job
cp {STATIC_BUSYBOX} busybox
cat >Dockerfile <<'END'
FROM scratch
COPY busybox /bin/busybox
COPY busybox /bin/sh
COPY busybox /bin/cat
COPY busybox /bin/ip
COPY busybox /bin/tail
COPY busybox /bin/sleep
RUN echo a build step ran >/said
END
"""
MAKE_IMAGE = f"{MAKE_CONTEXT}docker build --quiet --tag made . >/dev/null\n"


def job(name: str, script: str, **container: Any) -> dict[str, Any]:
    """A pod that opts in; its only container has the docker command and runs a script."""
    runs = {"name": "job", "image": CLI, "command": ["sh", "-c", script], **container}
    manifest = pod(name, runs)
    manifest["metadata"]["annotations"] = {"dind.io/inject": "true"}
    return manifest


def injected(manifest: Mapping[str, Any], config: Path | None = None) -> dict[str, Any]:
    """The pod after injection.

    Args:
        manifest: the pod before.
        config: the configuration file; None: the defaults.
    """
    options = [] if config is None else [f"--config={config}"]
    result = run("inject", "-f", "-", "-o", "json", *options, stdin=json.dumps(manifest))
    assert result.exit_code == 0, result.stderr
    made: dict[str, Any] = json.loads(result.stdout)
    return made
