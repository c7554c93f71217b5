"""Pages as Chromium shows them: accessibility (axe), no overflow, weight, keyboard and dialogs."""

import re
import typing

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from common.periodic import wait_for
from dashboard.panels import PANELS
from tests.conftest import new_volume
from tests.dashboard.chromium import is_there
from tests.dashboard.screens import MOST_SHIFT, OBSERVE, WIDTHS, shift

pytestmark = pytest.mark.skipif(not is_there(), reason="needs Debian's chromium-headless-shell")
MOST_BYTES = 150_000
COLOURS = {"resultTypes": ["violations"], "runOnly": ["color-contrast", "link-in-text-block"]}  # what a colour scheme changes
_AXE = Axe()
_logged_in: dict[int, typing.Any] = {}  # cookies of a login to the cloud at a port


@pytest.fixture(scope="module")
def things(cloud) -> dict[str, str]:
    """One thing of several panels, with long names. {path of a panel: id}"""
    admin = cloud.client
    long = "a-name-without-any-space-" * 6
    server = admin.find("compute", "servers", "first", "/servers/detail")["id"]
    admin.call("compute", "PUT", f"/servers/{server}", {"server": {"name": long}})
    return {"/project/instances": server, "/project/volumes": new_volume(admin, long),
            "/project/networks": admin.call("network", "GET", "/networks")["networks"][0]["id"],
            "/project/security_groups": admin.call("network", "GET", "/security-groups")["security_groups"][0]["id"],
            "/admin/hypervisors": admin.call("compute", "GET", "/os-hypervisors")["hypervisors"][0]["id"]}


def logged_in(cloud, chromium, **more) -> tuple[Page, list[str]]:
    """A page, and what its scripts and the Content-Security-Policy complain of."""
    complaints: list[str] = []
    context = chromium.new_context(storage_state=_logged_in.get(cloud.offset), **more)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(
        f"{message.text} {message.location.get('url', '')}") if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"http://127.0.0.1:{8080 + cloud.offset}/project/")
    if "/auth/login/" in page.url:
        page.fill("#id_username", "admin")
        page.fill("#id_password", cloud.client.password)
        page.click("main button")
        page.wait_for_url("**/project/")
        _logged_in[cloud.offset] = context.storage_state()
    return page, complaints


def pages(things: dict[str, str]):
    yield from ("/project/", "/project/usage/", "/admin/usage/", "/search/?q=a", "/auth/account/", "/about/parts/",
                "/project/api_access/", "/project/network_topology/", "/project/images/upload/")
    for panel in PANELS:
        yield f"{panel.path}/"
        if panel.create:
            yield f"{panel.path}/{panel.create.segment}/"
        if panel.path in things:
            own = f"{panel.path}/{things[panel.path]}"
            yield from (f"{own}/?tab={tab.name}" for tab in panel.tabs)
            yield from (f"{own}/{action.verb}/" for action in panel.actions if action.verb in ("delete", "rule", "resize"))


def violations(page: Page, options: dict | None = None) -> list:
    return [(page.url, violation["id"], [node["html"][:100] for node in violation["nodes"][:2]])
            for violation in (_AXE.run(page, options=options) if options else _AXE.run(page)).response["violations"]]


def test_pages_are_accessible_and_fit(cloud, chromium, things):
    """Each is loaded once, and looked at in every width; one page of each template also in the dark."""
    page, complaints = logged_in(cloud, chromium)
    own = f"/project/instances/{things['/project/instances']}"
    dark = {"/project/", "/project/usage/", "/about/parts/", "/project/instances/", f"{own}/?tab=overview", f"{own}/?tab=log",
            f"{own}/?tab=actions", f"{own}/delete/", "/project/instances/launch/", "/project/network_topology/",
            "/admin/hypervisors/", "/auth/account/"}
    page.context.add_init_script(OBSERVE)
    base, found, seen = page.url.removesuffix("/project/"), [], set()
    for path in pages(things):
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto(base + path)
        if (moved := shift(page)) > MOST_SHIFT:
            found.append((path, "shifts by", moved))
        found += violations(page)
        seen.add(path)
        if path in dark:
            page.emulate_media(color_scheme="dark")
            found += [("dark", *violation) for violation in violations(page, COLOURS)]
            page.emulate_media(color_scheme="light")
        for width in (*WIDTHS, 2560):
            page.set_viewport_size({"width": width, "height": 800})
            more = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if more > 0:
                found.append((path, "is wider than", width, more))
    assert not found
    assert dark <= seen
    assert not complaints


def test_pages_are_light(browser, things):
    """Compressed, as browsers get them."""
    def sent(path: str) -> int:
        answer = browser.pool.request("GET", browser.base + path, decode_content=False, headers={
            "Accept-Encoding": "gzip", "Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items())})
        assert answer.status == 200 and answer.headers["Content-Encoding"] == "gzip"
        return len(answer.data)
    shared = sum(sent(url) for url in re.findall(r'(?:src|href)="(/static/[^"]+)"', browser.open("/project/instances/").text))
    assert shared < 30_000
    heavy = {path: size for path in pages(things) if (size := sent(path) + shared) > MOST_BYTES}
    assert not heavy


def test_actions_open_in_a_dialog_and_lead_back(cloud, chromium, things):
    page, complaints = logged_in(cloud, chromium)
    base = page.url.removesuffix("/project/")
    page.goto(base + "/project/key_pairs/create/")
    page.fill("#f-name", "by-chromium")
    page.fill("#f-public_key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdgJ5gD8fd0P0G5PkR0bFzZ2iQn2HkC2o8o2oT2pJ2b")
    page.click("button[value=create]")
    page.get_by_role("status").get_by_text("by-chromium was imported").wait_for()
    page.get_by_role("link", name="Delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("heading", name="Delete: key pair by-chromium").wait_for()
    assert page.evaluate("document.activeElement.closest('dialog') !== null"), "the keyboard is in the dialog"
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.textContent") == "Delete", "and back where it was"
    page.get_by_role("link", name="Delete").press("Enter")
    dialog.get_by_role("button", name="Delete").click()
    page.get_by_text("by-chromium was deleted").wait_for()
    # A mistake keeps the dialog open, with what was typed.
    volume = things["/project/volumes"]
    page.goto(f"{base}/project/volumes/{volume}/")
    page.locator("main details.menu summary").click()
    page.get_by_role("link", name="Delete", exact=True).click()
    dialog.get_by_role("textbox").fill("wrong")
    dialog.get_by_role("button", name="Delete").click()
    dialog.locator(".wrong").wait_for()
    assert dialog.get_by_role("textbox").input_value() == "wrong"
    assert not [c for c in complaints if "400" not in c]


def test_a_menu_of_a_list_comes_when_it_is_opened(cloud, chromium, things):
    """By keyboard: the focus goes on in it."""
    page, complaints = logged_in(cloud, chromium)
    page.goto(page.url + "instances/")
    row = page.locator(f"tr[data-id='{things['/project/instances']}']")
    row.locator("details.menu summary").press("Enter")
    row.get_by_role("link", name="Rebuild").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('details.menu li') !== null")
    row.get_by_role("link", name="Rebuild").click()
    page.get_by_role("dialog").get_by_role("heading", name="Rebuild").wait_for()
    assert not complaints


@pytest.mark.parametrize("streaming", [True, False])
def test_a_list_shows_by_itself_what_changes(cloud, chromium, streaming):
    """By the stream of events; without that, a page with something that is changing asks now and then."""
    page, _ = logged_in(cloud, chromium)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/project/volumes/?") else None)
    if not streaming:
        page.route("**/live/**", lambda route: route.abort())
    page.goto(page.url + "volumes/")
    if streaming:
        wait_for(lambda: page.evaluate("stream?.readyState === EventSource.OPEN"), 20, what="the stream")
    else:
        page.evaluate("document.getElementById('listing').dataset.busy = ''")
    name = f"live-{streaming}"
    made = cloud.client.call("volume", "POST", "/volumes", {"volume": {"name": name, "size": 1}})["volume"]["id"]
    page.locator("#listing tr", has_text=name).get_by_text("available").wait_for()
    assert 0 < len(asked) < 6
    cloud.client.call("volume", "DELETE", f"/volumes/{made}")
    if streaming:
        page.locator("#listing tr", has_text=name).wait_for(state="detached")


def test_a_list_is_searched_while_one_types(cloud, chromium, things):
    page, complaints = logged_in(cloud, chromium)
    page.goto(page.url + "networks/")
    rows = page.locator("#listing tbody tr")
    before = rows.count()
    page.keyboard.press("/")
    page.keyboard.type("no such network")
    page.get_by_text("Nothing matches").wait_for()
    assert before > 0 and "q=no" in page.url
    assert not complaints


def test_everything_is_found_by_keyboard(cloud, chromium, things):
    page, complaints = logged_in(cloud, chromium)
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_label("Page, name or id").wait_for()
    page.keyboard.type("key pairs")
    page.get_by_role("dialog").get_by_role("link", name="Key pairs").wait_for()
    assert not violations(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/project/key_pairs/")
    assert not complaints


def test_who_stays_keeps_what_was_typed(cloud, chromium):
    page, complaints = logged_in(cloud, chromium)
    page.goto(page.url + "volumes/create/")
    page.fill("#f-name", "typed before")
    page.evaluate("ending.dataset.ends = Math.floor(Date.now() / 1000) + 60; sayEnd()")
    page.get_by_role("link", name="Stay logged in").click()
    page.get_by_role("dialog").get_by_label("Password").fill(cloud.client.password)
    page.get_by_role("dialog").get_by_role("button", name="Stay logged in").click()
    page.get_by_role("dialog").wait_for(state="hidden")
    assert page.locator("#ending").is_hidden() and page.input_value("#f-name") == "typed before"
    assert not complaints


PRESSED = """(times) => {
    let sent = 0;
    document.addEventListener("submit", (event) => { sent += !event.defaultPrevented; event.preventDefault(); });
    while (times--) document.querySelector("main button.main").click();
    return sent;
}"""


def test_a_form_is_sent_once(cloud, chromium):
    """However often its button is pressed, on a page and in a dialog."""
    group = cloud.client.call("network", "POST", "/security-groups", {"security_group": {"name": "once"}})["security_group"]["id"]
    page, _ = logged_in(cloud, chromium)
    base, posted = page.url.removesuffix("/project/"), []
    page.goto(base + "/project/security_groups/create/")
    page.fill("#f-name", "another")
    assert page.evaluate(PRESSED, 3) == 1
    page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
    page.goto(f"{base}/project/security_groups/{group}/")
    page.locator("main details.menu summary").click()
    page.locator("main details.menu").get_by_role("link", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").wait_for()
    page.evaluate("for (const _ of '123') document.querySelector('#dialog-body button.danger').click()")
    page.get_by_text("once was deleted").wait_for()
    assert len(posted) == 1


def test_a_dialog_shows_what_failed(cloud, chromium, things):
    page, _ = logged_in(cloud, chromium)
    base = page.url.removesuffix("/project/")
    page.route("**/rule/*", lambda route: route.fulfill(status=503, content_type="text/html", body=(
        '<p class="alert" role="alert">The network service does not respond.</p>')))
    page.goto(f"{base}/project/security_groups/{things['/project/security_groups']}/")
    page.get_by_role("link", name="Add rule").first.click()
    page.get_by_role("dialog").get_by_text("The network service does not respond.").wait_for()
    assert page.locator("#announce").text_content() == ""
