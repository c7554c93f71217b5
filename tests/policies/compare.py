"""Our policies beside OpenStack's defaults: every rule, for every persona, on what is one's own and on what is not.

    python -m tests.policies.compare [SERVICE ...]

prints what differs and what is missing.
"""

import importlib
import itertools
import re
import sys
import types

from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from common.context import Context
from common.policy import Policy
from network.policies import checks
from tests.policies.reference import PACKAGES, rules

OURS = {"identity": "identity", "compute": "compute_api", "image": "image", "volume": "volume", "network": "network",
        "placement": "compute_api.placement"}
# What each role implies, as Keystone's bootstrap sets it up.
ROLES = {"admin": ("admin", "manager", "member", "reader"), "manager": ("manager", "member", "reader"),
         "member": ("member", "reader"), "reader": ("reader",), "service": ("service",), "meaningless": ("meaningless",),
         "none": ()}
PERSONAS = {f"{scope} {role}": (scope, held) for scope in ("project", "domain", "system") for role, held in ROLES.items()
            if role != "none"} | {"unscoped": ("", ())}
MINE, FOREIGN = {"project": "p-own", "user": "u-own", "domain": "d-own"}, {
    "project": "p-other", "user": "u-other", "domain": "d-other"}
TARGETS = {"own": MINE, "a neighbour's": MINE | {"user": "u-other"}, "of the domain": FOREIGN | {"domain": "d-own"},
           "foreign": FOREIGN}
# The names under which both sides look for an owner.
KEYS = {"project": ("project_id", "tenant_id", "owner", "network:project_id", "ext_parent:project_id",
                    "security_group:project_id", "target.project.id", "target.limit.project_id"),
        "user": ("user_id", "target.user.id", "target.credential.user_id", "target.token.user_id",
                 "target.trust.trustor_user_id", "target.trust.trustee_user_id"),
        "domain": ("domain_id", "target.domain.id", "target.domain_id", "target.group.domain_id", "target.limit.domain.id",
                   "target.limit.project.domain_id", "target.project.domain_id", "target.role.domain_id",
                   "target.user.domain_id")}


def target(ids: dict, role: str) -> dict:
    return {key: ids[kind] for kind, keys in KEYS.items() for key in keys} | {
        "target.role.name": role, "visibility": "private", "network:shared": "False",
        "network_device": "False"}


def context(scope: str, roles: tuple) -> Context:
    where = {"project": {"project_id": MINE["project"], "project_domain_id": MINE["domain"]},
             "domain": {"domain_id": MINE["domain"]}, "system": {"system": True}, "": {}}[scope]
    return Context(user_id=MINE["user"], user_domain_id=MINE["domain"], roles=roles, **where)


def _credentials(ctx: Context) -> dict:
    """What OpenStack's services make of such a token."""
    domain = {"id": ctx.domain_id} if ctx.domain_id else None
    project = {"domain": {"id": ctx.project_domain_id}} if ctx.project_id else None
    return {"roles": list(ctx.roles), "user_id": ctx.user_id, "project_id": ctx.project_id, "domain_id": ctx.domain_id,
            "system": "all" if ctx.system else None, "system_scope": "all" if ctx.system else None,
            "is_admin": "admin" in ctx.roles, "is_admin_project": True,
            "token": {"domain": domain or {"id": None}, "project": project or {"domain": {"id": None}}}}


checks.register()  # Neutron's own kind of check


class Reference:
    """OpenStack's defaults, evaluated by the library that OpenStack evaluates them with."""

    def __init__(self, service: str, conf):
        self.rules = rules(service)
        self.enforcer = oslo_policy.Enforcer(conf, policy_file="none")
        self.enforcer.suppress_deprecation_warnings = True
        self.enforcer.register_defaults([oslo_policy.RuleDefault(name, r["check"], scope_types=r["scopes"])
                                         for name, r in self.rules.items()])

    def allows(self, ctx: Context, name: str, of: dict) -> bool:
        return self.enforcer.enforce(name, of, _credentials(ctx))


def _conf():
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("state_path", default="/nonexistent"))
    conf([])
    return conf


def declared(service: str) -> list[oslo_policy.RuleDefault]:
    """The rules that a service of ours declares."""
    return importlib.import_module(f"{OURS[service]}.policies").RULES


def ours(service: str) -> Policy:
    return Policy(service, declared(service), _conf())


def differences(service: str) -> dict[str, list[str]]:
    """rule's name -> who may here and not there, or there and not here; only rules that both sides have."""
    mine, theirs = ours(service), Reference(service, _conf())
    found: dict[str, dict[str, list[str]]] = {}
    asked = sorted(name for name in mine.names if theirs.rules.get(name, {}).get("operations"))
    for name, (persona, (scope, roles)), (whose, ids), role in itertools.product(
            asked, PERSONAS.items(), TARGETS.items(), ("member", "admin")):
        of, ctx = target(ids, role), context(scope, roles)
        here, there = mine.allows(ctx, name, of), theirs.allows(ctx, name, of)
        if here != there:
            of_whom = found.setdefault(name, {}).setdefault(f"{persona} {'only here' if here else 'only there'}", [])
            if whose not in of_whom:
                of_whom.append(whose)
    return {name: [f"{who} ({'all' if len(of_whom) == len(TARGETS) else ', '.join(of_whom)})" for who, of_whom in texts.items()]
            for name, texts in found.items()}


def _shape(method: str, path: str) -> tuple[str, str]:
    """A route without its version and without the names of its places: both sides name them as they like."""
    path = re.sub(r"^/v\d[\d.]*(?=/)", "", path.strip())
    path = path.replace("{project_id}/", "", 1) if "/projects/" not in path else path
    return method, re.sub(r"\{[^}]*\}", "{}", path).rstrip("/")


def _routed(service: str):
    """A function that says whether an operation is a route of ours.

    Of ``POST /servers/{id}/action (reboot)`` the action's name counts too; a router with actions lists them as ``ACTIONS``.
    """
    router = importlib.import_module(f"{OURS[service]}.router")
    table = getattr(router, "ROUTES", None) or router.router.ROUTES
    routes, actions = {_shape(route.method, route.path) for route in table}, getattr(router, "ACTIONS", ())

    def known(operation: str) -> bool:
        operation, _, action = operation.partition(" (")
        return _shape(*operation.split(" ", 1)) in routes and (not action or action.rstrip(")") in actions)
    return known


def missing(service: str) -> dict[str, list[str]]:
    """OpenStack's rules that no rule here has the name of -> the operations of theirs that are routes here."""
    known, names = _routed(service), ours(service).names
    found = {name: [o for o in rule["operations"] if known(o)] for name, rule in rules(service).items() if name not in names}
    return {name: here for name, here in found.items() if here}


def invented(service: str) -> list[str]:
    """Our rules that OpenStack has none of the name of."""
    return sorted(ours(service).names - set(rules(service)))


def unrouted(service: str) -> dict[str, list[str]]:
    """Our rules that say of themselves that a request asks them which is no route -> these requests."""
    known, found = _routed(service), {}
    for rule in declared(service):
        asked = [f"{o['method']} {o['path']}" for o in getattr(rule, "operations", None) or []]
        if wrong := [o for o in asked if not known(o)]:
            found[rule.name] = wrong
    return found


def main() -> int:
    services = sys.argv[1:] or list(PACKAGES)
    count = types.SimpleNamespace(different=0, missing=0)
    for service in services:
        for name, texts in differences(service).items():
            count.different += 1
            print(f"{service} {name}: {'; '.join(texts)}")
        for name, operations in missing(service).items():
            count.missing += 1
            print(f"{service} {name}: missing, asked by {', '.join(operations)}")
    print(f"{count.different} rules differ, {count.missing} are missing")
    return 1 if count.different or count.missing else 0


if __name__ == "__main__":
    sys.exit(main())
