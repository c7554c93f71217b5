"""Which columns of each list somebody has hidden. The browser remembers it in a cookie."""

import json
import urllib.parse

from dashboard.panel import Column, Panel

COOKIE = "columns"
_MOST_CHARS = 3000
KEPT_S = 365 * 24 * 3600


def _hidden(req) -> dict[str, list[str]]:
    """{path of a panel: titles of columns}, of a cookie that may be anything."""
    try:
        found = json.loads(urllib.parse.unquote(req.cookies.get(COOKIE, ""), errors="strict"))
    except (ValueError, RecursionError):
        return {}
    return {k: v for k, v in found.items() if isinstance(v, list)} if isinstance(found, dict) else {}


def shown(req, panel: Panel) -> tuple[Column, ...]:
    """The columns of a list. The first always is among them."""
    hidden = _hidden(req).get(panel.path, ())
    return tuple(c for at, c in enumerate(panel.columns) if not at or c.title not in hidden)


def chosen(req, panel: Panel, titles: list[str]) -> str:
    """The value of the cookie when only these columns of a list are to be shown. What was chosen last is kept longest."""
    hidden = {k: v for k, v in _hidden(req).items() if k != panel.path}
    mine = [c.title for c in panel.columns[1:] if c.title not in titles]
    while True:
        value = urllib.parse.quote(json.dumps({**hidden, **({panel.path: mine} if mine else {})}, separators=(",", ":")))
        if len(value) <= _MOST_CHARS or not hidden:
            return value
        hidden.pop(next(iter(hidden)))
