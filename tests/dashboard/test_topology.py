"""The picture of the networks, in a project with far more than it can show."""

import re

from tests.dashboard.apis import PROJECT, Dashboard
from tests.dashboard.browser import words


def uid(kind: str, n: int) -> str:
    return f"{kind}{n:031x}"


def network(n: int, **more) -> dict:
    return {"id": uid("a", n), "name": f"net-{n}", "router:external": False, "shared": False, "project_id": PROJECT, **more}


NETWORKS = [network(n) for n in range(500)] + [network(900, **{"router:external": True})]
SERVERS = [{"id": uid("b", n), "name": f"server-{n}", "status": "ACTIVE"} for n in range(1000)]


def networks(query: dict) -> dict:
    found = [n for n in NETWORKS if all(n[name] for name in ("router:external", "shared") if name in query)]
    if "id" in query:
        found = [n for n in found if n["id"] == query["id"]]
    return {"networks": found[:int(query.get("limit", 9999))]}


def dashboard() -> Dashboard:
    """Its instances are in the network 444."""
    return Dashboard({
        "GET /v2.0/networks": networks, "GET /v2.0/routers": {"routers": []},
        "GET /v2.1/servers/detail": lambda query: {"servers": SERVERS[:int(query["limit"])]},
        "GET /v2.0/ports": {"ports": [{"network_id": uid("a", 444), "device_id": SERVERS[0]["id"], "fixed_ips": [
            {"ip_address": "10.0.0.7", "subnet_id": uid("c", 1)}]}]},
        "GET /v2.0/subnets": {"subnets": [{"network_id": uid("a", 444), "cidr": "10.0.0.0/24"}]}})


def test_what_is_asked_for_does_not_grow_with_the_cloud():
    made = dashboard()
    text = made.send("/project/network_topology/").text
    assert len(made.apis.sent) <= 8
    assert all("limit" in s.query for s in made.apis.sent if s.path in ("/v2.0/routers", "/v2.1/servers/detail"))
    assert len(re.findall(r'href="/project/networks/a', text)) < 70
    assert "The picture shows the first 60" in text and "may be missing" in text


def test_networks_of_what_is_shown_and_external_ones_are_there():
    text = words(dashboard().send("/project/network_topology/").text)
    assert "net-444" in text and "10.0.0.0/24" in text and "net-444: 10.0.0.7" in text and "net-900" in text
