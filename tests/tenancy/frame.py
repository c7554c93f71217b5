"""The frame of the tenancy suite: what one project's user may do to another project's objects, for every route and reference.

A service's module says with ``Service`` what it has: how to make one object of each noun, a valid body for each route that
writes, and a ``Reference`` for each attribute of a body that names another object. The frame reads the route table and the
schemas: a route without a body, or an attribute that looks like a reference and has no entry, fails the suite.
"""

import dataclasses
import json
import re
import typing

from common.wsgi import Route

Ids = dict[str, str]
Key = tuple[str, str]  # (method, path) as the route table has them
REFUSED = frozenset((403, 404))
_REQUEST_ID = re.compile(r"req-[0-9a-f-]{36}")
MARK = "alices-"  # what everything of the first project is called, so that it is recognised in lists of others
# Properties of bodies that name other objects, by their names.
_REFERENCE = re.compile(
    r"(^|[/_:\]])(id|ids|uuid|uuids|ref|port|volid|member|owner|tenant|key_name|group|networks|security_groups|roles|"
    r"volume_type|prefixes|backup|group)$|(Id|Ref)$")


@dataclasses.dataclass(frozen=True)
class Reference:
    """A request of the stranger's that is right but for one id in its body.

    :param path: the route; its parameters are filled with the stranger's own objects
    :param body: (the stranger's own ids, the ids that are named) -> body
    :param control: whether the same request with an own id succeeds, once it was refused with another's
    """

    method: str
    path: str
    body: typing.Callable[[Ids, Ids], typing.Any]
    control: bool = True
    refused: frozenset = frozenset((400, 403, 404, 409))


@dataclasses.dataclass
class Service:
    """One API.

    :param make: make one object of each noun; returns {last fixed segment before "{id}", or parameter: id}
    :param bodies: valid bodies of the routes that write to an object; a list of them where there are several kinds
    :param references: {(noun or module that has the schema, path of the property): requests}
    :param no_reference: such properties that name nothing which could be another's, with the reason
    :param exceptions: {route: (statuses that are right for a stranger, reason)}
    :param filters: queries of lists to try beside the usual ones: (name, noun whose id is asked for)
    :param free: routes on one's own object whose last parameter may name another's, with the reason
    :param skip: routes that are not asked, with the reason
    :param moving: routes whose answer is another each time, though nobody changed anything, with the reason
    :param properties: () -> {noun or module: paths of the properties of its bodies}
    """

    name: str
    routes: list[Route]
    make: typing.Callable[["Asker", str], Ids]
    bodies: dict[Key, typing.Callable[[Ids], typing.Any]]
    properties: typing.Callable[[], dict[str, set[str]]]
    references: dict[Key, list[Reference]]
    no_reference: dict[Key, str]
    exceptions: dict[Key, tuple[frozenset, str]] = dataclasses.field(default_factory=dict)
    skip: dict[Key, str] = dataclasses.field(default_factory=dict)
    version: str = ""
    free: dict[Key, str] = dataclasses.field(default_factory=dict)
    filters: tuple[Key, ...] = ()
    moving: dict[Key, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Raw:
    """A body that is not JSON, or of a type of its own."""

    data: bytes
    content_type: str = "application/octet-stream"


class Asker:
    """A logged-in user who may be answered anything."""

    def __init__(self, client):
        self.client = client
        self.project_id, self.user_id = client.project_id, ""

    def __call__(self, service: Service | str, method: str, path: str, body=None, *, version: str = "") -> tuple[int, str]:
        name = service if isinstance(service, str) else service.name
        kind = body.content_type if isinstance(body, Raw) else "application/json"
        headers = {"X-Auth-Token": self.client.token, "Content-Type": kind}
        if version:
            headers["OpenStack-API-Version"] = version
        raw = body.data if isinstance(body, Raw) else None if body is None else json.dumps(body).encode()
        root = self.client.url(name).removesuffix(self.client.PREFIX[name])
        response = self.client.pool.request(method, root + path, headers=headers, body=raw, timeout=60)
        return response.status, response.data.decode("utf-8", "replace")

    def made(self, service: Service | str, path: str, body, *, version: str = "") -> dict:
        """The object that a POST makes."""
        status, text = self(service, "POST", path, body, version=version)
        assert status < 300, (path, status, text[:500])
        answer = json.loads(text)
        return answer if "id" in answer else next(iter(answer.values()))


def fill(path: str, ids: Ids, last: Ids | None = None) -> str:
    """A route's path with ids in place of its parameters; the last one from ``last`` where that is given."""
    names = list(re.finditer(r"\{(\w+)\}", path))

    def value(match) -> str:
        of = last if last is not None and match.start() == names[-1].start() else ids
        before = path[:match.start()].rstrip("/").rsplit("/", 1)[-1]
        return of[f"{before}/{match[1]}"] if f"{before}/{match[1]}" in of else of[before if match[1] == "id" else match[1]]
    return re.sub(r"\{(\w+)\}", value, path)


def parameters(route: Route) -> list[str]:
    return re.findall(r"\{(\w+)\}", route.path)


def key(route: Route) -> Key:
    return route.method, route.path


def version(service: Service, route: Route) -> str:
    """The microversion to ask a route with."""
    if not service.version:
        return ""
    last = route.versions[1] if route.versions and route.versions[1] else None
    return f"{service.name} {'%d.%d' % last if last else service.version}"


def looks_like_reference(path: str) -> bool:
    return bool(_REFERENCE.search(path))


def properties(json_schema, path: str = "") -> set[str]:
    """The paths of all properties that a JSON Schema declares: ``server/networks[]/uuid``."""
    found: set[str] = set()
    if isinstance(json_schema, dict):
        for name, inner in json_schema.get("properties", {}).items():
            at = f"{path}/{name}" if path else name
            found |= {at} | properties(inner, at)
        found |= properties(json_schema.get("items"), path + "[]")
        for choice in ("oneOf", "anyOf", "allOf"):
            for inner in json_schema.get(choice, []):
                found |= properties(inner, path)
    return found


def writes(route: Route) -> bool:
    return route.method in ("POST", "PUT", "PATCH")


def snapshot(service: Service, owner: Asker, ids: Ids) -> dict[str, tuple[int, str]]:
    """What the owner sees of his objects, on every route that shows something."""
    found, left_out = {}, {**service.skip, **service.moving}
    for route in service.routes:
        # With the project in the path it would be the same again.
        if route.method == "GET" and key(route) not in left_out and "project_id" not in parameters(route):
            path = fill(route.path, ids)
            status, text = owner(service, "GET", path, version=version(service, route))
            # Some refusals have their request's id in the body.
            found[f"{path} {version(service, route)}"] = status, _REQUEST_ID.sub("", text) if status >= 400 else text
    return found
