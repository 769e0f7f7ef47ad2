"""The generated pages of docs/."""

from pathlib import Path

import pytest

from tools import docs
from webhook.injection import Reason
from webhook.injection.annotations import TABLE


def test_the_pages_say_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_page_is_named_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(docs, "DOCS", tmp_path)
    assert docs.main([]) == 0
    assert docs.main(["--check"]) == 0
    (tmp_path / "users/reasons.md").write_text("# Reasons\n")
    (tmp_path / "users/annotations.md").unlink()
    assert docs.main(["--check"]) == 1
    assert capsys.readouterr().err == (
        "docs/users/annotations.md, docs/users/reasons.md: not what the code says; "
        "run tools/docs.py\n"
    )


def test_every_annotation_and_reason_is_listed() -> None:
    annotations, reasons = "".join(docs.annotations()), "".join(docs.reasons())
    assert all(f"| `{row.key}` |" in annotations for row in TABLE)
    assert all(f"| `{reason.slug}` |" in reasons for reason in Reason)


@pytest.mark.parametrize(
    "row",
    [
        '| `defaultProfile` | The profile of pods that name none. | a string | `"default"` |',
        (
            "| `resources.limits.memory` | Bytes. Builds run within those of the sidecar. "
            '| a quantity of bytes (such as 512Mi or 4Gi) | `"4Gi"` |'
        ),
        (
            "| `daemon.defaultAddressPools[].size` | Prefix length of each subnet. "
            "| a whole number from 1 to 128 |  |"
        ),
    ],
    ids=["top level", "below two keys", "in a list"],
)
def test_a_key_is_listed_with_meaning_bounds_and_default(row: str) -> None:
    assert row in "\n".join(docs.configuration())


def test_unknown_options_exit_with_64() -> None:
    assert docs.main(["--chek"]) == 64
