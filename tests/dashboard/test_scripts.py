"""What the scripts of pages do, in Chromium, with the sample cloud."""

import pathlib
import re

import pytest

from common import errors
from dashboard.panels import PANELS
from tests.dashboard.sample import first
from tests.dashboard.screens import CHROMIUM, MOST_SHIFT, Screens, View, screens

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


def drop(page, items: str) -> None:
    """Drop something on the form for uploads. ``items``: script that puts it into ``dropped``, a ``DataTransfer``."""
    page.evaluate(f"""() => {{
        const dropped = new DataTransfer();
        {items};
        document.querySelector("#f-name").dispatchEvent(
            new DragEvent("drop", {{ dataTransfer: dropped, bubbles: true, cancelable: true }}));
    }}""")


def test_a_file_is_dropped_on_the_upload_and_kept_when_that_fails(shown: Screens):
    """Its name says what the image is called and its format; what was typed and the file stay, whatever fails."""
    page, where = shown.open(View("/project/images/upload/")), "**/project/images/upload/"
    drop(page, "dropped.items.add(new File(['x'.repeat(100000)], 'my.disk.vmdk'))")
    assert page.input_value("#f-name") == "my.disk" and page.input_value("#f-disk_format") == "vmdk"
    page.fill("#f-min_ram", "17")

    def send(text: str) -> tuple[str, str, int]:
        """What is said then, and what the form has: its minimum of RAM, and the number of files."""
        page.get_by_role("main").get_by_role("button", name="Upload").click()
        page.get_by_role("main").get_by_text(text).wait_for()
        return page.input_value("#f-min_ram"), page.input_value("#f-name"), page.evaluate(
            "document.querySelector('#f-file').files.length")
    page.route(where, lambda route: route.abort())
    assert send("and nothing was stored") == ("17", "my.disk", 1)
    assert page.locator("progress.upload").is_hidden()
    page.unroute(where)
    page.route(where, lambda route: route.fulfill(status=502, content_type="text/html", body="<p>Bad gateway</p>"))
    assert send("and nothing was stored") == ("17", "my.disk", 1)
    page.unroute(where)
    shown.dashboard.apis.changed = lambda answer: errors.ServiceUnavailable("The image service does not respond.")
    assert send("The image service does not respond.") == ("17", "my.disk", 1)
    assert page.locator("#again").is_hidden() and page.locator("[data-stopped]").is_hidden()
    shown.dashboard.apis.changed = lambda answer: answer
    page.get_by_role("main").get_by_role("button", name="Upload").click()
    page.get_by_text("my.disk was uploaded").wait_for()
    shown.complaints.clear()  # of htmx, about the failures that were meant


def test_two_files_or_a_text_are_not_an_image(shown: Screens):
    page = shown.open(View("/project/images/upload/"))
    for items in ("dropped.items.add(new File(['x'], 'a')); dropped.items.add(new File(['x'], 'b'))",
                  "dropped.setData('text/plain', 'x')"):
        drop(page, items)
        assert page.evaluate("document.querySelector('#f-file').files.length") == 0
    assert not shown.complaints


def test_a_log_is_followed_until_somebody_reads_in_it(shown: Screens):
    """Its end stays in sight; a text that somebody marks, or scrolls back to, is not taken away."""
    lines = ["line"] * 100

    def answer(found):
        return {**found, "output": "\n".join(lines)} if isinstance(found, dict) and "output" in found else found
    page = shown.open(View(f"{PANELS[0].path}/{first(PANELS[0])}/?tab=log&follow=1", rows=1, changed=answer))
    distance = "(log => log.scrollHeight - log.clientHeight - log.scrollTop)(document.querySelector('[data-follow]'))"
    assert page.evaluate(distance) < 5
    lines += ["something new"] * 50
    page.get_by_text("something new").first.wait_for()
    assert page.evaluate(distance) < 5
    page.evaluate("document.querySelector('[data-follow]').scrollTop = 0")
    lines.append("the newest")
    page.get_by_text("the newest").wait_for()
    assert page.evaluate(distance) > 100
    page.evaluate("getSelection().selectAllChildren(document.querySelector('[data-follow]'))")
    assert page.evaluate("inUse(live())")
    page.get_by_role("link", name="Stop following").click()
    page.get_by_role("link", name="Follow", exact=True).wait_for()
    assert page.locator("[data-follow]").count() == 0 and "lines=50" in page.url


def test_the_time_of_all_projects_comes_after_their_sums(shown: Screens):
    page = shown.open(View("/admin/usage/", rows=1))
    page.locator("[data-charts] [role=img]").nth(3).wait_for()
    assert page.get_by_role("link", name="Usage by time").count() == 0 and shown.shift() < MOST_SHIFT
    assert not shown.complaints
