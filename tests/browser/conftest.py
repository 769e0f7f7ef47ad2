"""Debian's Chromium, without a window."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from service.paging import RunningPage, running_page

from tools.chromium import find_chromium


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPage]:
    with running_page(tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Tests in containers run as root, where Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()
