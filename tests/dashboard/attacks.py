"""What attackers write, and what a page of ours must then not contain. Pages, forms and fields are found from the panels'
declarations, so a new panel is attacked from its first day."""

import html.parser
import re

from common.wsgi import Route
from dashboard.handlers.panels import Handlers
from dashboard.panels import PANELS
from dashboard.router import ROUTES
from tests.dashboard.sample import pages, uid

MARKUP = "\"'><img src=x onerror=hacked()></textarea></title></script><script>hacked()</script><!--"
SCHEME = "javascript:hacked()//"
TEMPLATE = "{{31337*7919}}{% raw %}${31337*7919}<%= 31337*7919 %>#{31337*7919}"
CONTROLS = "\x00\x0b\x1b[31m\u202egnp.\u2066\r\nX-Hacked: 1"
PAYLOADS = (MARKUP + TEMPLATE + CONTROLS, SCHEME)
# Ids, times and numbers are checked by the services that make them; a page uses them in requests and links.
PLAIN = re.compile(r"[0-9a-f]{32}|[0-9a-f-]{36}|\d{4}-\d\d-\d\dT[\d:.]+Z?|[\d.]*|true|false|enabled|nova-compute|default")
# Which actions and fields are offered depends on these.
STATES = {"status", "state", "OS-EXT-STS:vm_state", "direction", "type", "interface"}
_URLS = {"href", "src", "action", "formaction", "hx-get", "hx-post", "poster", "data", "xlink:href"}


def spoil(payload: str):
    def change(key: str, text: str) -> str:
        if key in STATES or PLAIN.fullmatch(text):
            return text
        return payload if payload == SCHEME else text + payload
    return change


def paths() -> list[str]:
    """Every page that can be opened: those of panels, and all others that need no parameter."""
    others = [route.path for route in ROUTES if route.method == "GET" and "{" not in route.path and not _of_panel(route)
              and route.path != "/live"]  # events, and not without saying of what
    return [f"{path.rstrip('/')}/" for path in others] + [path for panel in PANELS for path in pages(panel)]


def posts() -> list[str]:
    """Every path to which a form can be sent."""
    filled = {"{id}": uid("subnet", 0), "{verb}": ""}
    found = [route.path for route in ROUTES if route.method == "POST" and "{verb}" not in route.path]
    found += [f"{panel.path}/{{id}}/{action.verb}" for panel in PANELS for action in panel.actions]
    for name, value in filled.items():
        found = [path.replace(name, value) for path in found]
    return [f"{path.rstrip('/')}/" for path in found]


def _of_panel(route: Route) -> bool:
    return isinstance(getattr(route.handler, "__self__", None), Handlers)


class _Checker(html.parser.HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.found: list[str] = []
        self._open = [""]
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._open.append(tag)
        if tag in ("img", "iframe", "object", "embed", "base", "style", "template", "noscript") or tag == "script" and (
                not (given.get("src") or "").startswith("/static/")):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            value = (value or "").strip()
            if name.startswith("on") or name in ("style", "srcdoc") or name.startswith("hx-on") or name == "hx-vals":
                self.found.append(f"{tag} {name}={value[:40]}")
            # A URL begins with a path, a query, or an id that is quoted; http only where a service gave it as such.
            if name in _URLS and value and not re.match(r"/(?![/\\])|[?#]|[^:/?#\\]+(/|$)|https?://", value):
                self.found.append(f"{tag} {name}={value[:60]}")
        if tag == "meta" and given.get("http-equiv"):
            self.found.append("a meta that acts")

    def handle_endtag(self, tag):
        while self._open[-1] not in (tag, ""):
            self._open.pop()
        self._open = self._open[:-1] or [""]

    def handle_data(self, data):
        # What turns the direction of writing must end with the name that has it, and not turn a question about it.
        if self._open[-1] in ("p", "button") and "\u202e" in data and "\u2068" not in data:
            self.found.append(f"the direction of a sentence is turned: {data[:30]!r}")

    def handle_comment(self, data):
        self.found.append("a comment")


def faults(text: str) -> list[str]:
    """What of an attack has come through into a page."""
    found = _Checker(text).found
    if str(31337 * 7919) in text:
        found.append("a template was evaluated")
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text):
        found.append("a control character")
    return found
