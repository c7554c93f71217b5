"""Policy: what rules can ask of a caller, and in whose words a refusal is told."""

import dataclasses
import os
import time

import pytest
from oslo_config import cfg

from common import errors
from common import policy as module
from common.context import Context
from common.policy import Policy, rule

PROJECT = Context(user_id="u", user_domain_id="du", project_id="p", project_domain_id="dp", roles=("manager",))
DOMAIN = Context(user_id="u", user_domain_id="du", domain_id="d", roles=("manager",))
SYSTEM = Context(user_id="u", user_domain_id="du", system=True, roles=("manager",))


def policy(*rules, kind=Policy, state="/nonexistent"):
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("state_path", default=str(state)))
    conf([])
    return kind("identity", [rule(*r[:2], "x", "GET /x", **(r[2] if len(r) > 2 else {})) for r in rules], conf)


def allowed(check: str, target: dict, scopes=()) -> str:
    """For which of the three tokens a check holds: "pds"."""
    asked = policy(("x", check, {"scopes": scopes}))
    return "".join(name for name, ctx in (("p", PROJECT), ("d", DOMAIN), ("s", SYSTEM)) if asked.allows(ctx, "x", target))


@pytest.mark.parametrize("check, target, expected", [
    ("token.project.domain.id:%(target.domain.id)s", {"target.domain.id": "dp"}, "p"),
    ("token.domain.id:%(target.user.domain_id)s", {"target.user.domain_id": "d"}, "d"),
    ("token.user.domain.id:%(target.user.domain_id)s", {"target.user.domain_id": "du"}, "pds"),
    ("project_domain_id:dp", {}, "p"),
    ("role:manager and not domain_id:None", {}, "d"),
    ("system_scope:all", {}, "s"),
])
def test_rules_ask_of_a_token_what_keystones_ask(check, target, expected):
    assert allowed(check, target) == expected


@pytest.mark.parametrize("check", ["domain_id:%(domain_id)s", "project_id:%(domain_id)s", "token.domain.id:%(domain_id)s"])
def test_what_a_token_lacks_is_not_what_the_target_lacks(check):
    assert allowed(check, {"domain_id": None}) == allowed(check, {}) == ""


def test_a_token_of_another_scope_is_refused_whatever_its_roles_are():
    assert allowed("role:manager", {}) == "pds" and allowed("role:manager", {}, ("domain", "system")) == "ds"


@pytest.mark.parametrize("by_service", [True, False])
def test_rules_ask_whether_a_service_sends_the_request(by_service):
    asked = policy(("x", "service_roles:service and project_id:%(project_id)s"))
    assert asked.allows(dataclasses.replace(PROJECT, by_service=by_service), "x", {"project_id": "p"}) is by_service


def test_a_refusal_has_the_text_of_its_service():
    class Own(Policy):
        refusal = "No %(rule)s for you."
    for kind, text in ((Policy, "Policy doesn't allow x to be performed."), (Own, "No x for you.")):
        with pytest.raises(errors.Forbidden, match=text):
            policy(("x", "!"), kind=kind).check(PROJECT, "x", {})


@pytest.mark.parametrize("check", [
    "role:manager and not role:reader", "role:reader or (role:manager and project_id:%(project_id)s)", "not (role:manager or @)",
    "rule:y and not rule:y", "rule:y or !", "rule:nothing or role:manager", "not rule:nothing", "'p':%(project_id)s", "@", ""])
@pytest.mark.parametrize("target", [{"project_id": "p"}, {"project_id": "q"}, {}])
def test_rules_mean_what_they_mean_to_the_library(check, target):
    asked = policy(("x", check), ("y", "role:manager and project_id:%(project_id)s"))
    for ctx in (PROJECT, DOMAIN, SYSTEM):
        credentials = {"roles": list(ctx.roles), **({"project_id": ctx.project_id} if ctx.project_id else {})}
        expected = asked.enforcer.enforce("x", target, credentials) and ctx is PROJECT  # the scope of rules is the project
        assert asked.allows(ctx, "x", target) == expected, ctx


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(module, "RELOAD_S", 0)


def test_an_operators_file_is_in_force_as_soon_as_it_is_there(tmp_path, at_once):
    file = tmp_path / "etc" / "identity-policy.yaml"
    file.parent.mkdir()
    asked = policy(("x", "role:manager"), ("y", "rule:x"), state=tmp_path)
    assert asked.allows(PROJECT, "x") and asked.allows(PROJECT, "y")
    file.write_text('"x": "role:admin"\n')
    assert not asked.allows(PROJECT, "x") and not asked.allows(PROJECT, "y")
    file.write_text('"x": [broken')
    os.utime(file, (0, 0))
    assert not asked.allows(PROJECT, "x")
    file.unlink()
    assert asked.allows(PROJECT, "x")


def test_a_file_that_is_put_back_is_in_force_though_it_is_older(tmp_path, at_once):
    file = tmp_path / "etc" / "identity-policy.yaml"
    file.parent.mkdir()
    for text, age_s in (('"x": "role:admin"', 60), ('"x": "@"', 0)):
        file.with_suffix(f".{age_s}").write_text(text)
        os.utime(file.with_suffix(f".{age_s}"), (time.time() - age_s,) * 2)
    asked = policy(("x", "role:manager"), state=tmp_path)
    file.with_suffix(".0").rename(file)
    assert asked.allows(PROJECT, "x")
    file.with_suffix(".60").rename(file)
    assert not asked.allows(PROJECT, "x")


WRONG = ('"x": [broken', "- x", "text", '"x": true', '"x": 5', '"x": {"y": "z"}', '"x": [5]', "5: role:admin",
         # The library takes these for rules that allow everything.
         '"x": false', '"x":', "x: null",
         # Nothing could be decided by these.
         '"x": "rule:x"', '"x": "role:admin or rule:y"\n"y": "not rule:x"', '"z": "rule:y"\n"y": "rule:z and role:admin"')


@pytest.mark.parametrize("text", WRONG)
def test_nothing_starts_with_an_operators_file_that_cannot_be_read(tmp_path, text):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "identity-policy.yaml").write_text(text)
    with pytest.raises(ValueError):
        policy(("x", "role:manager"), state=tmp_path)


@pytest.mark.parametrize("text", WRONG)
def test_while_a_file_cannot_be_read_its_last_rules_hold(tmp_path, at_once, text):
    file = tmp_path / "etc" / "identity-policy.yaml"
    file.parent.mkdir()
    file.write_text('"x": "role:admin"')
    asked = policy(("x", "role:manager"), state=tmp_path)
    file.write_text(text + "\n")
    assert not asked.allows(PROJECT, "x") and not asked.allows(PROJECT, "x")
    file.write_text('"x": "role:manager"')
    assert asked.allows(PROJECT, "x")


def test_a_decision_by_the_old_rules_is_not_cached_with_the_new_ones(tmp_path, monkeypatch):
    file = tmp_path / "etc" / "identity-policy.yaml"
    file.parent.mkdir()
    asked = policy(("x", "role:manager"), state=tmp_path)
    decide = asked._decide

    def decide_while_the_file_changes(*args):
        found = decide(*args)
        file.write_text('"x": "role:admin"')
        asked._reload()
        return found
    with monkeypatch.context() as patched:
        patched.setattr(asked, "_decide", decide_while_the_file_changes)
        assert asked.allows(PROJECT, "x")
    assert not asked.allows(PROJECT, "x")
