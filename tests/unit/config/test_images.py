"""Image references, and the patterns of the policy for them."""

import re
from collections.abc import Iterator

import pytest

from webhook.config.image import LONGEST, REFERENCE_PATTERN, is_allowed, parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "text",
    [
        "docker",
        "docker:29-dind",
        "library/docker:29-dind",
        "registry.example/team/dind:29",
        "registry.example:5000/team/dind:29",
        "localhost:5000/dind",
        "REGISTRY.example/dind:V1.0_rc-1",
        f"docker@{DIGEST}",
        f"registry.example/team/dind:29@{DIGEST}",
        "my-team/my__image.name:x",
    ],
)
def test_valid_references_are_returned_unchanged(text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Docker",
        "docker:",
        "docker:29 dind",
        "docker:29-dind\n",
        "docker:29-dind\nprivileged",
        "docker@sha256:abc",
        "/docker",
        "docker/",
        "a//b",
        "https://registry.example/docker",
        "docker:" + "a" * 129,
        "a" * (LONGEST + 1),
        "dócker",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_invalid_references_are_rejected_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not an image reference \(such as docker:29-dind\)$"):
        parse(text)


@pytest.mark.parametrize(
    ("pattern", "text", "allowed"),
    [
        ("docker:29-dind", "docker:29-dind", True),
        ("docker:29-dind", "docker:29-dind-rootless", False),
        ("docker:29-dind", "evil/docker:29-dind", False),
        ("docker:*-dind", "docker:29-dind", True),
        ("docker:*-dind", "docker:29/x-dind", False),
        ("registry.example/*", "registry.example/dind:29", True),
        ("registry.example/*", "registry.example/anybody/dind:29", False),
        ("registry.example/*", "registryXexample/dind:29", False),
        ("registry.example/**", "registry.example/anybody/dind:29", True),
        ("registry.example/**", "registry.example.evil/dind:29", False),
        ("registry.example/*/dind:*", f"registry.example/team/dind:29@{DIGEST}", True),
        (f"docker@{DIGEST}", f"docker@{DIGEST}", True),
        ("*", "docker:29-dind", True),
        ("*", "library/docker:29-dind", False),
        ("**", "registry.example:5000/a/b/c:d", True),
        ("docker:[0-9]*", "docker:29", False),
        ("(docker|x):29", "docker:29", False),
    ],
)
def test_patterns_match_whole_references(pattern: str, text: str, allowed: bool) -> None:
    assert is_allowed(text, [pattern]) is allowed


def test_one_matching_pattern_is_enough() -> None:
    assert not is_allowed("docker", [])
    assert is_allowed("docker", ["podman", "docker"])


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("**a" * 200 + "b", "a" * LONGEST),
        ("*a" * 200 + "b", "a" * LONGEST),
        ("*" * 401 + "b", "a" * LONGEST),
        ("**/*a" * 100 + "**b", "a/" * (LONGEST // 2)),
    ],
    ids=["double", "single", "stars", "parts"],
)
def test_patterns_with_many_wildcards_do_not_backtrack(pattern: str, text: str) -> None:
    """With backtracking this would take longer than anyone waits: its steps are exponential."""
    assert not is_allowed(text, [pattern])
    assert is_allowed(text + "b", [pattern])


def test_each_character_is_read_once() -> None:
    read = []

    class CountingText(str):
        __slots__ = ()

        def __iter__(self) -> Iterator[str]:
            for character in super().__iter__():
                read.append(character)
                yield character

    assert not is_allowed(CountingText("a" * LONGEST), ["**a" * 50 + "b"])
    assert len(read) == LONGEST


@pytest.mark.parametrize(
    "text",
    ["a" * LONGEST + "!", "a-" * 250 + "!", "a/" * 250 + "!", "a." * 250 + "/!", "a:" * 250],
    ids=["letters", "dashes", "parts", "host", "tags"],
)
def test_long_invalid_references_do_not_backtrack(text: str) -> None:
    """The pattern itself is tried on much longer texts than `parse` accepts."""
    assert re.match(REFERENCE_PATTERN, text * 100) is None
