"""Limits of projects: what may be set, and what is in use already."""

import pytest

from tests.conftest import new_volume
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


@pytest.fixture
def project(cloud):
    """The admin's own, which has the first server and a volume; its limits are the usual ones again afterwards."""
    client = cloud.client
    volume = new_volume(client, "counted")
    yield client.project_id
    for service in ("compute", "volume"):
        client.call(service, "DELETE", f"/os-quota-sets/{client.project_id}")
    client.call("volume", "DELETE", f"/volumes/{volume}")


def test_a_limit_below_what_is_in_use_is_refused(cloud, project):
    client, where = cloud.client, f"/os-quota-sets/{project}"
    text = refused(400, client, "compute", "PUT", where, {"quota_set": {"cores": 1000, "instances": 0, "force": False}})
    assert "Quota limit 0 for instances must be greater than or equal to already used and reserved 1." in text
    assert client.call("compute", "GET", where)["quota_set"]["cores"] == 20  # all or nothing
    text = refused(400, client, "volume", "PUT", where, {"quota_set": {"snapshots": 50, "volumes": 0}})
    assert "Quota volumes limit must be equal or greater than existing resources. Current usage is 1 and the requested " \
        "limit is 0." in text
    assert client.call("volume", "GET", where)["quota_set"]["snapshots"] == 10
    refused(400, client, "volume", "PUT", where, {"quota_set": {"volumes": 5, "force": True}})  # of compute and network only
    assert client.call("volume", "PUT", where, {"quota_set": {"volumes": 1, "gigabytes": -1}})["quota_set"]["volumes"] == 1


@pytest.mark.parametrize("force", [True, "True", "yes"])
def test_a_limit_below_what_is_in_use_can_be_forced(cloud, project, force):
    client, where = cloud.client, f"/os-quota-sets/{project}"
    assert client.call("compute", "PUT", where, {"quota_set": {"instances": 0, "force": force}})["quota_set"]["instances"] == 0
    assert client.call("compute", "GET", f"{where}/detail")["quota_set"]["instances"] == {
        "limit": 0, "in_use": 1, "reserved": 0}


@pytest.fixture
def of_user(cloud, member):
    """(admin's client, the member's project, the path of the quotas of that member in it)"""
    client = cloud.client
    user = next(u for u in client.call("identity", "GET", "/users?name=mallory")["users"])["id"]
    yield client, f"/os-quota-sets/{member.project_id}", f"/os-quota-sets/{member.project_id}?user_id={user}"
    client.call("compute", "DELETE", f"/os-quota-sets/{member.project_id}")


def test_a_users_part_of_a_quota_is_not_the_projects(of_user):
    client, where, user = of_user
    before = client.call("compute", "GET", where)["quota_set"]
    assert client.call("compute", "GET", user)["quota_set"] == before
    changed = client.call("compute", "PUT", user, {"quota_set": {"cores": 3, "server_groups": 1}})["quota_set"]
    assert (changed["cores"], changed["server_groups"], changed["ram"]) == (3, 1, before["ram"])
    assert client.call("compute", "GET", user)["quota_set"] == {**before, "cores": 3, "server_groups": 1}
    detail = user.replace("?", "/detail?")
    assert client.call("compute", "GET", detail)["quota_set"]["cores"] == {"limit": 3, "in_use": 0, "reserved": 0}
    assert client.call("compute", "GET", where)["quota_set"] == before
    assert client.call("compute", "GET", f"{where}?user_id=another")["quota_set"] == before
    text = refused(400, client, "compute", "PUT", user, {"quota_set": {"cores": 21}})
    assert "Quota limit 21 for cores must be less than or equal to 20." in text
    refused(400, client, "compute", "PUT", user, {"quota_set": {"cores": -1}})
    text = refused(400, client, "compute", "PUT", where, {"quota_set": {"cores": 2}})
    assert "Quota limit 2 for cores must be greater than or equal to already used and reserved 3." in text
    client.call("compute", "DELETE", user)
    assert client.call("compute", "GET", user)["quota_set"] == before
    client.call("compute", "PUT", user, {"quota_set": {"cores": 30, "force": True}})
    client.call("compute", "DELETE", where)
    assert client.call("compute", "GET", user)["quota_set"] == before
    refused(400, client, "compute", "GET", f"{where}?user_id=a%20b")
    for path in (where, f"{where}/detail"):
        refused(400, client, "compute", "GET", f"{path}?user=someone", version="2.75")


def test_a_user_has_no_more_than_his_part(of_user, member):
    client, where, user = of_user
    body = {"server": {**server_body(member, "one too many", imageRef=client.find("image", "images", "cirros")["id"])["server"],
                       "networks": "none"}}
    client.call("compute", "PUT", user, {"quota_set": {"instances": 0, "server_groups": 0}})
    text = refused(403, member, "compute", "POST", "/servers", body)
    assert "Quota exceeded for instances: Requested 1, but already used 0 of 0 instances" in text
    text = refused(403, member, "compute", "POST", "/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}})
    assert "The user has 0 of 0" in text
    client.call("compute", "DELETE", user)
    made = member.call("compute", "POST", "/servers", body)["server"]["id"]
    wait_status(member, made)
    text = refused(400, client, "compute", "PUT", user, {"quota_set": {"instances": 0}})
    assert "already used and reserved 1" in text
    client.call("compute", "PUT", user, {"quota_set": {"cores": 1}})
    text = refused(403, member, "compute", "POST", f"/servers/{made}/action", {"resize": {"flavorRef": "3"}})
    assert "Quota exceeded for cores" in text
    member.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(member, made)


def test_a_project_that_there_is_not_has_no_quota(cloud, member):
    nobodys = "0123456789abcdef0123456789abcdef"
    for method, where, body in (("GET", "", None), ("GET", "/detail", None), ("GET", "/defaults", None),
                                ("PUT", "", {"quota_set": {"cores": 5}})):
        text = refused(400, cloud.client, "compute", method, f"/os-quota-sets/{nobodys}{where}", body)
        assert f"Project ID {nobodys} is not a valid project." in text
    assert cloud.client.call("compute", "GET", f"/os-quota-sets/{member.project_id}")["quota_set"]["cores"] == 20
    assert member.call("compute", "GET", f"/os-quota-sets/{member.project_id}")["quota_set"]["cores"] == 20
    refused(400, cloud.client, "compute", "GET", "/os-quota-sets/x..y")
