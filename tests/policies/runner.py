"""Requests of every persona to a cloud, with tokens as its identity service makes them, beside what OpenStack's defaults say.

A service's test makes its objects in ``Home.project_id``, describes each request by an ``Ask``, and has ``surprises`` send it
as everybody. See tests/policies/test_compute_personas.py.
"""

import copy
import dataclasses
import functools
import json
import typing

from common.context import Context
from tests.policies.compare import ROLES, Reference, _conf, _shape, declared, ours
from tests.policies.meant import MEANT
from tests.tenancy.frame import Asker

HELD = tuple(role for role in ROLES if role != "none")
PASSWORD = "pw-of-a-persona"


@dataclasses.dataclass(frozen=True)
class Persona:
    """Who asks. ``ctx`` has what the token says: ids, scope, and roles with those that they imply."""

    name: str
    asker: Asker
    ctx: Context


@dataclasses.dataclass(frozen=True)
class Home:
    """Where the objects are that are asked for, and everybody who asks.

    ``people``: "project reader", "foreign project reader", "domain reader", "system reader" and so on for each role, and
    "unscoped". Projects are "home" and "away", each in a domain of its own; domains' personas are those of the home's.
    """

    project_id: str
    domain_id: str
    people: dict[str, Persona]

    def __getitem__(self, name: str) -> Persona:
        return self.people[name]


def _open(ctx: Context) -> bool:
    return False


@dataclasses.dataclass(frozen=True)
class Ask:
    """One request, and how OpenStack decides about it.

    :param rules: all of them must allow it; names of OpenStack's
    :param target: what the rules are asked about; where that is the caller's own, a function of his context
    :param hidden: whether one who is refused is told that there is no such thing (404), by his context; else it is 403
    :param says: what the refusal of the last rule says in place of its name
    :param fresh: () -> (path, body), made anew for each persona who is allowed: for requests that use up what they name
    :param allowed: further statuses that are right for one who is allowed
    """

    method: str
    path: str
    rules: tuple[str, ...]
    target: dict | typing.Callable[[Context], dict]
    body: typing.Any = None
    version: str = ""
    hidden: typing.Callable[[Context], bool] = _open
    says: str = ""
    fresh: typing.Callable[[], tuple[str, typing.Any]] | None = None
    allowed: frozenset = frozenset()

    def __str__(self) -> str:
        return f"{self.method} {self.path} {'' if self.body is None else repr(self.body)[:80]}"


def make_home(cloud) -> Home:
    """Domains, projects, roles, and a user with a token for each persona; once for a cloud."""
    admin = Asker(cloud.client)
    made = {}
    for name in ("home", "away"):
        domain = admin.made("identity", "/v3/domains", {"domain": {"name": f"{name}-domain"}})["id"]
        made[name] = admin.made("identity", "/v3/projects", {"project": {"name": name, "domain_id": domain}})["id"], domain
    (home, domain), (away, _) = made["home"], made["away"]
    known = {r["name"]: r["id"] for r in json.loads(admin("identity", "GET", "/v3/roles")[1])["roles"]}
    known["meaningless"] = known.get("meaningless") or admin.made(
        "identity", "/v3/roles", {"role": {"name": "meaningless"}})["id"]
    scopes: dict[str, tuple[str, typing.Any]] = {
        "project": (f"/v3/projects/{home}", {"project": {"id": home}}),
        "foreign project": (f"/v3/projects/{away}", {"project": {"id": away}}),
        "domain": (f"/v3/domains/{domain}", {"domain": {"id": domain}}), "system": ("/v3/system", {"system": {"all": True}})}
    people = {}
    for scope, (where, asked) in scopes.items():
        for role in HELD:
            name = f"{scope} {role}"
            user = _user(admin, name, domain)
            status, text = admin("identity", "PUT", f"{where}/users/{user}/roles/{known[role]}")
            assert status == 204, (name, status, text)
            people[name] = _login(cloud, name, user, asked)
    people["unscoped"] = _login(cloud, "unscoped", _user(admin, "unscoped", domain), "unscoped")
    return Home(home, domain, people)


def _user(admin: Asker, name: str, domain: str) -> str:
    return admin.made("identity", "/v3/users", {"user": {"name": name, "domain_id": domain, "password": PASSWORD}})["id"]


def _login(cloud, name: str, user: str, scope) -> Persona:
    client = copy.copy(cloud.client)
    auth = {"identity": {"methods": ["password"], "password": {"user": {"id": user, "password": PASSWORD}}}, "scope": scope}
    answer = client.pool.request("POST", client.url("identity") + "/auth/tokens", body=json.dumps({"auth": auth}),
                                 headers={"Content-Type": "application/json"})
    assert answer.status == 201, (name, answer.data)
    token = json.loads(answer.data)["token"]
    project, domain = token.get("project"), token.get("domain")
    client.token, client.project_id = answer.headers["X-Subject-Token"], project["id"] if project else ""
    ctx = Context(user_id=user, user_domain_id=token["user"]["domain"]["id"], system="system" in token,
                  project_id=project["id"] if project else None, project_domain_id=project["domain"]["id"] if project else None,
                  domain_id=domain["id"] if domain else None, roles=tuple(r["name"] for r in token.get("roles", ())))
    asker = Asker(client)
    asker.user_id = user
    return Persona(name, asker, ctx)


class Judge:
    """What is right: OpenStack's defaults, but for the rules of which tests/policies/meant.py says that they differ."""

    def __init__(self, service: str):
        self.service = service
        self.reference, self.ours = Reference(service, _conf()), ours(service)

    def allows(self, ctx: Context, rule: str, target: dict) -> bool:
        by = self.ours if rule in MEANT[self.service] else self.reference
        return by.allows(ctx, rule, target)

    def refusing(self, ctx: Context, ask: Ask) -> str | None:
        """The first rule that does not allow it."""
        target = ask.target if isinstance(ask.target, dict) else ask.target(ctx)
        return next((rule for rule in ask.rules if not self.allows(ctx, rule, target)), None)


@functools.cache
def rules_by_operation(service: str) -> dict[tuple[str, str], list[str]]:
    """(method, path without names, with an action's name behind it) -> our rules that say that it asks them."""
    found: dict[tuple[str, str], list[str]] = {}
    for rule in declared(service):
        for operation in getattr(rule, "operations", None) or []:
            path, _, action = operation["path"].partition(" (")
            method, shape = _shape(operation["method"], path)
            found.setdefault((method, f"{shape} ({action}" if action else shape), []).append(rule.name)
    return found


def operation(method: str, path: str, action: str = "") -> tuple[str, str]:
    """A route as ``rules_by_operation`` has it."""
    method, shape = _shape(method, path)
    return method, f"{shape} ({action})" if action else shape


def _says(ask: Ask, rule: str) -> str:
    return ask.says if ask.says and rule == ask.rules[-1] else rule


def surprises(service: str, home: Home, asks: list[Ask], seen: typing.Callable[[], dict]) -> list[str]:
    """Send requests as everybody; those whose answer is not OpenStack's.

    All that is to be refused is sent first, and may change nothing.

    :param seen: what an owner sees of the objects, by its path; called before and after
    """
    judge, found = Judge(service), []
    refusing = [(ask, persona, judge.refusing(persona.ctx, ask)) for ask in asks for persona in home.people.values()]
    before = seen()
    for ask, persona, rule in refusing:
        if rule is None:
            continue
        status, text = persona.asker(service, ask.method, ask.path, ask.body, version=ask.version)
        wanted = 404 if ask.hidden(persona.ctx) else 403
        if status != wanted or status == 403 and ask.method != "HEAD" and _says(ask, rule) not in text:
            found.append(f"{ask} by {persona.name}: {status}, not {wanted} ({rule}): {text[:200]}")
    after = seen()
    found += [f"{what} changed by who is refused: {before[what]} -> {after.get(what)}" for what in before
              if after.get(what) != before[what]]
    for ask, persona, rule in refusing:
        if rule is not None:
            continue
        path, body = ask.fresh() if ask.fresh else (ask.path, ask.body)
        status, text = persona.asker(service, ask.method, path, body, version=ask.version)
        if status not in ask.allowed and (status in (401, 403, 404) or status >= 500):
            found.append(f"{ask} by {persona.name}: {status}, though {ask.rules} allow it: {text[:200]}")
    return found
