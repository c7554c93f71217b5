"""Configurations of domains, projects that are domains, and which policy holds for an endpoint."""

import pytest

from tests.functional.test_identity_more import call  # noqa: F401
from tests.functional.test_stories import refused

CONFIG = {"identity": {"driver": "ldap"}, "ldap": {"url": "ldap://directory", "user_tree_dn": "ou=Users,dc=example,dc=org"}}


@pytest.fixture
def domain(call):  # noqa: F811
    made = call("POST", "/projects", {"project": {"name": "branch", "is_domain": True, "description": "d"}})["project"]
    yield made["id"]
    call("PATCH", f"/projects/{made['id']}", {"project": {"enabled": False}})
    call("DELETE", f"/projects/{made['id']}")


def test_a_project_that_is_a_domain(cloud, call, domain):  # noqa: F811
    shown = call("GET", f"/projects/{domain}")["project"]
    assert shown["is_domain"] is True and shown["parent_id"] is shown["domain_id"] is None and shown["description"] == "d"
    assert shown["links"]["self"].endswith(f"/v3/projects/{domain}")
    assert call("GET", f"/domains/{domain}")["domain"]["name"] == "branch"
    listed = {p["id"]: p for p in call("GET", "/projects?is_domain=true")["projects"]}
    assert set(listed) >= {domain, "default"} and listed[domain] == shown
    assert domain not in [p["id"] for p in call("GET", "/projects")["projects"]]
    assert call("PATCH", f"/projects/{domain}", {"project": {"description": "e"}})["project"]["description"] == "e"
    refused(403, cloud.client, "identity", "DELETE", f"/projects/{domain}")
    for wrong in ({"is_domain": "x"}, {"is_domain": True, "parent_id": "default"}, {"is_domain": True, "domain_id": "default"}):
        refused(400, cloud.client, "identity", "POST", "/projects", {"project": {"name": "y", **wrong}})
    refused(409, cloud.client, "identity", "POST", "/projects", {"project": {"name": "branch", "is_domain": True}})
    for method in ("GET", "PATCH", "DELETE"):
        refused(404, cloud.client, "identity", method, "/projects/nothing",
                {"project": {"name": "x"}} if method == "PATCH" else None)


def test_a_domain_is_configured(cloud, call, member, domain):  # noqa: F811
    path = f"/domains/{domain}/config"
    refused(404, cloud.client, "identity", "GET", path)
    refused(403, member, "identity", "PUT", path, {"config": CONFIG})
    assert call("PUT", path, {"config": {**CONFIG, "ldap": {**CONFIG["ldap"], "password": "s3cret"}}})["config"] == CONFIG, \
        "a password is not shown"
    assert call("GET", path)["config"] == CONFIG and call("GET", path + "/ldap")["config"] == {"ldap": CONFIG["ldap"]}
    assert call("GET", path + "/ldap/url")["config"] == {"url": "ldap://directory"}
    assert call("PATCH", path + "/ldap/url", {"config": {"url": "ldap://other"}})["config"]["ldap"]["url"] == "ldap://other"
    changed = call("PATCH", path + "/identity", {"config": {"identity": {"driver": "ldap", "list_limit": 5}}})["config"]
    assert changed["identity"] == {"driver": "ldap", "list_limit": 5} and changed["ldap"]["url"] == "ldap://other"
    for status, sub, body in ((403, "", {"sql": {"url": "x"}}), (403, "/ldap", {"ldap": {"query": 1}}),
                              (403, "/sql", {"sql": {}}),
                              (400, "/ldap", {"identity": {"driver": "x"}}), (400, "", {"ldap": {"page_size": "many"}}),
                              (400, "", {"ldap": "x"}), (404, "/ldap/user", {"user": "cn=x"})):
        refused(status, cloud.client, "identity", "PATCH", path + sub, {"config": body})
    call("DELETE", path + "/identity/driver")
    refused(404, cloud.client, "identity", "GET", path + "/identity/driver")
    call("DELETE", path + "/identity")
    refused(404, cloud.client, "identity", "DELETE", path + "/identity")
    call("DELETE", path)
    refused(404, cloud.client, "identity", "GET", path)
    refused(404, cloud.client, "identity", "PUT", "/domains/nothing/config", {"config": CONFIG})


def test_what_holds_where_nothing_is_set(cloud, call, member):  # noqa: F811
    every = call("GET", "/domains/config/default")["config"]
    assert every["identity"] == {"driver": "sql", "list_limit": None} and "password" not in every["ldap"]
    assert call("GET", "/domains/config/ldap/default")["config"] == {"ldap": every["ldap"]}
    assert call("GET", "/domains/config/ldap/page_size/default")["config"] == {"page_size": 500}
    refused(403, cloud.client, "identity", "GET", "/domains/config/sql/default")
    refused(403, member, "identity", "GET", "/domains/config/default")


def test_the_nearest_policy_holds(cloud, call, member):  # noqa: F811
    call("POST", "/regions", {"region": {"id": "outer"}})
    call("POST", "/regions", {"region": {"id": "inner", "parent_region_id": "outer"}})
    service = call("POST", "/services", {"service": {"type": "tea", "name": "tea"}})["service"]["id"]
    endpoint = call("POST", "/endpoints", {"endpoint": {"service_id": service, "interface": "public", "url": "http://tea",
                                                        "region_id": "inner"}})["endpoint"]["id"]
    ids = [call("POST", "/policies", {"policy": {"type": "t", "blob": str(i)}})["policy"]["id"] for i in range(3)]
    things = (f"services/{service}", f"services/{service}/regions/outer", f"endpoints/{endpoint}")
    of_endpoint = f"/endpoints/{endpoint}/OS-ENDPOINT-POLICY/policy"
    refused(404, cloud.client, "identity", "GET", of_endpoint)
    for policy, thing in zip(ids, things):
        path = f"/policies/{policy}/OS-ENDPOINT-POLICY/{thing}"
        refused(403, member, "identity", "PUT", path)
        refused(404, cloud.client, "identity", "GET", path)
        call("PUT", path)
        call("GET", path)
        assert call("GET", of_endpoint)["policy"]["id"] == policy
        assert [e["id"] for e in call("GET", f"/policies/{policy}/OS-ENDPOINT-POLICY/endpoints")["endpoints"]] == [endpoint]
    assert call("GET", f"/policies/{ids[0]}/OS-ENDPOINT-POLICY/endpoints")["endpoints"] == []
    call("DELETE", f"/policies/{ids[2]}/OS-ENDPOINT-POLICY/{things[2]}")
    assert call("GET", of_endpoint)["policy"]["id"] == ids[1]
    refused(404, cloud.client, "identity", "DELETE", f"/policies/{ids[2]}/OS-ENDPOINT-POLICY/{things[2]}")
    refused(404, cloud.client, "identity", "PUT", f"/policies/{ids[2]}/OS-ENDPOINT-POLICY/services/nothing")
    for policy in ids:
        call("DELETE", f"/policies/{policy}")
    refused(404, cloud.client, "identity", "GET", of_endpoint)
    call("DELETE", f"/services/{service}")
    call("DELETE", "/regions/inner")
    call("DELETE", "/regions/outer")
