"""Each request that OpenStack's policies speak of is served, or is said to be missing; never both."""

import importlib
import re

import pytest
from routes import Mapper

from common import wsgi
from tests.policies.compare import OURS
from tests.policies.reference import rules

ID = "0123456789abcdef0123456789abcdef"
PREFIXES = {"identity": "", "compute": "/v2.1", "image": "", "volume": "/v3", "network": "/v2.0", "placement": ""}
# What OpenStack's policies say by mistake: it has no such request.
MISTAKES = {
    "identity": set(), "compute": set(), "image": {
        ("DELETE", f"/v2/tasks/{ID}")},  # it answers 405
    "volume": {("PUT", "/v3/types"), ("DELETE", "/v3/types"), ("PUT", "/v3/volumes"), ("POST", "/v3/volume_transfers"),
               ("GET", "/v3/volume_transfers"), ("GET", f"/v3/os-quota-sets/{ID}/default")},
    "placement": set(), "network": {("POST", "/v2.0/agents"), ("PUT", f"/v2.0/agents/{ID}/l3-routers/{ID}")}}
everyone = pytest.mark.parametrize("service", OURS)


def package(service: str, module: str):
    return importlib.import_module(f"{OURS[service]}.{module}")


def asked(service: str) -> set[tuple[str, str, str]]:
    """(method, path with ids, name of an action) of every request."""
    found = set()
    for rule in rules(service).values():
        for operation in rule["operations"]:
            method, path = operation.strip().split(" ", 1)
            path, _, action = path.partition(" (")
            path = re.sub(r"\{[^}]*\}", ID, path.split("?")[0]).strip().rstrip("/")
            path = path if re.match(r"/v[23]", path) else PREFIXES[service] + path
            found.add((method, path, action.rstrip(") ")))
    return found


def served(service: str):
    """(method, path) -> whether there is a route of it."""
    mapper, methods = Mapper(register=False, explicit=True), {}
    for route in package(service, "router").ROUTES:
        if route.path not in methods:
            mapper.connect(None, route.path, template=route.path, requirements=wsgi.REQUIREMENTS)
        methods.setdefault(route.path, set()).add(route.method)

    def is_there(method: str, path: str) -> bool:
        match = mapper.match(path)
        return match is not None and ("GET" if method == "HEAD" else method) in methods[match["template"]]
    return is_there


@everyone
def test_every_request_is_served_or_said_to_be_missing(service):
    is_there, table = served(service), package(service, "unsupported").TABLE
    asked_for = {(method, path) for method, path, _ in asked(service)}
    unknown = {(m, p) for m, p in asked_for if not is_there(m, p) and table.find(m, p) is None}
    assert unknown == MISTAKES[service]


@everyone
def test_nothing_that_is_served_is_said_to_be_missing(service):
    table = package(service, "unsupported").TABLE
    paths = [(r.method, re.sub(r"\{[^}]*\}", ID, r.path)) for r in package(service, "router").ROUTES]
    assert [(m, p) for m, p in paths if table.find(m, p)] == []


@pytest.mark.parametrize("service, nouns", [("compute", ("servers",)), ("volume", ("volumes", "snapshots"))])
def test_every_action_is_served_or_said_to_be_missing(service, nouns):
    missing, there = package(service, "unsupported").ACTIONS, package(service, "router").ACTIONS
    names = {action for _, path, action in asked(service) if action and re.search(rf"/(?:{'|'.join(nouns)})/{ID}/action", path)}
    mistaken = {"update_snapshot_status"} if service == "volume" else set()  # its name begins with os-
    assert {n for n in names if n not in there and n not in missing} == mistaken
    assert set(missing) & set(there) == set()
