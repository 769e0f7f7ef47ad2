"""What is compared: the echo, a handler in Go, the service, and the service less one part."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.without import PARTS
from webhook import __version__
from webhook.config import Config
from webhook.injection import sidecar

ECHO, GO, SERVICE = "echo", "Go", "service"
WITHOUT: Mapping[str, str] = {part: f"no {part}" for part in PARTS}  # names of the service less it
WITHOUT_POLICY = WITHOUT["policy"]
#: What a program without a part is compared with to learn the part's price.
WITH: Mapping[str, str] = dict.fromkeys(WITHOUT.values(), SERVICE) | {
    WITHOUT_POLICY: WITHOUT["memory"]
}

_MODULE = Path(__file__).parent / "go"
_BUILD = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w")


class NoHandler(Exception):  # noqa: N818 - what happened
    """There is no Go handler to compare with; the text says why, in one sentence."""


def commands(folder: Path, *, handler: Path | None) -> dict[str, Sequence[str]]:
    """All programs by name, in the order of their columns.

    Args:
        folder: of the certificate.
        handler: the Go handler, None to leave it out.
    """
    serve = [
        *("serve", "--tls-dir", str(folder), "--host", "127.0.0.1"),
        *("--port", "0", "--admin-port", "0", "--quiet-period", "0"),
    ]
    python = (sys.executable, "-m")
    go = {} if handler is None else {GO: [str(handler), str(folder)]}
    return {
        ECHO: [*python, "benchmarks.echo", str(folder)],
        **go,
        SERVICE: [*python, "webhook", *serve],
        **{name: [*python, "benchmarks.without", part, *serve] for part, name in WITHOUT.items()},
    }


def build_handler(folder: Path) -> Path:
    """Build the Go handler, and write down what it gives to pods.

    Go keeps what it compiled: the first build takes about a minute, later ones a second.

    Args:
        folder: gets both.

    Raises:
        NoHandler: there is no Go, or it refused.
    """
    if shutil.which("go") is None:
        raise NoHandler("Go is not on PATH, so the Go handler is left out.")
    program = folder / "go-handler"
    built = subprocess.run(
        ["go", "build", *_FLAGS, f"-o={program}", "."],
        cwd=_MODULE,
        env=os.environ | _BUILD,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        last = built.stderr.strip().rpartition("\n")[2]
        raise NoHandler(f"Go cannot build benchmarks/go, so it is left out: {last}")
    (folder / "sidecar.json").write_text(json.dumps(_gains()))
    return program


def _gains() -> dict[str, Any]:
    """What a pod gains under the built-in profile."""
    config = Config()
    profile = config.profiles[config.default_profile]
    socket, storage = sidecar.SOCKET_VOLUME, sidecar.STORAGE_VOLUME
    return {
        "version": __version__,
        "profile": config.default_profile,
        "sidecar": sidecar.container(
            profile, "/var/run", socket, storage, storage_is_limited=False
        ),
        "volumes": [
            json.loads(sidecar.encoded_socket_volume(socket)),
            json.loads(sidecar.encoded_storage_volume(storage, profile.storage)),
        ],
        "dockerHost": {"name": "DOCKER_HOST", "value": "unix:///var/run/docker.sock"},
        "group": profile.socket.gid,
    }
