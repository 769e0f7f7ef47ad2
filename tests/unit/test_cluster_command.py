"""`make cluster` on a machine that lacks what it needs."""

from pathlib import Path

import pytest
from node import __main__ as command

from tools.build import ToolMissing


def test_a_missing_debian_package_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def missing() -> None:
        raise ToolMissing("programs are missing; run: apt-get install iproute2")

    monkeypatch.setattr(command, "_STATE", tmp_path)
    monkeypatch.setattr(command, "_NOTE", tmp_path / "running.json")
    monkeypatch.setattr(command, "Cluster", missing)

    assert command.up() == 1
    assert capsys.readouterr() == ("", "programs are missing; run: apt-get install iproute2\n")
