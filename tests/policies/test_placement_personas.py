"""Every route of the placement API as every persona."""

import json

import pytest

from compute_api.placement import router
from tests.policies.runner import Ask, operation, rules_by_operation, surprises
from tests.tenancy import placement
from tests.tenancy.frame import Asker, fill

VERSION = "placement 1.39"
QUERIES = {"/usages": "?project_id={project}", "/allocation_candidates": "?resources=VCPU:1"}


@pytest.fixture(scope="module")
def asks(home, cloud):
    admin = Asker(cloud.client)
    hosts = json.loads(admin("placement", "GET", "/resource_providers")[1])["resource_providers"]
    ids = {**placement.make(home["project member"].asker, "personas-"), "uuid": hosts[0]["uuid"]}
    known, found = rules_by_operation("placement"), []
    for route in router.ROUTES:
        if route.path != "/":
            path = fill(route.path, ids) + QUERIES.get(route.path, "").format(project=home.project_id)
            found.append(Ask(route.method, path, tuple(known[operation(route.method, route.path)]),
                             {"project_id": home.project_id}, version=VERSION))
    return found


def test_who_may_do_what(home, asks):
    found = surprises("placement", home, asks, dict)
    assert not found, f"{len(found)}:\n" + "\n".join(found)
    assert len(asks) == len(router.ROUTES) - 1


def test_a_project_is_told_its_own_usage_only(home):
    for name, status in (("project reader", 200), ("foreign project reader", 403), ("foreign project admin", 200)):
        assert home[name].asker("placement", "GET", f"/usages?project_id={home.project_id}", version=VERSION)[0] == status, name


def test_everybody_discovers_the_versions(home):
    for persona in home.people.values():
        assert persona.asker("placement", "GET", "/")[0] == 200
