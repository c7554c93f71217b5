"""The menu: every panel under its heading."""

from dashboard.panels import PANELS
from dashboard.session import Session
from dashboard.texts import Text

_ALL: dict[str, list[tuple[str, str]]] = {
    Text("Project"): [("/project/", Text("Overview")), ("/project/usage/", Text("Usage"))]}
for _panel in PANELS:
    _ALL.setdefault(_panel.menu, []).append((f"{_panel.path}/", _panel.title))
_ALL["Network"].insert(0, ("/project/network_topology/", Text("Network topology")))
_ALL["Access"].insert(0, ("/project/api_access/", Text("API access")))
_ALL["Admin"][:0] = [("/admin/usage/", Text("Usage of all projects")), ("/admin/host_map/", Text("Host map"))]
_ALL["Access"] += [("/settings/password/", Text("Change password")), ("/auth/account/", Text("Account"))]
_ALL["Admin"].append(("/admin/defaults/", Text("Default quotas")))
_ADMIN = frozenset(panel.menu for panel in PANELS if panel.admin)
_OF_USERS = tuple((heading, tuple(entries)) for heading, entries in _ALL.items() if heading not in _ADMIN)
_OF_ADMINS = tuple((heading, tuple(entries)) for heading, entries in _ALL.items())


def around(path: str) -> tuple[str, str] | None:
    """(path, title) of the menu's page that a page is below, or else of the overview; but not that page itself."""
    found = [(target, title) for entries in _ALL.values() for target, title in entries
             if path.startswith(target) and path.rstrip("/") != target.rstrip("/")]
    first = _ALL["Project"][0]
    return max(found, key=lambda entry: len(entry[0]), default=None if path.startswith(first[0]) else first)


def of(active: Session):
    """[(heading, [(path, title)])] of what a user can open."""
    return _OF_ADMINS if active.admin else _OF_USERS
