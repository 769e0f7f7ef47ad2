"""cgroups.sh, with files in place of the kernel's, and what is made of its output."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from shells import NAMES, Shell, opened

from webhook.cli.inside.cgroups import SCRIPT, Cgroups, parse

CONTAINER = "b88e9e0d0e460f84ef22694ac78c64036d777eab39ea7240dcec83e82d20f5e3"
STEP = "rl2bhb9fwr0cozxd5q3zy5akp"
SIDECAR = (
    "/kubepods/burstable/pod1/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)
MEBIBYTE = 1 << 20


@pytest.fixture(params=NAMES)
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    with opened(request.param) as shell:
        # Between the samples, every cgroup with a file `more` uses what is in it.
        (shell.path / "sleep").unlink()
        shell.add(
            "sleep",
            f"""#!/bin/sh
find {shell.path}/cgroup -name more | while read -r more; do
  for file in "${{more%more}}cpu.stat" "${{more%more}}cpuacct.usage"; do
    [ ! -e "$file" ] || cat "$more" >"$file"
  done
done
echo 101.50 9 >{shell.path}/proc/uptime
""",
        )
        write(shell.path / "proc/uptime", "100.00 9\n")
        yield shell


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def measure(shell: Shell) -> Cgroups:
    return parse(run(shell).stdout)


def run(shell: Shell) -> "subprocess.CompletedProcess[bytes]":
    script = SCRIPT.replace("/sys/fs/cgroup", f"{shell.path}/cgroup")
    script = script.replace("/proc/", f"{shell.path}/proc/")
    return subprocess.run(
        [*shell.command, "-c", script],
        env={"PATH": str(shell.path)},
        capture_output=True,
        check=False,
        timeout=60,
    )


def write_version_2(root: Path, path: str, microseconds: int, more: int) -> None:
    """Writes a cgroup that uses a MiB, and as much page cache."""
    group = root / path
    content = "usage_usec {}\nuser_usec 1\nsystem_usec 2\nnr_periods 3\n"
    write(group / "cpu.stat", content.format(microseconds))
    write(group / "more", content.format(microseconds + more))
    write(group / "memory.current", f"{2 * MEBIBYTE}\n")
    write(group / "memory.stat", f"anon 5\ninactive_file {MEBIBYTE}\nactive_file 6\n")
    write(group / "cgroup.procs", "")


def write_processes(shell: Shell, group: Path) -> None:
    write(group / "cgroup.procs", "42\n43\n")
    write(shell.path / "proc/42/cmdline", "/bin/sh\0-c\0make\nall:cpu.stat\0")


@pytest.mark.parametrize(
    ("own", "root"),
    [
        (f"{SIDECAR}/init", SIDECAR.removeprefix("/")),
        ("/init", ""),
        ("/", ""),
        (f"{SIDECAR}/init", ""),
        ("/../..", ""),
    ],
    ids=[
        *("tree of the node", "cgroup namespace", "its root", "mounted at its own cgroup"),
        "outside the cgroup namespace",
    ],
)
def test_figures_on_cgroup_version_2(shell: Shell, own: str, root: str) -> None:
    tree = shell.path / "cgroup"
    write(tree / "cgroup.controllers", "cpu memory\n")
    write(shell.path / "proc/self/cgroup", f"0::{own}\n")
    group = tree / root
    write_version_2(group, "", 9_000_000, 3_000_000)
    write_version_2(group, "init", 1, 1)
    write_version_2(group, f"docker/{CONTAINER}", 5_000_000, 1_500_000)
    write_version_2(group, f"docker/{CONTAINER}/app.slice", 5_000_000, 1_500_000)
    write_version_2(group, f"docker/buildkit/{STEP}", 1_000_000, 750_000)
    write_processes(shell, group / f"docker/buildkit/{STEP}")

    found = measure(shell)
    assert found.sidecar.cpu == pytest.approx(2)
    assert found.sidecar.memory == MEBIBYTE
    assert list(found.containers) == [CONTAINER]
    assert found.containers[CONTAINER].cpu == pytest.approx(1)
    assert found.build_steps[STEP].cpu == pytest.approx(0.5)
    assert found.build_steps[STEP].memory == MEBIBYTE
    assert found.build_steps[STEP].command == "/bin/sh -c make all:cpu.stat"


@pytest.mark.parametrize("controllers", ["cpuacct", "cpu,cpuacct", "cpuacct,cpu"])
@pytest.mark.parametrize(
    "root",
    ["", SIDECAR.removeprefix("/")],
    ids=["mounted at its own cgroup", "tree of the node"],
)
def test_figures_on_cgroup_version_1(shell: Shell, controllers: str, root: str) -> None:
    tree = shell.path / "cgroup"
    write(
        shell.path / "proc/self/cgroup",
        f"9:cpuset:/wrong\n3:{controllers}:{SIDECAR}\n2:memory:{SIDECAR}\n0::/wrong\n",
    )
    for path, seconds in (("", 3), (f"docker/{CONTAINER}", 1)):
        group = tree / "cpuacct" / root / path
        write(group / "cpuacct.usage", "1000000000\n")
        write(group / "more", f"{1_000_000_000 + seconds * 1_500_000_000}\n")
        memory = tree / "memory" / root / path
        write(memory / "memory.usage_in_bytes", f"{3 * MEBIBYTE}\n")
        cache = f"inactive_file 0\ntotal_inactive_file {MEBIBYTE}\n"
        write(memory / "memory.stat", cache)
    step = tree / "cpuacct" / root / f"docker/buildkit/{STEP}"
    write(step / "cpuacct.usage", "7\n")
    write_processes(shell, step)

    found = measure(shell)
    assert found.sidecar.cpu == pytest.approx(3)
    assert found.containers[CONTAINER].cpu == pytest.approx(1)
    assert found.containers[CONTAINER].memory == 2 * MEBIBYTE
    assert found.build_steps[STEP].memory is None
    assert found.build_steps[STEP].command == "/bin/sh -c make all:cpu.stat"


def test_a_cgroup_that_begins_between_the_samples_counts_from_zero() -> None:
    found = parse(
        b"uptime 1.00\n./cpu.stat:usage_usec 0\n"
        b"uptime 2.00\n./cpu.stat:usage_usec 5\n"
        + f"./docker/{CONTAINER}/cpu.stat:usage_usec 250000\n".encode()
    )
    assert found.containers[CONTAINER].cpu == pytest.approx(0.25)


def test_a_cgroup_that_has_never_had_a_process_is_not_a_container() -> None:
    """dind-start.sh makes the path of the sidecar's own cgroup below it."""
    found = parse(
        b"uptime 1.00\n./cpu.stat:usage_usec 0\n"
        b"uptime 2.00\n./cpu.stat:usage_usec 5\n"
        + f".{SIDECAR}/cpu.stat:usage_usec 0\n.{SIDECAR}/memory.current:0\n".encode()
    )
    assert found.containers == {}


def test_a_missing_program_is_named() -> None:
    with opened("dash") as shell:
        (shell.path / "find").unlink()
        (shell.path / "head").unlink()
        result = run(shell)
    assert result.returncode == 127
    assert result.stderr == b"not in the image: find head\n"


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"<html>",
        b"uptime 2.00\n./cpu.stat:usage_usec 0\nuptime 2.00\n./cpu.stat:usage_usec 0\n",
        b"uptime 1.00\nuptime 2.00\n./cpu.stat:usage_usec " + b"9" * 10_000,
    ],
    ids=["empty", "other text", "the same time", "a long number"],
)
def test_other_output_is_an_error(output: bytes) -> None:
    with pytest.raises(ValueError, match=r"there are not two samples|is missing"):
        parse(output)


@pytest.mark.parametrize("later", ["0." + "0" * 310 + "1", "9" * 400 + ".00"], ids=["tiny", "huge"])
def test_impossible_times_are_no_samples(later: str) -> None:
    """A rate of infinity is no JSON."""
    first, second = "./cpu.stat:usage_usec 0", "./cpu.stat:usage_usec 99999999999999999999"
    output = f"uptime 0.00\n{first}\nuptime {later}\n{second}\n"

    with pytest.raises(ValueError, match="two samples"):
        parse(output.encode())
