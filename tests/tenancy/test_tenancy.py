"""Two projects on one cloud: nothing of the one is read, listed, changed, deleted or referred to by the other.

``frame.py`` says how a service describes itself; a new route or attribute without an entry fails here.
"""

import pytest

from tests.conftest import login_as
from tests.tenancy import compute, identity, image, network, placement, volume
from tests.tenancy.frame import MARK, REFUSED, Asker, fill, key, looks_like_reference, parameters, snapshot, version, writes

SERVICES = [identity.SERVICE, network.SERVICE, compute.SERVICE, volume.SERVICE, image.SERVICE, placement.SERVICE]
everyone = pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.name)


def person(cloud, name: str) -> Asker:
    admin = cloud.client
    project = admin.call("identity", "POST", "/projects", {"project": {"name": f"{name}-project"}})["project"]
    user = admin.call("identity", "POST", "/users", {"user": {"name": name, "password": "pw-of-them"}})["user"]
    role = admin.find("identity", "roles", "member")
    admin.call("identity", "PUT", f"/projects/{project['id']}/users/{user['id']}/roles/{role['id']}")
    asker = Asker(login_as(cloud, name, "pw-of-them", f"{name}-project"))
    asker.user_id = user["id"]
    return asker


@pytest.fixture(scope="module")
def people(cloud):
    """(the owner, the stranger), both members of a project of their own."""
    return person(cloud, "alice"), person(cloud, "bob")


@pytest.fixture(scope="module")
def objects(people):
    """service -> ({noun: id} of the owner's, of the stranger's); made when first asked for."""
    known: dict = {}

    def of(service):
        if service.name not in known:
            known[service.name] = service.make(people[0], MARK), service.make(people[1], "bobs-")
        return known[service.name]
    return of


@everyone
def test_every_route_and_reference_has_an_entry(service):
    routes = {key(r) for r in service.routes}
    named = {*service.bodies, *service.exceptions, *service.skip, *service.free, *service.moving}
    assert not sorted(named - routes), "of no route"
    assert not [key(r) for r in service.routes if writes(r) and parameters(r) and key(r) not in service.bodies
                and key(r) not in service.skip], "a route that writes needs a valid body"
    found = {(where, path) for where, paths in service.properties().items() for path in paths if looks_like_reference(path)}
    entries = {*service.references, *service.no_reference}
    assert not sorted(found - entries), "attributes that look like references"
    assert not sorted(entries - {(w, p) for w, paths in service.properties().items() for p in paths}), "of no attribute"


def requests(service, own, theirs):
    """(route, path, body) that reach for another's object by the ids in the path."""
    for route in service.routes:
        if not parameters(route) or key(route) in service.skip:
            continue
        bodies = service.bodies[key(route)](theirs) if writes(route) else None
        mixed = fill(route.path, own, theirs)
        for body in bodies if isinstance(bodies, list) else [bodies]:
            yield route, fill(route.path, theirs), body
            if len(parameters(route)) > 1 and key(route) not in service.free and mixed != fill(route.path, own):
                yield route, mixed, body


@everyone
def test_nothing_of_anothers_is_reached_by_its_id(service, people, objects):
    (owner, stranger), (theirs, own) = people, objects(service)
    before, wrong = snapshot(service, owner, theirs), []
    for route, path, body in requests(service, own, theirs):
        foreign_project = REFUSED | {400} if "project_id" in parameters(route) else REFUSED
        expected = service.exceptions.get(key(route), (foreign_project, ""))[0]
        status, text = stranger(service, route.method, path, body, version=version(service, route))
        if status not in expected or status < 300 and MARK in text:
            wrong.append((*key(route), path, status, text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    after = snapshot(service, owner, theirs)
    assert {k: (before[k], after[k]) for k in before if before[k] != after[k]} == {}


@everyone
def test_lists_show_nothing_of_anothers(service, people, objects):
    (owner, stranger), (theirs, own) = people, objects(service)
    hidden, wrong = [MARK, *[i for i in theirs.values() if len(i) >= 32 and i not in own.values()]], []
    filters = ["", *[f"?{name}={owner.project_id}" for name in ("project_id", "tenant_id", "owner", "marker")],
               "?all_tenants=1&all_projects=1", *[f"?id={value}" for value in sorted(set(theirs.values()))],
               *[f"?{name}={theirs[noun]}" for name, noun in service.filters]]
    for route in service.routes:
        if route.method != "GET" or parameters(route) or key(route) in service.skip:
            continue
        for query in filters:
            status, text = stranger(service, "GET", route.path + query, version=version(service, route))
            if status >= 500 or status < 300 and any(h in text.replace(query, "") for h in hidden):
                wrong.append((route.path + query, status, [h for h in hidden if h in text]))
    assert not wrong, "\n".join(map(str, wrong))


@everyone
def test_nothing_of_anothers_is_referred_to(service, people, objects):
    (owner, stranger), (theirs, own) = people, objects(service)
    before, wrong = snapshot(service, owner, theirs), []
    for where, references in service.references.items():
        for r in references:
            route = next(x for x in service.routes if key(x) == (r.method, r.path))
            status, text = stranger(service, r.method, fill(r.path, own), r.body(own, theirs), version=version(service, route))
            if status not in r.refused:
                wrong.append((where, "another's", status, text[:200]))
            if r.control:
                status, text = stranger(service, r.method, fill(r.path, own), r.body(own, own), version=version(service, route))
                if status >= 300:
                    wrong.append((where, "one's own", status, text[:200]))
    assert not wrong, "\n".join(map(str, wrong))
    after = snapshot(service, owner, theirs)
    assert {k: (before[k], after[k]) for k in before if before[k] != after[k]} == {}
