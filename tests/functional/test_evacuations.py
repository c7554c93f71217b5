"""Evacuations as the API takes them, in a cloud of one host: what is refused, and a server that cannot go anywhere.

Where they lead to is tested with two hosts in tests/histories and tests/e2e.
"""

import contextlib

import pytest

from tests.functional.test_server_migrations import act, idle, listed, message
from tests.functional.test_stories import active_server, refused, wait_for


@pytest.fixture(scope="module")
def server(cloud):
    with active_server(cloud.client, "evacuations") as made:
        yield made


@contextlib.contextmanager
def host_down(cloud):
    """The host is forced down, and up again in the end."""
    (service,) = cloud.client.call("compute", "GET", "/os-services?binary=nova-compute", version="2.53")["services"]

    def force(value: bool):
        cloud.client.call("compute", "PUT", f"/os-services/{service['id']}", {"forced_down": value}, version="2.53")
    force(True)
    yield service["host"]
    force(False)


def test_a_server_of_a_host_that_is_up_stays(cloud, member, server):
    path = f"/servers/{server}/action"
    assert "is still in use" in refused(400, cloud.client, "compute", "POST", path, {"evacuate": {}}, version="2.14")
    refused(404, member, "compute", "POST", path, {"evacuate": {}}, version="2.14")
    assert listed(cloud.client, f"?instance_uuid={server}") == []


def test_without_another_host_it_stays_as_it_was_and_its_history_says_why(cloud, server):
    with host_down(cloud):
        assert act(cloud, server, "evacuate", {}, version="2.14") is None
        refused(409, cloud.client, "compute", "POST", f"/servers/{server}/action", {"evacuate": {}}, version="2.14")
        wait_for(lambda: idle(cloud, server), 30, what="the server to be idle again")
        assert "There is no host besides the one that the server is on." in message(cloud, server, "evacuate")
    (migration,) = listed(cloud.client, f"?instance_uuid={server}&migration_type=evacuation")
    assert (migration["status"], migration["dest_compute"]) == ("failed", None)
    found = cloud.client.call("compute", "GET", f"/servers/{server}")["server"]
    assert (found["status"], found["OS-EXT-SRV-ATTR:host"]) == ("ACTIVE", migration["source_compute"])


def test_passwords_are_answered_until_2_13(cloud, server):
    with host_down(cloud):
        for given in ({"adminPass": "secret"}, {}):
            found = act(cloud, server, "evacuate", {"onSharedStorage": False, **given}, version="2.13")
            assert found["adminPass"] == given.get("adminPass", found["adminPass"]) and len(found["adminPass"]) > 5
            wait_for(lambda: idle(cloud, server), 30, what="the server to be idle again")


@pytest.mark.parametrize(("version", "body", "text"), [
    ("2.13", {}, "'onSharedStorage' is a required property"),
    ("2.13", {"onSharedStorage": True, "adminPass": "x"}, "admin password can't be changed on existing disk"),
    ("2.13", {"onSharedStorage": "True"}, "shared storage"),
    ("2.14", {"onSharedStorage": False}, "'onSharedStorage' was unexpected"),
    ("2.28", {"force": False}, "'force' was unexpected"), ("2.68", {"force": True, "host": "x"}, "'force' was unexpected"),
    ("2.29", {"force": True}, "Can't force to a non-provided destination"), ("2.29", {"host": "a/b"}, "host"),
    ("2.29", {"force": "perhaps"}, "force"), ("2.14", {"color": "blue"}, "color")])
def test_bodies_by_microversion(cloud, server, version, body, text):
    with host_down(cloud):
        assert text in refused(400, cloud.client, "compute", "POST", f"/servers/{server}/action", {"evacuate": body},
                               version=version)
    assert idle(cloud, server)


def test_the_requested_host_must_exist_and_be_another(cloud, server):
    path = f"/servers/{server}/action"
    with host_down(cloud) as host:
        for version in ("2.14", "2.29", "2.68"):
            assert "Compute host nowhere not found." in refused(404, cloud.client, "compute", "POST", path,
                                                                {"evacuate": {"host": "nowhere"}}, version=version)
            assert "The target host can't be the same one." in refused(400, cloud.client, "compute", "POST", path,
                                                                       {"evacuate": {"host": host}}, version=version)
