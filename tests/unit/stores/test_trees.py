"""Trees that jobs wrote: measured and removed whatever they hold, without following links."""

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from unit.stores.making import names

from webhook.stores import tree
from webhook.stores.tree import Size

LEVELS = 3000  # a path of this many levels is longer than PATH_MAX


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def measured(path: Path) -> Size:
    with opened(path) as directory:
        steps = tree.measure(directory)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                size: Size = end.value
                return size


def removed(path: Path, is_late: Callable[[], bool] = lambda: False) -> bool:
    with opened(path) as directory:
        return tree.remove_content(directory, is_late)


def make_deep(path: Path, levels: int = LEVELS) -> None:
    directory = os.open(path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deep", dir_fd=directory)
        below = os.open("deep", os.O_RDONLY, dir_fd=directory)
        os.close(directory)
        directory = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=directory))
    os.close(directory)


@pytest.mark.usefixtures("few_descriptors")
def test_deep_trees_are_removed_with_few_descriptors(tmp_path: Path) -> None:
    make_deep(tmp_path)
    assert removed(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.usefixtures("few_descriptors")
def test_deep_trees_are_measured_in_part_and_count_as_too_large(tmp_path: Path) -> None:
    make_deep(tmp_path)
    size = measured(tmp_path)
    removed(tmp_path)
    assert not size.is_complete
    assert size.exceeds(2**60)


def test_depth_of_ordinary_trees_is_no_problem(tmp_path: Path) -> None:
    make_deep(tmp_path, 400)
    size = measured(tmp_path)
    removed(tmp_path)
    assert size.is_complete


def test_what_links_point_to_stays_and_is_not_measured(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "file").write_bytes(b"x" * 100_000)
    (inside / "directory").symlink_to(outside)
    (inside / "file").symlink_to(outside / "file")
    (inside / "up").symlink_to(tmp_path)

    assert measured(inside).bytes < 100_000
    assert removed(inside)
    assert names(inside) == []
    assert names(outside) == ["file"]


def test_special_files_and_names_that_are_not_text_are_removed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
    below = os.path.join(os.fsencode(tmp_path), b"\xff\n\xfe")  # noqa: PTH118 - bytes
    os.mkdir(below)  # noqa: PTH102 - bytes
    os.close(os.open(os.path.join(below, b"\xfd"), os.O_CREAT | os.O_WRONLY))  # noqa: PTH118
    (tmp_path / "private").mkdir(mode=0)

    assert measured(tmp_path).is_complete
    assert removed(tmp_path)
    assert names(tmp_path) == []


def test_allocated_blocks_count_and_holes_do_not(tmp_path: Path) -> None:
    empty = measured(tmp_path).bytes
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**40)
    assert measured(tmp_path).bytes == empty
    (tmp_path / "file").write_bytes(b"x" * 2**20)
    assert 2**20 <= measured(tmp_path).bytes - empty < 2**21


def test_files_with_several_links_count_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 2**20)
    once = measured(tmp_path).bytes
    for number in range(3):
        os.link(tmp_path / "file", tmp_path / f"link{number}")
    assert measured(tmp_path).bytes == once


def test_sizes_are_those_of_du(tmp_path: Path) -> None:
    for number in range(50):
        below = tmp_path / str(number % 7) / str(number)
        below.mkdir(parents=True)
        (below / "file").write_bytes(b"x" * number * 1000)
    told = subprocess.run(
        ["du", "-s", "-B1", *sorted(tmp_path.iterdir())], capture_output=True, text=True, check=True
    ).stdout
    assert measured(tmp_path).bytes == sum(int(line.split()[0]) for line in told.splitlines())


def test_large_trees_are_measured_in_steps(tmp_path: Path) -> None:
    for number in range(tree.FILES_PER_STEP * 2):
        (tmp_path / str(number)).touch()
    with opened(tmp_path) as directory:
        assert len(list(tree.measure(directory))) == 2


def test_trees_with_too_many_files_count_as_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MOST_FILES", 10)
    for number in range(11):
        (tmp_path / str(number)).touch()
    assert measured(tmp_path).exceeds(2**60)


def test_abandoned_measurements_close_their_descriptors(tmp_path: Path) -> None:
    for number in range(tree.FILES_PER_STEP):
        (tmp_path / str(number)).touch()
    before = len(names(Path("/proc/self/fd")))
    with opened(tmp_path) as directory:
        steps = tree.measure(directory)
        next(steps)
        steps.close()
    assert len(names(Path("/proc/self/fd"))) == before


def test_removal_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    for number in range(20):
        below = tmp_path / "a" / str(number) / "b"
        below.mkdir(parents=True)
        (below / "file").touch()
    for steps in (1, 2, 5, 10):
        answers = iter([False] * steps)
        assert not removed(tmp_path, lambda answers=answers: next(answers, True))  # type: ignore[misc]
    assert removed(tmp_path)
    assert names(tmp_path) == []


REMOVE = """
import os, sys
from webhook.stores import tree
directory = os.open(sys.argv[1], os.O_RDONLY)
try:
    tree.remove_content(directory, lambda: False)
except OSError as error:
    print(error.strerror)
"""


def removed_by_root(path: Path, *wrapper: str) -> str:
    """Removes a tree in a process of root, if need be only of a user namespace; its output."""
    user = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    done = subprocess.run(
        [*user, *wrapper, sys.executable, "-c", REMOVE, path],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_other_file_systems_stay_and_do_not_keep_the_rest(tmp_path: Path) -> None:
    """The process has mounted one in a mount namespace of its own, and looks into it."""
    for name in ("a", "other", "z"):
        (tmp_path / name / "below").mkdir(parents=True)
    mount = f"cd {tmp_path} && mount -t tmpfs none other && touch other/file"
    script = f'{mount} && "$@" && ls {tmp_path}/other'
    answer = removed_by_root(tmp_path, "unshare", "--mount", "sh", "-c", script, "sh")
    assert answer == "Device or resource busy\nfile\n"
    assert names(tmp_path) == ["other"]


def test_two_capabilities_are_enough(tmp_path: Path) -> None:
    """Those of the chart's container, for files of other users."""
    for mode in (0o000, 0o1777, 0o555):
        below = tmp_path / oct(mode) / "directory"
        (below / "below").mkdir(parents=True)
        (below / "file").touch()
        for path in (below / "file", below / "below", below, below.parent):
            if os.geteuid() == 0:
                os.chown(path, 1000, 1000)
            path.chmod(mode)
    none = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]
    assert removed_by_root(tmp_path, *none) == "Permission denied\n"
    both = ["setpriv", "--inh-caps=-all", "--bounding-set=-all,+dac_override,+fowner"]
    assert removed_by_root(tmp_path, *both) == ""
    assert names(tmp_path) == []
