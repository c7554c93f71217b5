"""Every route of the compute API, asked by every persona: who is refused, how, and what is shown to whom."""

import contextlib
import dataclasses
import itertools
import json
import pathlib
import time

import pytest

from common.periodic import wait_for
from common.policy import RELOAD_S
from compute_api import router
from compute_api.handlers import actions, services, versions
from tests.policies.runner import Ask, Judge, operation, rules_by_operation, surprises
from tests.tenancy import compute
from tests.tenancy.compute import FLAVOR, VERSION, new_server, public_image
from tests.tenancy.frame import Asker, fill, key, parameters, snapshot, version

MARK = "personas-"
# Rules about a part of a request or an answer. Which requests ask them is said by hand below.
_PARTS = {
    "os_compute_api:servers:index:get_all_tenants", "os_compute_api:servers:detail:get_all_tenants",
    "os_compute_api:servers:allow_all_filters", "os_compute_api:servers:show:flavor-extra-specs",
    "compute:server:topology:host:index",
    "os_compute_api:servers:show:host_status", "os_compute_api:servers:show:host_status:unknown-only",
    "os_compute_api:os-extended-server-attributes", "os_compute_api:servers:create:forced_host",
    "compute:servers:create:requested_destination", "os_compute_api:servers:create:attach_volume",
    "os_compute_api:servers:create:attach_network", "os_compute_api:servers:create:zero_disk_flavor",
    "network:attach_external_network", "os_compute_api:servers:create_image:allow_volume_backed",
    "os_compute_api:os-lock-server:unlock:unlock_override", "os_compute_api:os-volumes-attachments:swap",
    "os_compute_api:os-instance-actions:events", "os_compute_api:os-instance-actions:events:details",
    "os_compute_api:os-migrate-server:migrate:host", "os_compute_api:os-migrate-server:migrate_live:host",
    "os_compute_api:os-shelve:unshelve_to_host",
    "os_compute_api:servers:migrations:index:host", "os_compute_api:os-migrations:index:all_projects",
    "os_compute_api:os-migrations:index:host",
    "os_compute_api:limits:other_project", "os_compute_api:os-server-groups:index:all_projects"}
_SPECS = "os_compute_api:os-flavor-extra-specs:index"  # of its own route, and part of what others show
# Routes that ask no rule: flavors are shown to everybody.
_FREE = {("GET", "/flavors"), ("GET", "/flavors/detail"), ("GET", "/flavors/{}")}
_ELSEWHERE = "/v2.1/images"  # what asks no rule here: the image service decides about its own
# Other services decide about what the rules here let pass.
_PROXIED = ("/os-volumes", "/os-snapshots", "/os-networks", "/os-tenant-networks")
_OF_PROJECT = ("/servers/{id}", "/os-server-groups/{id}")
# What one who may ask is told there is none of: it is nobody's, or the network service knows it as another project's.
_ABSENT = {"/os-security-groups/{id}", "/os-security-group-rules", "/os-security-group-rules/{id}", "/os-floating-ips/{id}",
           "/os-services/{id}", "/os-hypervisors/{id}", "/os-hypervisors/{id}/uptime", "/os-hypervisors/{id}/search",
           "/os-hypervisors/{id}/servers", "/os-hosts/{id}",
           *(f"/os-hosts/{{id}}/{verb}" for verb in ("reboot", "shutdown", "startup")),
           "/flavors/{id}/os-flavor-access", "/flavors/{id}/action",
           "/os-console-auth-tokens/{token}", "/os-aggregates/{id}", "/os-aggregates/{id}/action", "/os-aggregates/{id}/images",
           "/servers/{id}/migrations/{migration_id}"}
_ABSENT_IN_ACTIONS = {"addFloatingIp", "removeFloatingIp", "addFixedIp", "removeSecurityGroup"}
_BODIES = {
    ("POST", "/servers"): lambda ids: {"server": {
        "name": "p", "flavorRef": FLAVOR, "imageRef": ids["public image"], "networks": "none"}},
    ("POST", "/os-volumes"): lambda ids: {"volume": {"size": 1, "display_name": "p"}},
    ("POST", "/os-snapshots"): lambda ids: {"snapshot": {"volume_id": ids["os-volumes"], "display_name": "p"}},
    ("POST", "/os-keypairs"): lambda ids: {"keypair": {
        "name": "p", "type": "ssh", "public_key": compute.KEY, "user_id": ids["user"]}},
    ("POST", "/flavors"): lambda ids: {"flavor": {"name": "p", "ram": 1, "vcpus": 1, "disk": 1}},
    ("POST", "/os-aggregates"): lambda ids: {"aggregate": {"name": f"p-{next(_NUMBERS)}"}},
    ("POST", "/os-server-groups"): lambda ids: {"server_group": {"name": "p", "policy": "affinity"}},
    ("POST", "/os-floating-ips"): lambda ids: {"pool": "public"},
    ("POST", "/os-security-groups"): lambda ids: {"security_group": {"name": "p", "description": "p"}},
    ("POST", "/os-security-group-rules"): lambda ids: {"security_group_rule": {
        "parent_group_id": ids["os-security-groups"], "ip_protocol": "tcp", "from_port": 8, "to_port": 8, "cidr": "10.0.0.0/8"}},
    ("POST", "/os-server-external-events"): lambda ids: {"events": [{"name": "network-changed", "server_uuid": ids["servers"]}]},
    ("PUT", "/os-quota-sets/{target}"): lambda ids: {"quota_set": {"key_pairs": 90}},
    ("POST", "/flavors/{id}/action"): lambda ids: [{name: {"tenant": ids["project_id"]}} for name in (
        "addTenantAccess", "removeTenantAccess")],
}


@pytest.fixture(scope="module")
def owner(home) -> Asker:
    return home["project member"].asker


@pytest.fixture(scope="module")
def admin(cloud) -> Asker:
    return Asker(cloud.client)


@pytest.fixture(scope="module")
def ids(owner, admin, home):
    admin("compute", "PUT", f"/v2.1/os-quota-sets/{home.project_id}", {"quota_set": {"instances": -1, "cores": -1, "ram": -1}})
    admin("compute", "POST", f"/v2.1/flavors/{FLAVOR}/os-extra_specs", {"extra_specs": {"k": "v"}})
    empty = admin.made("compute", "/v2.1/flavors", {"flavor": {"name": MARK + "empty", "ram": 64, "vcpus": 1, "disk": 0}})
    external = json.loads(owner("network", "GET", "/v2.0/networks?router:external=True")[1])["networks"][0]["id"]
    return {**compute.make(owner, MARK), "token": "used-up", "public image": public_image(owner), "empty": empty["id"],
            "external": external}


def routes():
    """Those that a token is needed for, once: with the project in the path it would be the same again."""
    handlers = (versions.index, versions.show, versions.show_legacy)
    return [r for r in router.ROUTES if r.handler not in handlers and "project_id" not in parameters(r)
            and not r.path.startswith(_ELSEWHERE)]


def bodies(route, ids):
    """The bodies to send, each with the name of its action where it is one."""
    plain = route.path.removeprefix("/v2.1")
    if route.method in ("GET", "DELETE"):
        return [(None, "")]
    if route.handler is services.legacy_update:
        return [({"host": "nowhere", "binary": "nova-compute"}, "")]
    make = _BODIES.get((route.method, plain)) or compute.SERVICE.bodies.get(key(route))
    assert make, f"{key(route)} needs a body"
    found = make(ids)
    named = plain.endswith("/action")
    return [(body, next(iter(body)) if named else "") for body in (found if isinstance(found, list) else [found])]


def rules_of(route, action: str) -> tuple[str, ...]:
    method, shape = operation(route.method, route.path, action)
    if (method, shape) in _FREE:
        return ()
    declared = [n for n in rules_by_operation("compute").get((method, shape), []) if n not in _PARTS]
    declared = [n for n in declared if n != _SPECS or shape.endswith("/os-extra_specs")]
    assert len(declared) == 1, f"{method} {shape} is the operation of {declared or 'no rule'}"
    return tuple(declared)


def target_of(path: str, home, ids):
    """What the rules of a route are asked about."""
    if "/os-keypairs" in path:
        return {"user_id": ids["user"]}
    if "/servers/{id}" in path or "/os-server-groups/{id}" in path or "/os-quota-sets" in path \
            or "/os-simple-tenant-usage/" in path:
        return {"project_id": home.project_id, "user_id": ids["user"]}
    return lambda ctx: {"project_id": ctx.project_id, "user_id": ctx.user_id}


def stranger(home):
    """Who does not know of the home's objects."""
    return lambda ctx: ctx.project_id != home.project_id and "admin" not in ctx.roles


def nobody(ctx) -> bool:
    return False


def asks(home, ids, admin, owner):
    """A request for each route and action."""
    for route in routes():
        plain = route.path.removeprefix("/v2.1")
        for body, action in bodies(route, ids):
            path = fill(route.path, ids) + (f"?user_id={ids['user']}" if "/os-keypairs" in route.path and body is None else "")
            last = actions._LAST.get(action)
            yield Ask(route.method, path, rules_of(route, action), target_of(route.path, home, ids), body,
                      version="compute %d.%d" % last if last else version(compute.SERVICE, route),
                      hidden=stranger(home) if any(p in route.path for p in _OF_PROJECT) else nobody,
                      fresh=fresh(route, action, path, body, ids, admin, owner),
                      allowed=allowed(route.method, plain, action))


def allowed(method: str, plain: str, action: str) -> frozenset:
    """What one whom the rules here let pass may be refused with all the same."""
    if method == "DELETE" and plain == "/servers/{id}/os-volume_attachments/{volume_id}":
        return frozenset((404,))  # whoever was asked first has detached it, if the server's state at that moment allowed that
    if plain.startswith(_PROXIED):
        return frozenset((403, 404))
    if plain in _ABSENT or action in _ABSENT_IN_ACTIONS:
        return frozenset((404,))
    if plain == "/os-migrations":  # of every project: who may ask for that, is asked below
        return frozenset((403,))
    # Pools are networks: the network service decides who sees those.
    return frozenset((403,) if plain == "/os-floating-ip-pools" else ())


def fresh(route, action: str, path: str, body, ids, admin, owner):
    """How to make anew what a request takes away; None where it takes nothing."""
    plain = route.path.removeprefix("/v2.1")

    def put_back(who: Asker, method: str, where: str, sent):
        """The same thing under the same name."""
        def make():
            status, text = who("compute", method, fill("/v2.1" + where, ids), sent, version=VERSION)
            assert status < 300 or status == 409, text
            return path, body
        return make

    def another(make):
        """A thing with an id of its own."""
        return lambda: (fill(route.path, {**ids, plain.split("/")[1]: make()}), body)

    def made(who: Asker, where: str, sent):
        return another(lambda: who.made("compute", "/v2.1" + where, sent(f"brief-{next(_NUMBERS)}"), version=VERSION)["id"])
    if action == "forceDelete" or (route.method, plain) == ("DELETE", "/servers/{id}"):
        return another(lambda: new_server(owner, "brief", networks="none"))
    key_pair = {"name": ids["name"], "type": "ssh", "public_key": compute.KEY}
    return {
        "/servers/{id}/metadata/{key}": put_back(owner, "POST", "/servers/{id}/metadata", {"metadata": {"k": "v"}}),
        "/servers/{id}/tags/{tag}": put_back(owner, "PUT", "/servers/{id}/tags/{tag}", None),
        "/flavors/{id}/os-extra_specs/{key}": put_back(
            admin, "POST", "/flavors/{id}/os-extra_specs", {"extra_specs": {"k": "v"}}),
        "/os-keypairs/{name}": put_back(owner, "POST", "/os-keypairs", {"keypair": key_pair}),
        "/flavors/{id}": made(admin, "/flavors", lambda name: {"flavor": {"name": name, "ram": 1, "vcpus": 1, "disk": 1}}),
        "/os-server-groups/{id}": made(owner, "/os-server-groups", lambda name: {
            "server_group": {"name": name, "policy": "affinity"}}),
    }.get(plain) if route.method == "DELETE" else None


_NUMBERS = itertools.count()


def of_parts(home, ids):
    """Requests that ask for more than their route."""
    create, own = "os_compute_api:servers:create", target_of("", home, ids)
    of_home = target_of("/servers/{id}", home, ids)
    server = {"name": "p", "flavorRef": FLAVOR, "imageRef": ids["public image"], "networks": "none"}

    def boot(rule: str, says: str = "", **more) -> Ask:
        return Ask("POST", "/v2.1/servers", (create, rule), own, {"server": {**server, **more}}, VERSION, says=says)
    for where in ("", "/detail"):
        rule = f"os_compute_api:servers:{where[1:] or 'index'}"
        yield Ask("GET", f"/v2.1/servers{where}?all_tenants=1", (rule, f"{rule}:get_all_tenants"), own, version=VERSION)
    limits = "os_compute_api:limits"
    yield Ask("GET", f"/v2.1/limits?tenant_id={home.project_id}", (limits, f"{limits}:other_project"), own, version=VERSION)
    yield Ask("GET", "/v2.1/os-server-groups?all_projects=1", ("os_compute_api:os-server-groups:index",), own, version=VERSION)
    yield boot(f"{create}:forced_host", availability_zone="nova:nowhere")
    yield boot("compute:servers:create:requested_destination", host="nowhere")
    yield boot("compute:servers:create:requested_destination", hypervisor_hostname="nowhere")
    yield boot(f"{create}:zero_disk_flavor", "Only volume-backed servers", flavorRef=ids["empty"])
    yield boot("network:attach_external_network", "not allowed to create an interface on external network",
               networks=[{"uuid": ids["external"]}])
    listed = "os_compute_api:os-migrations:index"
    yield Ask("GET", "/v2.1/os-migrations", (listed, f"{listed}:all_projects"), own, version=VERSION)
    one = f"/v2.1/servers/{ids['servers']}"
    yield Ask("POST", f"{one}/action", ("os_compute_api:os-migrate-server:migrate:host",), of_home,
              {"migrate": {"host": "nowhere"}}, VERSION, hidden=stranger(home))
    yield Ask("POST", f"{one}/action", (
        "os_compute_api:os-shelve:unshelve", "os_compute_api:os-shelve:unshelve_to_host"), of_home,
              {"unshelve": {"host": "nowhere"}}, "compute 2.91", hidden=stranger(home))
    yield Ask("POST", f"{one}/action", ("os_compute_api:os-migrate-server:migrate_live:host",), of_home,
              {"os-migrateLive": {"host": "nowhere", "block_migration": "auto"}}, VERSION, hidden=stranger(home))
    yield Ask("PUT", f"{one}/os-volume_attachments/{ids['volume_id']}", ("os_compute_api:os-volumes-attachments:swap",), of_home,
              {"volumeAttachment": {"volumeId": ids["spare"]}}, VERSION, hidden=stranger(home), allowed=frozenset((404,)))
    yield Ask("POST", f"{one}/os-interface", ("os_compute_api:os-attach-interfaces:create", "network:attach_external_network"),
              of_home, {"interfaceAttachment": {"net_id": ids["external"]}}, VERSION, hidden=stranger(home),
              says="external network")


def _order(ask: Ask) -> int:
    """What shows first, what takes away last."""
    return ("GET", "PUT", "POST", "DELETE").index(ask.method)


def settled(owner: Asker, ids) -> dict:
    """What the owner sees, once none of his servers does anything any more."""
    def idle() -> bool:
        found = json.loads(owner("compute", "GET", "/v2.1/servers/detail", version=VERSION)[1])["servers"]
        return not any(server["OS-EXT-STS:task_state"] or (server["OS-EXT-STS:vm_state"], server["OS-EXT-STS:power_state"]) ==
                       ("active", 3) for server in found)  # a guest is paused while a volume of it is extended
    wait_for(idle, 30, what="servers that do nothing")
    seen = snapshot(compute.SERVICE, owner, ids)
    return {where: answer for where, answer in seen.items() if "/diagnostics" not in where}  # they tell for how long it has run


@contextlib.contextmanager
def operators_rules(cloud, rules: dict[str, str]):
    """While an operator's file has these rules."""
    file = pathlib.Path(cloud.state, "etc", "compute-policy.yaml")
    file.write_text(json.dumps(rules))
    time.sleep(1.5 * RELOAD_S)
    try:
        yield
    finally:
        file.unlink()
        time.sleep(1.5 * RELOAD_S)


@pytest.fixture
def only_its_user(cloud, home, ids, admin, owner):
    """The requests about a server or a group of it, each of which an operator allows to its user in its project alone."""
    about = [a for a in asks(home, ids, admin, owner) if a.hidden is not nobody]
    check = "user_id:%(user_id)s and project_id:%(project_id)s"
    with operators_rules(cloud, {rule: check for ask in about for rule in ask.rules}):
        yield about


def test_rules_are_asked_about_the_servers_own_user_and_project(home, ids, owner, only_its_user):
    before, wrong = settled(owner, ids), []
    assert len(only_its_user) > 50
    for ask, name in itertools.product(only_its_user, ("project admin", "foreign project admin")):
        status, text = home[name].asker("compute", ask.method, ask.path, ask.body, version=ask.version)
        if status != 403 or ask.rules[0] not in text:
            wrong.append((str(ask), name, status, text[:200]))
    for ask in only_its_user:
        right = {200, 204, *ask.allowed}
        if ask.method == "GET" and (status := owner("compute", "GET", ask.path, version=ask.version)[0]) not in right:
            wrong.append((str(ask), "its user", status))
    assert not wrong, "\n".join(map(str, wrong))
    assert settled(owner, ids) == before


def test_an_operator_forbids_parts_of_requests(cloud, ids, owner):
    create = "os_compute_api:servers:create"
    volume = {"boot_index": 0, "source_type": "image", "destination_type": "volume", "uuid": ids["public image"],
              "volume_size": 1, "delete_on_termination": True}
    booted = new_server(owner, MARK + "of-volume", networks="none", imageRef="", block_device_mapping_v2=[volume])
    image = f"/v2.1/servers/{booted}/action", {"createImage": {"name": "p"}}

    def boot(**more):
        return "/v2.1/servers", {"server": {"name": "p", "flavorRef": FLAVOR, "imageRef": ids["public image"],
                                            "networks": "none", **more}}
    forbidden = {f"{create}:attach_volume": boot(block_device_mapping_v2=[{**volume, "boot_index": None}]),
                 f"{create}:attach_network": boot(networks=[{"uuid": ids["network"]}]),
                 "os_compute_api:servers:create_image:allow_volume_backed": image}
    with operators_rules(cloud, dict.fromkeys(forbidden, "!")):
        for rule, (path, body) in forbidden.items():
            status, text = owner("compute", "POST", path, body, version=VERSION)
            assert status == 403 and rule in text, (rule, status, text)
        assert owner("compute", "POST", *boot(), version=VERSION)[0] == 202
    for path, body in forbidden.values():
        assert owner("compute", "POST", path, body, version=VERSION)[0] == 202


def test_the_project_in_a_path_is_the_tokens(home, ids, owner):
    path = f"/v2.1/{home.project_id}/servers/{ids['servers']}"
    assert owner("compute", "GET", path)[0] == 200
    for name in ("foreign project admin", "system admin"):
        status, text = home[name].asker("compute", "GET", path)
        assert status == 400 and "Malformed request URL" in text


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of an answer that is shown by a rule."""

    path: str
    rule: str
    shown: object  # the answer -> whether the part is there


def parts(ids):
    one = f"/v2.1/servers/{ids['servers']}"
    event = f"{one}/os-instance-actions/{ids['request_id']}"
    return [
        Part(one, "os_compute_api:os-extended-server-attributes", lambda a: "OS-EXT-SRV-ATTR:host" in a["server"]),
        Part(one, "os_compute_api:servers:show:host_status", lambda a: "host_status" in a["server"]),
        Part(one, "os_compute_api:servers:show:flavor-extra-specs", lambda a: "extra_specs" in a["server"]["flavor"]),
        Part(event, "os_compute_api:os-instance-actions:events", lambda a: "traceback" in a["instanceAction"]["events"][0]),
        Part(event, "os_compute_api:os-instance-actions:events", lambda a: "host" in a["instanceAction"]["events"][0]),
        Part(event, "os_compute_api:os-instance-actions:events:details", lambda a: "details" in a["instanceAction"]["events"][0]),
        Part(f"/v2.1/flavors/{FLAVOR}", _SPECS, lambda a: "extra_specs" in a["flavor"]),
    ]


def test_what_is_shown_to_whom(home, ids):
    judge, wrong, seen = Judge("compute"), [], set()
    for part in parts(ids):
        for persona in home.people.values():
            status, text = persona.asker("compute", "GET", part.path, version=VERSION)
            if status != 200:
                continue
            own = {"project_id": persona.ctx.project_id if "flavors" in part.path else home.project_id}
            wanted = judge.allows(persona.ctx, part.rule, own)
            seen.add((part.rule, wanted))
            if part.shown(json.loads(text)) != wanted:
                wrong.append((persona.name, part.rule, wanted))
    assert not wrong
    assert len(seen) == 2 * len({p.rule for p in parts(ids)}) - 1  # extra specs of a server: to everybody who sees it


def test_filters_that_are_not_everybodys_are_left_out(home, ids, owner):
    def found(who: Asker, query: str, at: str = VERSION) -> int:
        status, text = who("compute", "GET", f"/v2.1/servers?{query}", version=at)
        assert status == 200, text
        return len(json.loads(text)["servers"])
    everything, boss = found(owner, ""), home["project admin"].asker
    for query in ("host=nowhere", "hostname=nowhere", "description=nothing", f"uuid={ids['user']}", "deleted=true"):
        assert found(owner, query) == everything, query
        assert found(boss, query) == 0, query
    assert found(owner, "key_name=nothing", "compute 2.82") == everything and found(owner, "key_name=nothing") == 0
    for query, says in (("status=deleted", "administrators may list deleted"), ("sort_key=host", "administrators can sort")):
        status, text = owner("compute", "GET", f"/v2.1/servers?{query}", version=VERSION)
        assert status == 403 and says in text
        assert boss("compute", "GET", f"/v2.1/servers?{query}", version=VERSION)[0] == 200


def test_an_owner_does_not_take_off_an_administrators_lock(home, ids, owner):
    server = new_server(owner, MARK + "locked", networks="none")
    path, rule = f"/v2.1/servers/{server}/action", "os-lock-server:unlock:unlock_override"
    boss, same = home["foreign project admin"].asker, home["project admin"].asker
    assert boss("compute", "POST", path, {"lock": None})[0] == 202
    for request in ({"lock": None}, {"unlock": None}):  # locking it again does not make the lock the owner's
        status, text = owner("compute", "POST", path, request)
        assert (status, rule in text) == ((202, False) if "lock" in request else (403, True)), text
    assert owner("compute", "POST", path, {"os-stop": None})[0] == 409
    assert same("compute", "POST", path, {"unlock": None})[0] == 202
    assert owner("compute", "POST", path, {"lock": None})[0] == 202
    assert owner("compute", "POST", path, {"unlock": None})[0] == 202


def test_who_may_do_what(home, ids, admin, owner):
    every = sorted([*asks(home, ids, admin, owner), *of_parts(home, ids)], key=_order)
    found = surprises("compute", home, every, lambda: settled(owner, ids))
    assert not found, f"{len(found)}:\n" + "\n".join(found)
    assert len(every) > 115
