"""Consoles of a real guest, as Chromium shows them."""

import concurrent.futures
import os
import subprocess
import sys
import urllib.parse

import pytest
from playwright.sync_api import Page, sync_playwright

from common.periodic import wait_for
from deploy import host

pytestmark = pytest.mark.e2e
CHROMIUM = "/usr/bin/chromium-headless-shell"
_COLOURS = """() => {
    const canvas = document.querySelector("canvas");
    const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return new Set(pixels).size;
}"""


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(browser):
    """One that fails the test if a script is stopped by its page's Content-Security-Policy, or raises."""
    made = browser.new_page()
    complaints: list[str] = []
    made.on("console", lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    made.close()
    assert not complaints


@pytest.fixture(scope="module")
def servers(real):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = [server["id"] for server in pool.map(real.boot, ("alpha", "omega"))]
    for server in made:
        real.wait_console(server, "login:")
    yield made
    for server in made:
        real.delete(server)
    real.audit()


def url_of(real, server: str, kind: str) -> str:
    """As the command line tells it."""
    openstack = os.path.join(os.path.dirname(sys.executable), "openstack")
    done = subprocess.run([openstack, "console", "url", "show", f"--{kind}", "-f", "value", "-c", "url", server],
                          env=real.environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def page_of(url: str) -> str:
    """The page for a serial console's WebSocket."""
    parts = urllib.parse.urlsplit(url)
    return parts._replace(scheme=parts.scheme.replace("ws", "http"), path="/serial.html").geturl()


def says(page: Page, text: str) -> None:
    page.wait_for_function("text => document.getElementById('status').textContent.includes(text)", arg=text, timeout=15_000)


def screen(page: Page) -> str:
    """The text that the terminal shows."""
    return page.locator(".xterm-rows").inner_text()


def test_screen_and_keys(real, servers, page):
    url = url_of(real, servers[0], "novnc")
    page.goto(url)
    says(page, "Connected")
    assert "token" not in page.url, "it is taken out of the address"
    wait_for(lambda: page.evaluate(_COLOURS) > 1, 10, what="the guest's screen")
    before = page.screenshot()
    page.keyboard.type("typed here")
    wait_for(lambda: page.screenshot() != before, 10, what="what was typed")
    page.goto(url)
    says(page, "works once")


def test_serial_port_answers(real, servers, page):
    one, other = (page_of(url_of(real, server, "serial")) for server in servers)
    page.goto(one)
    says(page, "Connected")
    page.keyboard.press("Enter")
    wait_for(lambda: "alpha login:" in screen(page), 15, what="the guest's answer")
    page.keyboard.type("cirros\n")
    wait_for(lambda: "Password:" in screen(page), 15, what="the next question")
    assert "omega" not in screen(page)
    page.goto(one)
    says(page, "works once")
    page.goto(other)
    says(page, "Connected")
    page.keyboard.press("Enter")
    wait_for(lambda: "omega login:" in screen(page), 15, what="the other guest's answer")
    # What went over the open console was logged all the same.
    assert "Password:" in real.console(servers[0])


def test_a_stopped_server_ends_its_console(real, servers, page):
    page.goto(page_of(url_of(real, servers[1], "serial")))
    says(page, "Connected")
    real.client.call("compute", "POST", f"/servers/{servers[1]}/action", {"os-stop": None})
    page.wait_for_function("() => document.getElementById('status').textContent.includes('ended')", timeout=70_000)


def test_no_guest_listens(real, servers):
    listening = host.run("ss", "-Hltnp").stdout.splitlines()
    assert listening and not [line for line in listening if "qemu" in line]
