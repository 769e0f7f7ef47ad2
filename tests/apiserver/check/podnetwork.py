"""Runs a program of ours where pods' addresses lead to the stand-in node, as a pod network would.

The API server accepts no endpoint on loopback, where the stand-in's pods listen. So they report
addresses of a range that exists for documentation only (RFC 5737).

    python podnetwork.py 127.77.200. dind-webhook check ...
"""

import socket
import sys
from collections.abc import Callable
from typing import Any

import certs.cli
import webhook.cli

_REPORTED = "192.0.2."
POD_IPS = _REPORTED + "{}"
_PROGRAMS = {"dind-webhook": webhook.cli.main, "dind-certs": certs.cli.main}

_connect = socket.create_connection


def _through(network: str) -> Callable[..., socket.socket]:
    def connect(address: tuple[str, int], *args: Any, **more: Any) -> socket.socket:
        host, port = address
        return _connect((host.replace(_REPORTED, network), port), *args, **more)

    return connect


if __name__ == "__main__":
    network, program, *arguments = sys.argv[1:]
    socket.create_connection = _through(network)
    _PROGRAMS[program](arguments, prog_name=program)
