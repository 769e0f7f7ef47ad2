"""Image references, and the operator's patterns for them."""

import pytest

from webhook.config.image import LONGEST, is_allowed, parse

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
def test_a_reference_is_kept_as_it_was_written(text: str) -> None:
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
def test_what_is_no_reference_is_refused_with_an_example(text: str) -> None:
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
def test_a_pattern_allows_exactly_what_it_spells(pattern: str, text: str, allowed: bool) -> None:
    assert is_allowed(text, [pattern]) is allowed


def test_no_pattern_allows_nothing_and_one_of_several_is_enough() -> None:
    assert not is_allowed("docker", [])
    assert is_allowed("docker", ["podman", "docker"])
