"""README and docs as a site."""

from pathlib import Path

import pytest

from tools import site

pytestmark = pytest.mark.environments


def test_site_has_every_page_and_no_broken_link(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert site.main([f"--output={tmp_path}"]) == 0, capfd.readouterr().err
    pages = [
        page.relative_to(site.ROOT) for pattern in site.PAGES for page in site.ROOT.glob(pattern)
    ]
    for page in pages:
        name = "index.html" if page.name == "README.md" else f"{page.stem}.html"
        assert (tmp_path / page.parent / name).exists(), page


REPOSITORY = "https://git.example.com/dind-webhook"
SCRIPT = f"{REPOSITORY}/blob/main/webhook/injection/dind-start.sh"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], "<code>dind-start.sh</code>"),
        ([f"--repository={REPOSITORY}"], f'<a href="{SCRIPT}"><code>dind-start.sh</code></a>'),
    ],
    ids=["no repository", "repository"],
)
def test_links_to_code_lead_to_the_repository(
    tmp_path: Path, flags: list[str], expected: str
) -> None:
    assert site.main([f"--output={tmp_path}", *flags]) == 0
    assert expected in (tmp_path / "docs/users/sidecar.html").read_text()
