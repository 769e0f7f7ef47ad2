"""Runs the command: in this process, or as the installed program."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import TypeVar

import msgspec
from click.testing import CliRunner, Result

from webhook.cli import main

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: clean-ci
  annotations:
    dind.io/inject: "true"
spec:
  containers:
  - name: build
    image: docker:29-cli
"""
Output = TypeVar("Output", bound=msgspec.Struct)
PROGRAMS = Path(sysconfig.get_path("scripts"))


def run(*arguments: str | Path, stdin: str | bytes = "") -> Result:
    """Run the command in this process."""
    words = [str(argument) for argument in arguments]
    return CliRunner().invoke(main, words, input=stdin, prog_name="dind-webhook")


def run_installed(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run an installed program in a process of its own."""
    return subprocess.run(
        [PROGRAMS / program, *arguments],
        input=POD,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "100"},
    )


def decoded(text: str | bytes, kind: type[Output]) -> Output:
    """The output, which has the fields of its type and no others."""
    output = msgspec.json.decode(text, type=kind)
    assert msgspec.json.decode(msgspec.json.encode(output)) == json.loads(text)
    return output
