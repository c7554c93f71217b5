"""What the scripts of pages do, in Chromium, with the sample cloud."""

import pathlib
import re

import pytest

from tests.dashboard.screens import CHROMIUM, Screens, View, screens

pytestmark = pytest.mark.skipif(not pathlib.Path(CHROMIUM).exists(), reason="needs Debian's chromium-headless-shell")


@pytest.fixture(scope="module")
def shown():
    with screens() as made:
        yield made


def test_a_stream_that_comes_back_asks_for_what_was_missed(shown: Screens):
    """Each stream ends at once here, as all do after some minutes, and the browser opens another."""
    shown.page.route("**/live/**", lambda route: route.fulfill(content_type="text/event-stream", body="retry: 50\n\n"))
    shown.open(View("/project/volumes/", rows=1))
    with shown.page.expect_request(lambda request: request.headers.get("hx-request") == "true", timeout=10_000) as asked:
        pass
    assert re.search(r"/project/volumes/\?$", asked.value.url)
    shown.page.unroute("**/live/**")


def test_changes_during_a_refresh_are_asked_for_once_more(shown: Screens):
    body = "retry: 60000\n\n" + "event: changed\ndata: volumes\n\n" * 50
    shown.page.route("**/live/**", lambda route: route.fulfill(content_type="text/event-stream", body=body))
    asked: list[str] = []
    shown.page.on("request", lambda request: asked.append(request.url) if "hx-request" in request.headers else None)
    shown.open(View("/project/volumes/", rows=1))
    shown.page.wait_for_function("() => !wanted && Date.now() - asked > 1500 && !document.querySelector('.htmx-request')")
    assert len(asked) in (2, 3)  # not once for each; the stream may have been read in two parts
    shown.page.unroute("**/live/**")


def test_a_menu_that_is_opened_during_a_refresh_stays_open(shown: Screens):
    page = shown.open(View("/project/instances/", rows=1))
    held: list = []
    page.route(lambda url: url.endswith("/project/instances/?"), lambda route: held.append(route))
    page.evaluate("() => refresh()")
    page.wait_for_function("() => document.querySelector('.htmx-request')")
    menu = page.locator("#listing details.menu").first
    menu.locator("summary").click()
    held[0].continue_()
    page.wait_for_function("() => !document.querySelector('.htmx-request')")
    assert menu.get_attribute("open") is not None and page.evaluate("() => wanted")
    page.unroute_all()


def test_charts_are_drawn_once_and_their_numbers_stay_open(shown: Screens):
    page = shown.open(View("/project/usage/", rows=1))
    assert page.locator("[data-charts] figure").count() == 4
    assert "at most" in (page.locator("[data-charts] [role=img]").first.get_attribute("aria-label") or "")
    page.get_by_text("Numbers", exact=True).click()
    page.evaluate("document.querySelector('[data-charts] figure').dataset.first = ''")
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_label("Page, name or id").wait_for()
    assert page.locator("details.numbers").get_attribute("open") is not None
    assert page.locator("[data-charts] figure[data-first]").count() == 1


def test_a_browser_that_fills_in_a_field_presses_no_key(shown: Screens):
    """Chromium then sends the event without a key."""
    page = shown.open(View("/project/volumes/", rows=1))
    page.evaluate("document.getElementById('q').dispatchEvent(new Event('keydown', { bubbles: true }))")
    assert not shown.complaints
