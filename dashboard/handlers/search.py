"""The search over everything: pages by their titles, resources by a part of their names, or by their ids."""

import re

from common import errors
from common.rest import Path, path
from dashboard import menu, session
from dashboard.asks import Ask, attempts
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
Found = list[tuple[str, list[tuple[str, str]]]]  # (heading, [(path, name)])


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
    return Ask(service, where)


def _answers(req, asks: dict[str, Ask]) -> tuple[dict, list[str]]:
    """(answers, headings of the kinds whose service did not answer). What it refused, or does not have, is no answer either, but
    there is nothing to be found then.
    """
    answers = attempts(req, **asks)
    away = [heading for heading, *_, key in _KINDS if isinstance(answers[key], errors.Error) and answers[key].status >= 500]
    return {key: answer for key, answer in answers.items() if not isinstance(answer, errors.Error)}, away


def _by_id(req, id: str) -> tuple[Found, list[str]]:
    answers, away = _answers(req, {key: _one(key, id) for *_, key in _KINDS})
    found = []
    for heading, page, _, key in _KINDS:
        row = answers.get(key, {})
        row = row.get(key.removesuffix("s"), row)
        if row.get("id"):
            found.append((heading, [(f"{page}/{row['id']}/", row.get("name") or row["id"])]))
    return found, away


def _by_name(req, text: str) -> tuple[Found, list[str]]:
    own = session.required(req).project_id
    answers, away = _answers(req, {key: Ask(service, _where(key, text, own), key) for _, _, service, key in _KINDS})
    found = []
    for heading, page, _, key in _KINDS:
        rows = [row for row in answers.get(key, ()) if text.lower() in (row.get("name") or "").lower()][:_EACH]
        if rows:
            found.append((heading, [(f"{page}/{row['id']}/", row["name"]) for row in rows]))
    return found, away


def show(req):
    active, text = session.required(req), req.GET.get("q", "").strip()[:255]
    pages = [(target, f"{title} ({heading})") for heading, entries in menu.of(active) for target, title in entries
             if text and text.lower() in title.lower()]
    found = [(Text("Pages"), pages[:_EACH * 2])] if pages else []
    more: Found = []
    away: list[str] = []
    if _ID.fullmatch(text.lower()):
        more, away = _by_id(req, text.lower())
    elif len(text) >= _LEAST:
        more, away = _by_name(req, text)
    return render(req, "search.html", text=text, found=found + more, away=away, least=_LEAST)
