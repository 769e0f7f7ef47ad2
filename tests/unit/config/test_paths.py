"""Paths in containers, as the kernel would see them."""

import pytest

from webhook.config.paths import is_clear_of, is_within, normal, real


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/run", "/var/run"),
        ("/var/run/", "/var/run"),
        ("//var///run//", "/var/run"),
        ("/var/./run", "/var/run"),
        ("/var/lib/../run", "/var/run"),
        ("/../../var/run", "/var/run"),
        ("var/run", "/var/run"),
        ("/", "/"),
        ("", "/"),
    ],
)
def test_paths_are_normalised(path: str, expected: str) -> None:
    assert normal(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/run", "/var/run"),
        ("/run/", "/var/run"),
        ("/run/docker.sock", "/var/run/docker.sock"),
        ("/running", "/running"),
        ("/srv/run", "/srv/run"),
    ],
)
def test_run_is_written_as_var_run(path: str, expected: str) -> None:
    assert real(path) == expected


@pytest.mark.parametrize(
    ("path", "directory", "within"),
    [
        ("/var/run", "/var/run", True),
        ("/var/run/x", "/var/run", True),
        ("/var/runner", "/var/run", False),
        ("/var", "/var/run", False),
        ("/anything", "/", True),
    ],
)
def test_within_is_the_directory_or_below_it(path: str, directory: str, within: bool) -> None:
    assert is_within(path, directory) is within


def test_clear_of_is_neither_above_nor_below_the_directory() -> None:
    assert is_clear_of("/work", ("/var/run", "/usr"))
    assert not is_clear_of("/var", ("/var/run", "/usr"))
    assert not is_clear_of("/usr/src", ("/var/run", "/usr"))
