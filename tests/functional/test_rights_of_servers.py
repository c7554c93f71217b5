"""What a lock keeps a server's owner from, and to whom the history of a server that is gone is shown."""

import pytest

from tests.conftest import login_as
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status


@pytest.fixture(scope="module")
def owner(cloud, member):
    """A member, who has a network of his own."""
    network = member.call("network", "POST", "/networks", {"network": {"name": "own"}})["network"]["id"]
    member.call("network", "POST", "/subnets", {"subnet": {"network_id": network, "cidr": "10.77.0.0/24", "ip_version": 4}})
    member.network = network
    return member


@pytest.fixture
def server(cloud, owner):
    body = server_body(cloud.client, "s", networks=[{"uuid": owner.network}], metadata={"a": "1"})
    made = owner.call("compute", "POST", "/servers", body)["server"]["id"]
    wait_status(owner, made)
    yield made
    cloud.client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(owner, made)


def test_a_locked_servers_metadata_stays_and_copies_of_it_are_made(cloud, owner, server):
    path = f"/servers/{server}"
    cloud.client.call("compute", "POST", path + "/action", {"lock": None})
    metadata = path + "/metadata"
    for method, where, body in (("POST", metadata, {"metadata": {"a": "2"}}), ("PUT", metadata, {"metadata": {}}),
                                ("PUT", metadata + "/a", {"meta": {"a": "2"}}), ("DELETE", metadata + "/a", None)):
        refused(409, owner, "compute", method, where, body)
    assert owner.call("compute", "GET", metadata) == {"metadata": {"a": "1"}}
    for name, more in (("createImage", {}), ("createBackup", {"backup_type": "daily", "rotation": 1})):
        assert owner.call("compute", "POST", path + "/action", {name: {"name": name, **more}})["image_id"]
        wait_status(owner, server)
    cloud.client.call("compute", "POST", metadata, {"metadata": {"b": "2"}})  # an administrator overrules a lock
    cloud.client.call("compute", "POST", path + "/action", {"unlock": None})
    owner.call("compute", "POST", metadata, {"metadata": {"a": "2"}})


def test_what_an_administrator_did_to_a_server_shows_its_history_to_nobody_of_his_project(cloud, owner):
    admin = cloud.client
    role = admin.find("identity", "roles", "member")["id"]
    user = admin.call("identity", "POST", "/users", {"user": {"name": "colleague", "password": "pw"}})["user"]["id"]
    admin.call("identity", "PUT", f"/projects/{admin.project_id}/users/{user}/roles/{role}")
    colleague = login_as(cloud, "colleague", "pw", "admin")
    body = server_body(admin, "gone", networks=[{"uuid": owner.network}])
    server = owner.call("compute", "POST", "/servers", body)["server"]["id"]
    wait_status(owner, server)
    admin.call("compute", "POST", f"/servers/{server}/action", {"lock": None})
    admin.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(owner, server)
    path = f"/servers/{server}/os-instance-actions"
    found = owner.call("compute", "GET", path)["instanceActions"]
    assert [a["action"] for a in found] == ["delete", "lock", "create"]
    refused(404, colleague, "compute", "GET", path)
    refused(404, colleague, "compute", "GET", f"{path}/{found[0]['request_id']}")
