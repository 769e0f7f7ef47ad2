import pytest

from webhook.config.wording import dotted, printable, shown


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("profiles", "fast", "daemon", "mtu"), "profiles.fast.daemon.mtu"),
        (("containers", 0, "name"), "containers[0].name"),
        (("annotations", "dind.io/inject"), 'annotations["dind.io/inject"]'),
        (("a\nb",), r'["a\nb"]'),
        (("x" * 100,), f'["{"x" * 56}...]'),
    ],
)
def test_paths_are_written_with_dots_and_brackets(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1.5, "1.5"),
        ("a b", '"a b"'),
        ("é\u200b", r'"é\u200b"'),
        ({"a": 1}, "a mapping"),
        ([1], "a list"),
        ("x" * 100, f'"{"x" * 56}...'),
    ],
)
def test_values_are_shown_as_json_and_cut(value: object, text: str) -> None:
    assert shown(value) == text


def test_control_characters_are_escaped() -> None:
    assert printable("a\x1b[31m\u2028") == r"a\x1b[31m\u2028"
