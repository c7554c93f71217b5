"""Limits of projects: what may be set, and what is in use already."""

import pytest

from tests.conftest import new_volume
from tests.functional.test_stories import refused


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


def test_a_users_part_of_a_quota_is_not_taken_for_the_projects(cloud, project):
    client, where = cloud.client, f"/os-quota-sets/{project}"
    before = client.call("compute", "GET", where)["quota_set"]
    assert client.call("compute", "GET", f"{where}?user_id=someone")["quota_set"] == before
    text = refused(400, client, "compute", "PUT", f"{where}?user_id=someone", {"quota_set": {"cores": 3}})
    assert "This cloud does not support quotas of single users" in text
    refused(400, client, "compute", "DELETE", f"{where}?user_id=someone")
    assert client.call("compute", "GET", where)["quota_set"] == before
    for path in (where, f"{where}/detail"):
        refused(400, client, "compute", "GET", f"{path}?user=someone", version="2.75")


def test_a_project_that_there_is_not_has_no_quota(cloud, member):
    nobodys = "0123456789abcdef0123456789abcdef"
    for method, where, body in (("GET", "", None), ("GET", "/detail", None), ("GET", "/defaults", None),
                                ("PUT", "", {"quota_set": {"cores": 5}})):
        text = refused(400, cloud.client, "compute", method, f"/os-quota-sets/{nobodys}{where}", body)
        assert f"Project ID {nobodys} is not a valid project." in text
    assert cloud.client.call("compute", "GET", f"/os-quota-sets/{member.project_id}")["quota_set"]["cores"] == 20
    assert member.call("compute", "GET", f"/os-quota-sets/{member.project_id}")["quota_set"]["cores"] == 20
    refused(400, cloud.client, "compute", "GET", "/os-quota-sets/x..y")
