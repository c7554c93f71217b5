"""Every route of the identity service as every persona, beside what Keystone's defaults say; in this process, without sockets.

What a route asks is read from the rules' operations. So a new route is asked here by itself; one that several rules name, or
that needs a body, is described below, and the test says so where it is not.
"""

import dataclasses
import json
import re
import types
import uuid

import pytest

from common.context import Context, new_hex
from deploy.first import Cloud
from identity import router
from identity.db import models
from identity.handlers import federation
from tests.identity.conftest import Caller
from tests.identity.test_routes_and_roles import content
from tests.policies.compare import declared
from tests.policies.reference import rules as reference
from tests.policies.runner import PASSWORD, Ask, Home, Judge, make_home, operation, rules_by_operation, surprises
from tests.tenancy.frame import Asker, fill

# Discovery, logins, and tokens, which are named by a header: of these see the last test.
SKIP = {("GET", "/"), ("GET", "/v3"), ("POST", "/v3/auth/tokens"), ("POST", "/v3/OS-OAUTH1/request_token"),
        ("POST", "/v3/OS-OAUTH1/access_token"), ("POST", "/v3/users/{id}/password"),
        *((method, "/v3/auth/tokens") for method in ("GET", "HEAD", "DELETE")),
        *((r.method, r.path) for r in router.ROUTES if r.handler in (federation.login, federation.websso))}
KEYS = {(r.method, r.path) for r in router.ROUTES}
ROUTES = [r for r in router.ROUTES if (r.method, r.path) not in SKIP]
NOUNS = ("user", "group", "project")


class Client:
    """What a cloud's client is to the drive, over the application itself."""

    PREFIX = Cloud.PREFIX

    def __init__(self, caller: Caller):
        self.caller, self.token, self.project_id = caller, caller.admin, ""
        self.pool = types.SimpleNamespace(request=self._request)

    def url(self, service: str) -> str:
        return "http://localhost/v3"

    def _request(self, method, url, headers=None, body=None, timeout=None):
        token = (headers or {}).get("X-Auth-Token", "")
        answer = self.caller.send(method, url.removeprefix("http://localhost"), json.loads(body) if body else None, token=token)
        return types.SimpleNamespace(status=answer.status_int, data=answer.body, headers=answer.headers)


@dataclasses.dataclass
class Things:
    """One of everything. ``place``: where the users, groups and projects are; ``ids`` fill the paths."""

    domain: str
    project: str
    user: str
    group: str
    ids: dict[str, str]

    @property
    def target(self) -> dict:
        """What Keystone's rules are told of these things; some of it, on each route, but it is all in one domain."""
        return {"user_id": self.user, "target.user.id": self.user, "target.user.domain_id": self.domain,
                "target.group.domain_id": self.domain, "target.project.id": self.project,
                "target.project.domain_id": self.domain, "target.domain.id": self.domain, "target.role.name": "member",
                "target.role.domain_id": "None", "target.credential.user_id": self.user,
                "target.trust.trustor_user_id": self.user, "target.limit.project_id": self.project,
                "target.limit.project.domain_id": self.domain}


@pytest.fixture(scope="module")
def caller(tmp_path_factory):
    made = Caller(tmp_path_factory.mktemp("personas"))
    allows, made.asked = made.service.policy.allows, set()

    def noted(ctx, rule, target=None):
        made.asked.add(rule)
        return allows(ctx, rule, target)
    made.service.policy.allows = noted
    yield made
    made.close()


@pytest.fixture(scope="module")
def admin(caller) -> Asker:
    return Asker(Client(caller))


@pytest.fixture(scope="module")
def home(admin) -> Home:
    return make_home(types.SimpleNamespace(client=admin.client))


def _ask(admin: Asker, method: str, path: str, body=None) -> dict:
    status, text = admin("identity", method, "/v3" + path, body)
    assert status < 300, (method, path, status, text)
    return json.loads(text) if text else {}


def _named(admin: Asker, path: str, name: str) -> str:
    (noun, found), = ((k, v) for k, v in _ask(admin, "GET", f"{path}?name={name}").items() if k != "links")
    return found[0]["id"]


@pytest.fixture(scope="module")
def shared(caller, admin) -> dict[str, str]:
    """Ids of what is in no domain."""
    ids = {"member": _named(admin, "/roles", "member"),
           "role": admin.made("identity", "/v3/roles", {"role": {"name": "r"}})["id"],
           "regions": admin.made("identity", "/v3/regions", {"region": {"id": "north"}})["id"],
           "services": admin.made("identity", "/v3/services", {"service": {"type": "tea"}})["id"],
           "policies": admin.made("identity", "/v3/policies", {"policy": {"type": "t", "blob": "b"}})["id"],
           "consumers": admin.made("identity", "/v3/OS-OAUTH1/consumers", {"consumer": {}})["id"]}
    ids["endpoints"] = admin.made("identity", "/v3/endpoints", {"endpoint": {
        "service_id": ids["services"], "interface": "public", "url": "http://x"}})["id"]
    ids["endpoint_groups"] = admin.made("identity", "/v3/OS-EP-FILTER/endpoint_groups", {"endpoint_group": {
        "name": "e", "filters": {"service_id": ids["services"]}}})["id"]
    ids["registered_limits"] = _ask(admin, "POST", "/registered_limits", {"registered_limits": [{
        "service_id": ids["services"], "resource_name": "cups", "default_limit": 1}]})["registered_limits"][0]["id"]
    for path, body in FEDERATED.items():
        _ask(admin, "PUT", path, body)
    for path in (f"/roles/{ids['role']}/implies/{ids['member']}",
                 f"/policies/{ids['policies']}/OS-ENDPOINT-POLICY/endpoints/{ids['endpoints']}"):
        _ask(admin, "PUT", path)
    return {**ids, "roles": ids["role"], "role_id": ids["member"], "implied_id": ids["member"], "endpoint_id": ids["endpoints"],
            "service_id": ids["services"], "region_id": ids["regions"], "identity_providers": "idp", "idp_id": "idp",
            "protocols": "openid", "mappings": "m", "service_providers": "sp", "tag": "t", "group": "ldap", "option": "url",
            "authorize": "nothing"}


_MAPPING = {"mapping": {"rules": [{"local": [{"user": {"name": "{0}"}}], "remote": [{"type": "X"}]}]}}
FEDERATED = {"/OS-FEDERATION/mappings/m": _MAPPING, "/OS-FEDERATION/identity_providers/idp": {"identity_provider": {}},
             "/OS-FEDERATION/identity_providers/idp/protocols/openid": {"protocol": {"mapping_id": "m"}},
             "/OS-FEDERATION/service_providers/sp": {"service_provider": {"auth_url": "http://a", "sp_url": "http://s"}}}


def _things(caller, admin: Asker, shared: dict, project: str) -> Things:
    """One of everything in the domain of a project, all of it of a user there."""
    domain = _ask(admin, "GET", f"/projects/{project}")["project"]["domain_id"]
    name, client = uuid.uuid4().hex, Client(caller)
    user, group = (admin.made("identity", f"/v3/{noun}s", {noun: {"name": name, "domain_id": domain, **more}})["id"]
                   for noun, more in (("user", {"password": "pw"}), ("group", {})))
    for path in (f"/groups/{group}/users/{user}", f"/projects/{project}/tags/t",
                 f"/OS-EP-FILTER/projects/{project}/endpoints/{shared['endpoints']}",
                 f"/OS-EP-FILTER/endpoint_groups/{shared['endpoint_groups']}/projects/{project}",
                 *(f"{target}/{holder}/roles/{shared['member']}" for holder in (f"users/{user}", f"groups/{group}")
                   for target in (f"/projects/{project}", f"/domains/{domain}", "/system")),
                 *(f"/OS-INHERIT{target}/{holder}/roles/{shared['member']}/inherited_to_projects"
                   for holder in (f"users/{user}", f"groups/{group}")
                   for target in (f"/projects/{project}", f"/domains/{domain}"))):
        _ask(admin, "PUT", path)
    _ask(admin, "PUT", f"/domains/{domain}/config", {"config": {"ldap": {"url": "ldap://x"}}})
    auth = {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": "pw"}}},
            "scope": {"project": {"id": project}}}
    client.token = caller.send("POST", "/v3/auth/tokens", {"auth": auth}).headers["X-Subject-Token"]
    owner = Asker(client)
    of_user = f"/v3/users/{user}"
    robot = owner.made("identity", of_user + "/application_credentials", {"application_credential": {
        "name": name, "access_rules": [{"service": "compute", "method": "GET", "path": f"/{name}"}]}})
    token = new_hex()
    with caller.service.db.writer() as connection:
        connection.execute(models.oauth_tokens.insert().values(
            id=token, kind="access", consumer_id=shared["consumers"], sealed_secret="x", project_id=project, user_id=user,
            roles=[shared["member"]]))
    ids = {**shared, "domains": domain, "projects": project, "project_id": project, "users": user, "user_id": user,
           "groups": group, "group_id": group, "projects/target_id": project, "domains/target_id": domain,
           "credential_id": robot["id"], "rule_id": robot["access_rules"][0]["id"], "access_tokens/token_id": token,
           "credentials": owner.made("identity", "/v3/credentials", {"credential": {"type": "note", "blob": "x"}})["id"],
           "access": owner.made("identity", of_user + "/credentials/OS-EC2", {"tenant_id": project})["access"],
           "trusts": owner.made("identity", "/v3/OS-TRUST/trusts", {"trust": {
               "trustor_user_id": user, "trustee_user_id": user, "impersonation": True, "project_id": project,
               "roles": [{"name": "member"}]}})["id"],
           "limits": _ask(admin, "POST", "/limits", {"limits": [{
               "service_id": shared["services"], "resource_name": "cups", "resource_limit": 2,
               "project_id": project}]})["limits"][0]["id"]}
    return Things(domain, project, user, group, ids)


@pytest.fixture(scope="module")
def own(caller, admin, home, shared):
    return _things(caller, admin, shared, home.project_id)


@pytest.fixture(scope="module")
def far(caller, admin, home, shared):
    return _things(caller, admin, shared, home["foreign project admin"].ctx.project_id)


# What is asked ----------------------------------------------------------------

def _domain(name: str):
    """The target of a list: the domain that a token is for."""
    return lambda ctx: {name: ctx.domain_id} if ctx.domain_id else {}


def _self(ctx: Context) -> dict:
    return {"user_id": ctx.user_id} | ({} if ctx.system else {"target.credential.user_id": ctx.user_id})


# Lists, whose rules are told of nothing but what is here.
LISTS = {"/v3/users": _domain("target.domain_id"), "/v3/projects": _domain("target.domain_id"),
         "/v3/groups": _domain("target.group.domain_id"), "/v3/domains": _domain("target.domain.id"),
         "/v3/role_assignments": _domain("target.domain_id"), "/v3/credentials": _self}


def _new(at: Things) -> dict[str, dict]:
    """{path: a body by which something new is made}"""
    name = new_hex()
    return {
        "/v3/domains": {"domain": {"name": name}}, **{f"/v3/{n}s": {n: {"name": name, "domain_id": at.domain}} for n in NOUNS},
        "/v3/roles": {"role": {"name": name}}, "/v3/regions": {"region": {"id": name}},
        "/v3/services": {"service": {"type": name}},
        "/v3/endpoints": {"endpoint": {"service_id": at.ids["services"], "interface": "public", "url": "http://x"}},
        "/v3/policies": {"policy": {"type": "t", "blob": "b"}}, "/v3/OS-OAUTH1/consumers": {"consumer": {}},
        "/v3/credentials": {"credential": {"type": "note", "blob": "x", "user_id": at.user}},
        "/v3/ec2tokens": {"credentials": {"access": "a", "signature": "s"}},
        "/v3/s3tokens": {"credentials": {"access": "a", "signature": "s"}},
        "/v3/OS-EP-FILTER/endpoint_groups": {"endpoint_group": {"name": name, "filters": {"interface": "public"}}},
        "/v3/users/{id}/credentials/OS-EC2": {"tenant_id": at.project},
        "/v3/users/{id}/application_credentials": {"application_credential": {"name": name}},
        "/v3/OS-TRUST/trusts": {"trust": {"trustor_user_id": at.user, "trustee_user_id": at.user, "impersonation": True}},
        "/v3/registered_limits": {"registered_limits": [{"service_id": at.ids["services"], "resource_name": name,
                                                         "default_limit": 1}]},
        "/v3/limits": {"limits": [{"service_id": at.ids["services"], "resource_name": "cups", "resource_limit": 1,
                                   "domain_id": at.domain}]}}


def _body(method: str, path: str, at: Things) -> dict | None:
    """A valid body, and one that changes nothing but a description."""
    if method == "POST":
        return _new(at)[path]
    if "/config" in path:
        return {"config": {"url": "ldap://x"} if "{option}" in path else {"ldap": {"url": "ldap://x"}}}
    if method == "PUT":
        return {"/v3/regions/{id}": {"region": {}}, "/v3/projects/{id}/tags": {"tags": ["t"]},
                "/v3/OS-OAUTH1/authorize/{id}": {"roles": [{"name": "member"}]},
                **{"/v3" + re.sub("/(m|idp|openid|sp)$", "/{id}", p).replace("/idp/", "/{idp_id}/"): b
                   for p, b in FEDERATED.items()}}.get(path)
    noun = path.split("/")[-2]
    special = {"endpoints": {"endpoint": {"url": "http://x"}}, "policies": {"policy": {"blob": "b"}},
               "credentials": {"credential": {"blob": "x"}}, "registered_limits": {"registered_limit": {"default_limit": 1}},
               "limits": {"limit": {"resource_limit": 2}}, "identity_providers": {"identity_provider": {}},
               "protocols": {"protocol": {"mapping_id": "m"}}, "mappings": _MAPPING,
               "service_providers": {"service_provider": {"sp_url": "http://s"}},
               "services": {"service": {"name": "x"}}}
    return special.get(noun, {noun[:-1]: {"description": "x"}}) if method == "PATCH" else None


def _fresh(caller, admin: Asker, shared: dict, at: Things, route):
    """For a request that does once what it does: something new of it each time."""
    base, noun = route.path.rsplit("/", 1)[0], route.path.split("/")[-2]

    def fresh():
        path = fill(route.path, at.ids)
        if route.method == "POST":
            return path, _new(at)[route.path]
        if route.path.startswith("/v3/OS-FEDERATION"):
            path, body = f"{path.rsplit('/', 1)[0]}/{new_hex()}", _body("PUT", route.path, at)
            if route.method == "DELETE":
                admin("identity", "PUT", path, body)
            return path, body
        if base in _new(at) and "{" not in base and noun not in ("limits", "registered_limits", "trusts"):
            made = admin.made("identity", base, _new(at)[base])["id"]
            if noun == "domains":
                _ask(admin, "PATCH", f"/domains/{made}", {"domain": {"enabled": False}})
            return route.path.replace("{id}", made), None
        if ("PUT", route.path) in KEYS:
            admin("identity", "PUT", path, _body("PUT", route.path, at))
            return path, None
        if noun == "registered_limits":
            made = _ask(admin, "POST", "/registered_limits", _new(at)[base])["registered_limits"][0]["id"]
            return route.path.replace("{id}", made), None
        again = _things(caller, admin, shared, _project(admin, at))
        if noun == "access_rules":  # one that is used is kept
            path = f"/users/{again.user}/application_credentials/{again.ids['credential_id']}"
            assert admin("identity", "DELETE", "/v3" + path)[0] == 204
        return fill(route.path, again.ids), None
    return fresh


def _project(admin: Asker, at: Things) -> str:
    return admin.made("identity", "/v3/projects", {"project": {"name": new_hex(), "domain_id": at.domain}})["id"]


# Routes that several rules are for: (what is added to the path, the rules, the target where it is another).
def _of_route(route, at: Things) -> list[tuple[str, tuple[str, ...], object]]:
    key = (route.method, route.path)
    if key == ("GET", "/v3/roles"):
        return [("", ("identity:list_roles",), {}), (f"?domain_id={at.domain}", ("identity:list_domain_roles",), {})]
    if key == ("GET", "/v3/OS-TRUST/trusts"):
        return [("", ("identity:list_trusts",), {}), *(
            (f"?{who}_user_id={at.user}", (f"identity:list_trusts_for_{who}",), {f"target.trust.{who}_user_id": at.user})
            for who in ("trustor", "trustee"))]
    if key == ("GET", "/v3/role_assignments"):
        return [("", ("identity:list_role_assignments",), LISTS[route.path]),
                (f"?include_subtree&scope.project.id={at.project}", ("identity:list_role_assignments_for_tree",),
                 {**at.target, "target.domain_id": at.domain})]
    if route.path.startswith("/v3/roles") and route.path.endswith(("/roles", "roles/{id}")):
        verb = {"GET": "get", "POST": "create", "PATCH": "update", "DELETE": "delete"}[route.method]
        return [("", (f"identity:{verb}_role",), {**at.target, "target.role.name": "r"})]
    rules = tuple(rules_by_operation("identity").get(operation(route.method, route.path), ()))
    if "/config/" in route.path and route.method == "GET":
        rules = tuple(r for r in rules if "security" not in r)
    assert len(rules) == 1 or route.path in ("/v3/auth/projects", "/v3/auth/domains"), (key, rules)
    if key == ("HEAD", "/v3/roles/{id}/implies/{implied_id}"):
        rules += ("identity:get_implied_role",)
    return [("", rules, LISTS[route.path] if route.method == "GET" and route.path in LISTS else at.target)]


# What right answers there are for who may, where the request leads to nothing here.
_ALLOWED = {("POST", "/v3/ec2tokens"): {401}, ("POST", "/v3/s3tokens"): {401}, ("PUT", "/v3/OS-OAUTH1/authorize/{id}"): {404},
            ("GET", "/v3/auth/catalog"): {403},  # there is one for projects only
            ("POST", "/v3/users/{id}/application_credentials"): {403}}  # with a token for a project only


def asks(caller, admin: Asker, shared: dict, at: Things) -> list[Ask]:
    found = []
    for route in ROUTES:
        once = route.method in ("POST", "DELETE") or route.method == "PUT" and "OS-FEDERATION" in route.path
        fresh = _fresh(caller, admin, shared, at, route) if once and route.path != "/v3/users/{id}/tokens" else None
        for query, rules, target in _of_route(route, at):
            body = _body(route.method, route.path, at) if route.method in ("POST", "PUT", "PATCH") else None
            found.append(Ask(route.method, fill(route.path, at.ids) + query, rules, target, body, fresh=fresh,
                             allowed=frozenset(_ALLOWED.get((route.method, route.path), ()))))
    return sorted([*found, *_asks_beside(admin, at)], key=lambda ask: ask.method == "DELETE")


def _asks_beside(admin: Asker, at: Things) -> list[Ask]:
    """What is asked by routes that ask other rules of other things: roles of domains, and what passwords must look like."""
    def given() -> dict:
        return {"role": {"name": new_hex(), "domain_id": at.domain}}

    def one() -> str:
        return "/v3/roles/" + admin.made("identity", "/v3/roles", given())["id"]
    target, path = {**at.target, "target.role.domain_id": at.domain}, one()
    return [Ask("GET", "/v3/domains/default/config/security_compliance", ("identity:get_security_compliance_domain_config",), {}),
            Ask("POST", "/v3/roles", ("identity:create_domain_role",), target, given(), fresh=lambda: ("/v3/roles", given())),
            Ask("GET", path, ("identity:get_domain_role",), target),
            Ask("PATCH", path, ("identity:update_domain_role",), target, {"role": {"description": "x"}}),
            Ask("DELETE", path, ("identity:delete_domain_role",), target, fresh=lambda: (one(), None))]


def _ask_of_whose(ask: Ask) -> bool:
    checks = " ".join(reference("identity")[rule]["check"] for rule in ask.rules)
    return any(text in checks for text in ("%(", "owner"))


def test_every_route_answers_as_keystone_does(caller, admin, home, shared, own):
    found = surprises("identity", home, asks(caller, admin, shared, own), lambda: {"rows": content(caller)})
    assert not found, "\n".join(found)
    of_requests = {r.name for r in declared("identity") if getattr(r, "operations", None)}
    assert of_requests - caller.asked <= {f"identity:{verb}_token" for verb in ("check", "validate", "revoke")}, "never asked"


def test_so_does_every_route_to_what_is_in_another_domain(caller, admin, home, shared, far):
    asked = [ask for ask in asks(caller, admin, shared, far) if _ask_of_whose(ask)]
    found = surprises("identity", home, asked, lambda: {"rows": content(caller)})
    assert not found and len(asked) > 60, "\n".join(found)


def test_what_is_ones_own(caller, admin, home, own):
    """What has the caller's own id in its path."""
    routes = [r for r in ROUTES if re.fullmatch(r"/v3/users/\{id\}[^{]*", r.path) and r.method in ("GET", "POST")]
    found = []
    for persona in home.people.values():
        me = dataclasses.replace(own, user=persona.ctx.user_id, ids={**own.ids, "users": persona.ctx.user_id})
        asked = [Ask(r.method, fill(r.path, me.ids), rules, target, _body(r.method, r.path, me), allowed=frozenset((
            403,) if r.method == "POST" else ()))  # on a project on which one has a role, with a token for a project
            for r in routes for _, rules, target in _of_route(r, me)]
        found += surprises("identity", dataclasses.replace(home, people={"": persona}), asked, lambda: {"rows": content(caller)})
    assert not found and len(routes) > 7, "\n".join(found)


def test_tokens(caller, home, own):
    """Of oneself, and of another user: looked into, asked after, and ended."""
    judge, wrong = Judge("identity"), []

    def login(user: str, password: str) -> str:
        auth = {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": password}}}}
        return caller.send("POST", "/v3/auth/tokens", {"auth": auth}).headers["X-Subject-Token"]
    for persona in home.people.values():
        for user, password in ((own.user, "pw"), (persona.ctx.user_id, PASSWORD)):
            for method, rule, right in (("GET", "validate_token", 200), ("HEAD", "check_token", 200),
                                        ("DELETE", "revoke_token", 204)):
                may = judge.allows(persona.ctx, f"identity:{rule}", {"target.token.user_id": user})
                answer = caller.send(method, "/v3/auth/tokens", token=persona.asker.client.token,
                                     X_Subject_Token=login(user, password))
                if answer.status_int != (right if may else 403):
                    wrong.append((persona.name, user == own.user, method, answer.status_int))
    assert not wrong


# Where Keystone looks for what a path names before it asks the rule.
_FOUND_FIRST = re.compile(
    r"(PATCH|DELETE) /v3/(domains|limits)/\{id\}|DELETE /v3/groups/\{id\}|(GET|PATCH|DELETE) /v3/roles/\{id\}|"
    r"\w+ /v3/roles/\{id\}/implies.*|\w+ /v3/(OS-INHERIT/)?(projects|domains|system)/.*/roles.*|\w+ /v3/system/.*|"
    r"\w+ /v3/OS-TRUST/trusts/\{id\}.*|(GET|DELETE) /v3/users/\{id\}/credentials/OS-EC2/\{access\}")
_ANYBODYS = ("/v3/regions/{id}", "/v3/registered_limits/{id}")


@pytest.mark.parametrize("who", ["project reader", "domain manager"])
def test_what_is_not_there(home, own, who):
    """Some are told that there is none, others that they may not; as by Keystone."""
    asker, wrong, asked = home[who].asker, [], 0
    for route in ROUTES:
        if "{" not in route.path:
            continue
        body = _body(route.method, route.path, own) if route.method in ("POST", "PUT", "PATCH") else None
        status, text = asker("identity", route.method, re.sub(r"\{\w+\}", 32 * "0", route.path), body)
        there = _FOUND_FIRST.fullmatch(f"{route.method} {route.path}") or route.method == "GET" and route.path in _ANYBODYS
        asked += 1
        if status != (404 if there else 403):
            wrong.append((route.method, route.path, status, text[:100]))
    assert not wrong and asked > 150, "\n".join(map(str, wrong))
