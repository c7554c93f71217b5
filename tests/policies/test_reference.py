"""The policies of each service are OpenStack's of today, but for the differences that tests/policies/meant.py explains."""

import pathlib
import re

import pytest

from tests.policies.compare import OURS, declared, differences, invented, missing, ours, unrouted
from tests.policies.meant import MEANT, NOT_ASKED

# Services whose code has every rule's name as it is, and makes none of parts.
ASKED_BY_NAME = ("compute", "placement")
everyone = pytest.mark.parametrize("service", OURS)


@everyone
def test_rules_and_defaults_are_openstacks(service):
    found = {**differences(service), **dict.fromkeys(invented(service), ["no rule of OpenStack"])}
    assert {name: texts for name, texts in found.items() if name not in MEANT[service]} == {}
    assert {name for name in MEANT[service] if name not in found} == set(), "these do not differ any more"


@everyone
def test_every_rule_of_a_route_is_asked(service):
    found = missing(service)
    assert {name: asked for name, asked in found.items() if name not in NOT_ASKED[service]} == {}
    assert {name for name in NOT_ASKED[service] if name not in found} == set(), "these are asked now, or have no route any more"


@everyone
def test_rules_are_documented(service):
    assert [r.name for r in declared(service) if not (getattr(r, "description", None) or "").strip()] == []
    assert unrouted(service) == {}, "a rule says that a request asks it which is no route here"


@everyone
def test_rules_refer_to_rules_that_there_are(service):
    named = {name for rule in declared(service) for name in re.findall(r"\brule:([\w:.-]+)", rule.check_str)}
    assert named - ours(service).names == set()


@pytest.mark.parametrize("service", ASKED_BY_NAME)
def test_every_rule_is_asked_by_name(service):
    root = pathlib.Path(__file__).resolve().parents[2] / OURS[service].replace(".", "/")
    code = "".join(path.read_text() for path in root.rglob("*.py") if "policies" not in (*path.parts, path.stem))
    listed = declared(service)
    within = " ".join(rule.check_str for rule in listed)
    assert [r.name for r in listed if f'"{r.name}"' not in code and f"rule:{r.name}" not in within] == []


def test_every_difference_has_a_reason():
    tables = [reasons for table in (MEANT, NOT_ASKED) for reasons in table.values()]
    assert [name for reasons in tables for name, reason in reasons.items() if len(reason.split()) < 4] == []
