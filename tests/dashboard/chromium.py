"""Chromium, with the verbs of ``tests.dashboard.browser.Browser``: what a test does with one it does with the other."""

import pathlib
import time
import urllib.parse

import urllib3
from playwright.sync_api import BrowserContext, Error, Locator, Page, Response

from tests.dashboard.browser import Browser, Forms, words

PATH = "/usr/bin/chromium-headless-shell"
_PATIENCE_S = 30
_SETTLED = "() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')"


def is_there() -> bool:
    return pathlib.Path(PATH).exists()


class Chromium(Browser):
    """One page. Forms are filled in and sent by their buttons, with all scripts of the pages."""

    def __init__(self, base: str, context: BrowserContext):
        super().__init__(base)
        self.context = context
        self.page: Page = context.new_page()
        self._loads: list[Response | None] = []
        self._opened: Response | None = None
        self._download = ""
        self.page.on("response", self._see)
        self.page.on("domcontentloaded", lambda _: self._loads.append(self._opened))
        self.page.on("download", lambda download: setattr(self, "_download", str(download.path())))

    def _see(self, response: Response) -> None:
        if response.request.is_navigation_request() and response.frame == self.page.main_frame and (
                response.status not in (302, 303)):
            self._opened = response

    def _read(self, answer: Response | None) -> "Chromium":
        """Keep what the page shows now."""
        parts = urllib.parse.urlsplit(self.page.url)
        self.text, self.path = self.page.content(), parts.path + (f"?{parts.query}" if parts.query else "")
        if answer is not None:
            self.status, self.headers = answer.status, urllib3.HTTPHeaderDict(answer.all_headers())
        return self

    def open(self, path: str, fields: dict | None = None, **headers) -> "Chromium":
        assert fields is None, "forms are sent by their buttons here"
        if not headers:
            try:
                return self._read(self.page.goto(self.base + path, wait_until="domcontentloaded"))
            except Error as error:
                if "ERR_ABORTED" not in str(error) and "Download is starting" not in str(error):
                    raise
        answer = self.context.request.get(self.base + path, headers=headers)
        self.status, self.text, self.headers = answer.status, answer.text(), urllib3.HTTPHeaderDict(answer.headers)
        return self

    def post(self, action: str, **values) -> "Chromium":
        dialog = self.page.locator("dialog[open]")
        form = (dialog if dialog.count() else self.page).locator(f'form[action="{action}"]').first
        page = Forms(self.text)
        assert set(values) <= page.names[action] | {"step", "verb"}, (values, page.names[action])
        form.evaluate("(of) => { of.noValidate = true; }")  # what the dashboard says is tested, not what Chromium does
        step = values.pop("step", "")
        # Choices first: what belongs to one is shown once it is made.
        for name, value in sorted(values.items(), key=lambda pair: not form.locator(f'select[name="{pair[0]}"]').count()):
            _fill(form, name, value)
        button = form.locator(f'button[value="{step}"]' if step else "button.main, button.solid")
        return self._send(button.first if button.count() else form.locator("button").first)

    def press(self, path: str) -> "Chromium":
        def buttons() -> dict[str, str]:
            here = urllib.parse.urlsplit(self.path).path
            return {urllib.parse.urljoin(here, button): button for button in Forms(self.text).buttons}
        found = buttons()
        if path not in found:
            self.open(f"{path.rstrip('/').rpartition('/')[0]}/actions/")
            found = buttons()
        assert path in found, (path, set(found))
        button = self.page.locator(f'button[formaction="{found[path]}"]').first
        menu = self.page.locator("details.menu", has=button)
        if not button.is_visible() and menu.count():
            menu.locator("summary").click()
        if button.get_attribute("formtarget"):
            return self._open_window(button)
        return self._send(button)

    def choose(self, verb: str, ids: list[str] | None = None) -> "Chromium":
        if ids is None:
            self.page.locator("[data-all]").check()
        for id in ids or ():
            self.page.locator(f'tr[data-id="{id}"] input[name=id]').check()
        return self._send(self.page.locator(f'#listing .bulk button[value="{verb}"]'))

    def _open_window(self, button: Locator) -> "Chromium":
        """What is kept of it is the URL that it leads to, outside the dashboard."""
        with self.context.expect_page() as opened:
            with self.context.expect_event("request", lambda r: not r.url.startswith(self.base)) as sent:
                button.click()
        opened.value.close()
        self.text = sent.value.url
        return self

    def _send(self, button: Locator) -> "Chromium":
        """Press a button that sends a form, and wait for what comes of it: a page, a download, or a part of this page."""
        before, self._download = len(self._loads), ""
        with self.page.expect_response(lambda r: r.request.method == "POST") as sent:
            button.click()
        answer = sent.value
        leaves = answer.request.is_navigation_request() or "hx-redirect" in answer.headers
        if not leaves:
            self.page.wait_for_function(_SETTLED)
            return self._read(answer)
        until = time.monotonic() + _PATIENCE_S
        while len(self._loads) == before and not self._download:
            assert time.monotonic() < until, "nothing was loaded"
            self.page.wait_for_timeout(5)
        if self._download:
            self.text, self.status = pathlib.Path(self._download).read_text(), answer.status
            self.headers = urllib3.HTTPHeaderDict(answer.all_headers())
            return self
        return self._read(self._loads[-1])

    def log_in(self, user: str, password: str) -> "Chromium":
        self.open("/").post("/auth/login/", username=user, password=password)
        return self

    def words(self) -> str:
        return words(self.text)


def _fill(form: Locator, name: str, value) -> None:
    """Enter a value, or the values of several boxes; "" unchecks a box."""
    inputs = form.locator(f'[name="{name}"]')
    first = inputs.first
    folded = form.locator("details.section:not([open])", has=form.page.locator(f'[name="{name}"]'))
    if folded.count():
        folded.locator("summary").click()
    kind = first.evaluate("(of) => of.tagName === 'SELECT' ? 'select' : of.type")
    if kind == "checkbox":
        wanted = value if isinstance(value, list) else [value]
        for at in range(inputs.count()):
            inputs.nth(at).set_checked(inputs.nth(at).get_attribute("value") in wanted)
    elif kind == "select":
        first.select_option(value)
        form.page.wait_for_function(_SETTLED)
    elif kind == "hidden":
        assert first.input_value() == value
    else:
        first.fill(value)
