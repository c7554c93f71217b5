"""A token that acts for a user leads to nothing that it was not given: along every chain of three steps, whatever it is."""

import itertools

import pytest

from identity import delegation, router
from identity.v2 import router as v2_router
from tests.identity.conftest import Caller
from tests.identity.derivations import RULES, Holder, Lender

DEPTH = 3
LENT = ("trust", "trust without impersonation", "restricted credential", "unrestricted credential", "credential with rules",
        "consumer", "EC2 key")


@pytest.fixture(scope="module")
def lender(tmp_path_factory):
    caller = Caller(tmp_path_factory.mktemp("lender"), rules=RULES)
    yield Lender(caller)
    caller.close()


@pytest.fixture(scope="module")
def lent(lender):
    return lender.lend()


def shape(ctx) -> tuple:
    return (ctx.user_id, ctx.project_id, ctx.domain_id, ctx.system, ctx.roles, ctx.methods, ctx.access_rules,
            ctx.app_credential[1:], bool(ctx.trust), bool(ctx.oauth))


@pytest.mark.parametrize("how", LENT)
def test_nothing_beyond_what_was_lent_can_be_reached(lender, lent, how):
    check, holder = lender.identity.service.verifier.check, Holder(lender)
    origin, before = check(lent[how]), lender.kept()
    assert origin.project_id == lender.red and origin.delegated
    front, seen, reached = {(): lent[how]}, {shape(origin)}, []
    for _ in range(DEPTH):
        found = {(*chain, step): token for chain, t in front.items() for step, token in holder.reach(t).items()}
        reached += found.items()
        front = {c: t for c, t in found.items() if shape(check(t)) not in seen and not seen.add(shape(check(t)))}
    for chain, token in reached:
        ctx = check(token)
        assert not ctx.system and ctx.domain_id is None, chain
        assert ctx.project_id == origin.project_id and set(ctx.roles) <= set(origin.roles), (chain, ctx.roles)
        assert ctx.expires_at <= origin.expires_at + 1, chain
        assert origin.access_rules is None or set(ctx.access_rules) <= set(origin.access_rules), chain
    if how == "unrestricted credential":
        assert reached, "it may make others like it"
    assert holder.destroy(lent[how]) == [] and lender.kept() == before


def test_what_was_lent_ends_no_later_than_it_may(lender, lent):
    check = lender.identity.service.verifier.check
    now = check(lender.login("ann", lender.red)).issued_at
    assert all(check(lent[how]).expires_at <= now + 600 for how in LENT if "trust" in how or "credential" in how)


def test_a_trust_shows_its_holder_no_other_trust(lender, lent):
    token = lent["trust"]
    own = lender.identity.service.verifier.check(token).trust_id
    for asked in (f"trustor_user_id={lender.ann}", f"trustee_user_id={lender.bob}"):
        answer = lender.identity.send("GET", f"/v3/OS-TRUST/trusts?{asked}", token=token)
        assert answer.status_int == 403 or [t["id"] for t in answer.json["trusts"]] == [own]
    for path in ("", "/roles", f"/roles/{lender.roles['member']}"):
        for trust in (lender.trust, "nothing"):
            assert lender.identity.send("GET", f"/v3/OS-TRUST/trusts/{trust}{path}", token=token).status_int == 403
    assert lender.identity.send("GET", f"/v3/OS-TRUST/trusts/{own}", token=token).status_int == 200


def test_a_restricted_credential_leaves_the_others_alone(lender, lent):
    path = f"/v3/users/{lender.ann}/application_credentials"
    for own in (f"{path}/{lender.full['id']}", f"/v3/users/{lender.ann}/access_rules/nothing"):
        assert lender.identity.send("DELETE", own, token=lent["restricted credential"]).status_int == 403
    for how in ("trust", "consumer", "EC2 key"):
        for method, own in itertools.product(("GET", "DELETE"), (path, f"{path}/{lender.full['id']}")):
            assert lender.identity.send(method, own, token=lent[how]).status_int in (403, 405), (how, method)


def test_delegated_tokens_of_administrators_cannot_read_their_secrets(identity):
    """No role opens what is the user's own: every route of these kinds refuses each such token of an administrator's."""
    of = Lender(identity)
    for on in (f"projects/{of.red}", f"projects/{of.blue}"):
        of.ask("PUT", f"/{on}/users/{of.ann}/roles/{of.roles['admin']}")
    of.own = of.login("ann", of.red)
    tokens = {"trust": of.by_trust(of.make_trust(of.red, "admin")),
              "credential": of.by_credential(of.credential(roles=(("name", "admin"),))),
              "consumer": of.by_access(of.access(of.red, "admin", of.own) or {}), "EC2 key": of.by_key(of.keys[0])}
    ids = {"access": of.keys[0]["access"], "credential_id": of.full["id"], "rule_id": "r", "token_id": "t", "role_id": "r",
           "id": of.ann}
    asked = 0
    for route in (*router.ROUTES, *v2_router.ROUTES):
        rule = delegation.rule_of(route.path)
        if rule is None:
            continue
        path = route.path.format(**ids)
        for how, token in tokens.items():
            open_ = how != "EC2 key" and (
                rule is delegation.account and route.method == "GET"
                or rule is delegation.trusts and how == "trust" and (route.method == "GET" and "{" not in route.path)
                or rule is delegation.application_credentials and how == "credential" and route.method == "GET")
            status = identity.send(route.method, path, {} if route.method in ("POST", "PUT", "PATCH") else None,
                                   token=token).status_int
            assert (status != 403) if open_ else (status == 403), (route.method, route.path, how, status)
            asked += 1
    assert asked > 100 and identity.send("GET", "/v3/users", token=tokens["credential"]).status_int == 200
    assert identity.send("GET", "/v3/auth/projects", token=tokens["EC2 key"]).status_int == 403


def test_a_token_for_the_system_stays_one(identity):
    of = Lender(identity)
    scope = {"system": {"all": True}}
    system = identity.login("ann", "pw", scope).headers["X-Subject-Token"]
    by = {"methods": ["token"], "token": {"id": system}}
    assert of.by_auth(by, scope) and of.by_auth(by, "unscoped")
    for wanted in (None, {"project": {"id": of.red}}, {"domain": {"id": "default"}}):
        assert of.by_auth(by, wanted) is None, wanted
