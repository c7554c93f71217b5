"""The search over everything: pages by their titles, resources by a part of their names, or by their ids."""

import re

from common.rest import Path, path
from dashboard import menu, session
from dashboard.asks import Ask, together
from dashboard.pages import render
from dashboard.texts import Text

_EACH = 5  # resources of a kind
_LEAST = 2  # letters
_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Of each kind: heading, path of its pages, service, the list's member. The APIs of compute and volume search themselves; those
# of image and network find whole names only, so their names are read and searched here.
_KINDS = (("Instances", "/project/instances", "compute", "servers"), ("Volumes", "/project/volumes", "volume", "volumes"),
          ("Images", "/project/images", "image", "images"), ("Networks", "/project/networks", "network", "networks"),
          ("Routers", "/project/routers", "network", "routers"),
          ("Security groups", "/project/security_groups", "network", "security_groups"))
_MOST_NAMES = 1000


def _where(key: str, text: str, own: str) -> Path:
    names: dict = {"fields": ["id", "name"], "limit": _MOST_NAMES}
    return {
        "servers": lambda: path("/v2.1/servers", query={"name": re.escape(text), "limit": _EACH}),
        "volumes": lambda: path("/v3/volumes", query={"name~": text, "limit": _EACH}),
        "images": lambda: path("/v2/images", query={"limit": _MOST_NAMES}),
        "networks": lambda: path("/v2.0/networks", query=names),
        "routers": lambda: path("/v2.0/routers", query={**names, "project_id": own}),
        "security_groups": lambda: path("/v2.0/security-groups", query={**names, "project_id": own})}[key]()


def _one(key: str, id: str) -> Ask:
    where = {"servers": path("/v2.1/servers/{id}", id), "volumes": path("/v3/volumes/{id}", id),
             "images": path("/v2/images/{id}", id), "networks": path("/v2.0/networks/{id}", id),
             "routers": path("/v2.0/routers/{id}", id), "security_groups": path("/v2.0/security-groups/{id}", id)}[key]
    service = next(service for *_, service, name in _KINDS if name == key)
    return Ask(service, where, instead={})


def _by_id(req, id: str) -> list[tuple[str, list[tuple[str, str]]]]:
    answers = together(req, **{key: _one(key, id) for *_, key in _KINDS})
    found = []
    for heading, page, _, key in _KINDS:
        row = answers[key].get(key.removesuffix("s"), answers[key])
        if row.get("id"):
            found.append((heading, [(f"{page}/{row['id']}/", row.get("name") or row["id"])]))
    return found


def _by_name(req, text: str) -> list[tuple[str, list[tuple[str, str]]]]:
    own = session.required(req).project_id
    answers = together(req, **{key: Ask(service, _where(key, text, own), key, instead=[]) for _, _, service, key in _KINDS})
    found = []
    for heading, page, _, key in _KINDS:
        rows = [row for row in answers[key] if text.lower() in (row.get("name") or "").lower()][:_EACH]
        if rows:
            found.append((heading, [(f"{page}/{row['id']}/", row["name"]) for row in rows]))
    return found


def show(req):
    active, text = session.required(req), req.GET.get("q", "").strip()[:255]
    pages = [(target, f"{title} ({heading})") for heading, entries in menu.of(active) for target, title in entries
             if text and text.lower() in title.lower()]
    found = [(Text("Pages"), pages[:_EACH * 2])] if pages else []
    if _ID.fullmatch(text.lower()):
        found += _by_id(req, text.lower())
    elif len(text) >= _LEAST:
        found += _by_name(req, text)
    return render(req, "search.html", text=text, found=found, least=_LEAST)
