"""Pages of the sample cloud in Chromium, and what can be measured of their looks."""

import contextlib
import dataclasses
import pathlib
import re
import socketserver
import threading
import typing
import wsgiref.simple_server

from playwright.sync_api import Page, sync_playwright

from common import context, errors
from dashboard import session
from dashboard.handlers.panels import Handlers
from dashboard.panels import PANELS
from dashboard.router import ROUTES
from tests.dashboard.sample import SampleDashboard, mapped, pages

CHROMIUM = "/usr/bin/chromium-headless-shell"
WIDTHS = (360, 390, 768, 1280, 1920)
MOST_SHIFT = 0.1  # what Web Vitals call good
_NAMES = {"name", "description", "message", "email", "locked_reason", "disabled_reason", "key_name", "original_name", "host",
          "role",
          "host_name", "hypervisor_hostname", "agent_type", "zoneName", "availability_zone", "volume_type", "floating_ip_address"}


def _long(key: str, text: str) -> str:
    return text + "_" * 4 + "m" * (251 - len(text)) if key in _NAMES and text else text


def _words(key: str, text: str) -> str:
    """Names that are as long as they can be without being cut."""
    return (text.replace("-", "_") + "_of_what_it_is_called")[:20] if key in _NAMES and text else text


def _down(answer) -> Exception:
    return errors.ServiceUnavailable("The service does not respond.")


@dataclasses.dataclass(frozen=True)
class View:
    """A page in one state. ``sent``: its form is sent as it is, so that it shows what is missing."""

    path: str
    state: str = ""
    rows: int = 25
    changed: typing.Callable = lambda answer: answer
    sent: bool = False

    @property
    def name(self) -> str:
        return re.sub(r"[^a-z_]+", "-", re.sub(r"/[0-9a-f-]{36}|[?]target=.*", "", self.path)).strip("-") + (
            f"--{self.state}" if self.state else "")


def views() -> typing.Iterator[View]:
    """Every page, tab and dialog; lists also empty, long and with long names, forms also refused."""
    of_panels = {path for panel in PANELS for path in (f"{panel.path}/", f"{panel.path}")}
    others = [route.path for route in ROUTES if route.method == "GET" and "{" not in route.path and not isinstance(
        getattr(route.handler, "__self__", None), Handlers)]
    for path in [p if p.endswith("/") else f"{p}/" for p in others if p not in of_panels]:
        yield View(path)
        yield View(path, "long", changed=lambda answer: mapped(answer, _long))
    yield View("/project/", "down", changed=_down)
    yield View("/project/network_topology/", "empty", rows=0)
    for panel in PANELS:
        for path in pages(panel):
            yield View(path)
            yield View(path, "long", changed=lambda answer: mapped(answer, _long))
            if "?tab=" in path:
                yield View(path, "empty", rows=0)
        yield View(f"{panel.path}/", "words", changed=lambda answer: mapped(answer, _words))
        yield View(f"{panel.path}/", "empty", rows=0)
        yield View(f"{panel.path}/?q=zzz", "unfound", rows=0)
        yield View(f"{panel.path}/", "full", rows=10_000)
        if panel.create:
            yield View(f"{panel.path}/{panel.create.segment}/", "refused", sent=True)
    yield View(f"{PANELS[0].path}/", "failed", changed=_down)
    yield View("/project/nothing/", "missing")


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass


class Screens:
    """A browser that shows the sample cloud.

    ``complaints``: what scripts and the Content-Security-Policy complained of
    """

    def __init__(self, playwright, dashboard: SampleDashboard, server: _Server, dark: bool):
        self.dashboard, self.base = dashboard, f"http://127.0.0.1:{server.server_port}"
        self.browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[
            "--no-sandbox", f"--explicitly-allowed-ports={server.server_port}", "--hide-scrollbars"])
        self.context = self.browser.new_context(color_scheme="dark" if dark else "light", reduced_motion="reduce")
        self.context.add_cookies([{"name": session.COOKIE, "value": dashboard.seal.close(dataclasses.asdict(dashboard.active)),
                                   "url": self.base}])
        self.context.add_init_script(OBSERVE)
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.on("console", lambda said: self.complaints.append(f"{self.page.url}: {said.text}")
                     if said.type == "error" and "Failed to load resource" not in said.text else None)

    def open(self, view: View, width: int = 1280) -> Page:
        self.dashboard.apis.rows, self.dashboard.apis.changed = view.rows, view.changed
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.goto(self.base + view.path)
        if view.sent:
            self.page.evaluate("document.querySelector('main form[method=post]').noValidate = true")
            self.page.locator("main form[method=post] button.main").first.click()
            self.page.wait_for_load_state()
        return self.page

    def problems(self, width: int) -> list[str]:
        """What does not fit at a width of the window."""
        if self.page.viewport_size != {"width": width, "height": 900}:
            self.page.set_viewport_size({"width": width, "height": 900})
        return self.page.evaluate(_MEASURE)

    def shift(self) -> float:
        """How far the layout has shifted since the page was opened: the Cumulative Layout Shift of Web Vitals."""
        return shift(self.page)

    def problems_everywhere(self, widths: typing.Sequence[int] = WIDTHS) -> list[str]:
        """What does not fit, at every width, and from right to left; each once."""
        found: dict[str, str] = {}
        if (shift := self.shift()) > MOST_SHIFT:
            found["shift"] = f"the layout shifts by {shift:.2f}"
        for width in widths:
            for text in self.problems(width):
                found.setdefault(text, f"{width} px: {text}")
        self.page.evaluate("document.documentElement.dir = 'rtl'")
        for width in (widths[0], 1280):
            for text in self.problems(width):
                found.setdefault(text, f"{width} px, right to left: {text}")
        return list(found.values())


def shift(page: Page) -> float:
    """The same of a page that has ``OBSERVE`` as its first script."""
    return page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => done("
                         "window.shifts.reduce((sum, each) => sum + each.value, 0)))))")


@contextlib.contextmanager
def screens(*, dark: bool = False) -> typing.Iterator[Screens]:
    dashboard = SampleDashboard()

    def app(environ, start_response):
        environ["pileus.context"] = context.Context()
        return dashboard.app(environ, start_response)
    server = wsgiref.simple_server.make_server("127.0.0.1", 0, app, _Server, _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with sync_playwright() as playwright:
            made = Screens(playwright, dashboard, server, dark)
            yield made
            made.browser.close()
    finally:
        server.shutdown()
        server.server_close()


# Shifts that follow an input, or another size of the window, are meant.
OBSERVE = """window.shifts = [];
new PerformanceObserver((seen) => window.shifts.push(...seen.getEntries().filter((each) => !each.hadRecentInput)))
    .observe({ type: "layout-shift", buffered: true });"""
_MEASURE = (pathlib.Path(__file__).resolve().parent / "measure.js").read_text()
