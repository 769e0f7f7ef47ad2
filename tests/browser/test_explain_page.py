"""The explain page in Chromium: light and dark, on a phone, by keyboard, and for screen readers."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from cli.running import POD
from kube.waiting import until
from playwright.sync_api import Browser, Page, expect
from service.paging import RunningPage

pytestmark = pytest.mark.browser

Open = Callable[..., Page]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

PLAIN_POD = POD.replace('  annotations:\n    dind.io/inject: "true"\n', "")
DENIED_POD = POD.replace("annotations:", "annotations:\n    dind.io/profile: large")
TEXTS = {
    "form": None,
    "injected": POD,
    "skipped": PLAIN_POD,
    "denied": DENIED_POD,
    "several": f"{POD}---\n{DENIED_POD}---\n{PLAIN_POD}---\napiVersion: v1\nkind: Service\n",
    "long-lines": POD.replace("docker:29-cli", "registry.example.com/" + "a" * 300),
    "error": POD.replace("  name:", "   name:") + "{{ .Values.more }}" + "x" * 300 + "\n",
}


@pytest.fixture
def open_page(site: RunningPage, chromium: Browser) -> Iterator[Open]:
    """Open the page in a window; fails if the page breaks its own policy."""
    contexts, complaints = [], list[str]()

    def open_page(scheme: Literal["light", "dark"] = "light", width: int = 1200) -> Page:
        context = chromium.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 800}
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(site.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # Chromium reports each response with an error status.
    assert [text for text in complaints if "status of 4" not in text] == []


def explain(page: Page, text: str | None) -> None:
    if text is not None:
        page.get_by_label("Pod or workload").fill(text)
        page.get_by_role("button", name="Explain").click()
        page.wait_for_load_state()


def violations(page: Page) -> list[Any]:
    found: list[Any] = Axe().run(page).response["violations"]
    return [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found]


@pytest.mark.parametrize("name", TEXTS)
def test_pages_are_accessible_and_fit_the_window(open_page: Open, name: str) -> None:
    page = open_page()
    explain(page, TEXTS[name])
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for scheme in SCHEMES:
        for width in (1200, 360):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})

            assert violations(page) == [], (scheme, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, scheme


def test_dark_pages_are_dark(open_page: Open) -> None:
    light, dark = (
        open_page(scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in SCHEMES
    )
    brightness = [sum(map(int, re.findall(r"\d+", colour))) for colour in (light, dark)]
    assert brightness[0] > 700
    assert brightness[1] < 150


def test_the_page_works_by_keyboard_alone(open_page: Open) -> None:
    page = open_page()
    focused = page.locator(":focus")

    page.keyboard.press("Tab")
    expect(focused).to_have_attribute("name", "manifest")
    page.keyboard.insert_text(PLAIN_POD)
    page.keyboard.press("Tab")
    expect(focused).to_have_attribute("value", "unset")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("value", "true")
    page.keyboard.press("Tab")
    expect(focused).to_have_attribute("name", "namespace")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Explain")
    assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
    page.keyboard.press("Enter")

    expect(page).to_have_title("Injected - Does my pod get Docker?")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Checks")
    page.keyboard.press("Enter")
    expect(page.get_by_role("table")).to_be_hidden()
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Changes to the YAML")
    page.keyboard.press("Tab")
    expect(focused).to_have_class("diff")
    page.keyboard.press("End")
    # Playwright's own wait needs eval, which the page's policy forbids.
    until(lambda: bool(focused.evaluate("element => element.scrollTop > 0")), "the diff to scroll")


def test_the_result_comes_first_and_the_text_stays(open_page: Open) -> None:
    page = open_page()
    explain(page, DENIED_POD)

    expect(page).to_have_title("Denied - Does my pod get Docker?")
    expect(page.get_by_role("heading", level=2).first).to_have_text("Denied pod/clean-ci")
    expect(page.get_by_role("heading", level=2).first).to_be_in_viewport()
    expect(page.get_by_label("Pod or workload")).to_have_value(DENIED_POD)


def test_errors_are_described_beside_the_text(open_page: Open) -> None:
    page = open_page("light", 360)
    explain(page, TEXTS["error"])

    field = page.get_by_label("Pod or workload")
    expect(field).to_have_accessible_description(re.compile("line 5, column"))
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value(str(TEXTS["error"]))


def test_large_texts_get_an_error_page(open_page: Open) -> None:
    page = open_page()
    # Typing 10 MB takes long.
    page.evaluate("document.querySelector('textarea').value = 'x'.repeat(10_000_000)")
    page.get_by_role("button", name="Explain").click()

    expect(page.get_by_role("alert")).to_contain_text("The text is too large", timeout=60_000)


def test_pasted_markup_is_text(open_page: Open) -> None:
    page = open_page()
    hostile = "</textarea><script>document.title='owned'</script><b id=b>"
    explain(page, POD.replace("clean-ci", f'"{hostile}"'))

    expect(page.locator("#b")).to_have_count(0)
    expect(page).to_have_title(re.compile("^Injected"))
    expect(page.get_by_role("heading", level=2).first).to_contain_text(hostile)
