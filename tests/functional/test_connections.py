"""Connections of hosts to volumes without a server, and what only services may take from a server."""

import json
import pathlib

import pytest

from common.periodic import wait_for
from deploy.prepare import ensure_secrets
from tests.conftest import login_as, new_member, new_volume, volume_status
from tests.functional.test_stories import refused, server_body, wait_gone, wait_status

HOST = {"host": "iron", "ip": "192.0.2.7", "initiator": "iqn.1994-05.com.example:iron", "multipath": False,
        "enforce_multipath": True}
OTHER = {"host": "brass", "initiator": "iqn.1994-05.com.example:brass"}


@pytest.fixture
def act(cloud):
    """Sends an action of a volume; returns the status and the body of the answer."""
    def call(volume, name, arguments=None, *, client=cloud.client, service: str | None = None):
        headers = {"X-Auth-Token": client.token, "Content-Type": "application/json"}
        if service is not None:
            headers["X-Service-Token"] = service
        answer = client.pool.request("POST", client.url("volume") + f"/volumes/{volume}/action", headers=headers,
                                     body=json.dumps({name: arguments}))
        return answer.status, answer.data.decode()
    return call


@pytest.fixture
def volume(cloud):
    made = new_volume(cloud.client, "connected")
    yield made
    cloud.client.call("volume", "DELETE", f"/volumes/{made}")
    wait_for(lambda: made not in str(cloud.client.call("volume", "GET", "/volumes")), 20, what="the volume to go")


def exported(cloud, volume: str) -> set[str]:
    export = pathlib.Path(cloud.state, "volumes", f"volume-{volume}.export")
    return set(export.read_text().split()) if export.exists() else set()


def attachments(cloud, volume: str) -> dict[str, dict]:
    """{id: attachment}"""
    found = cloud.client.call("volume", "GET", f"/attachments/detail?volume_id={volume}", version="3.44")["attachments"]
    return {a["id"]: a for a in found}


def test_a_host_is_connected_as_clients_of_old_do_it(cloud, act, volume):
    assert act(volume, "os-reserve")[0] == 202
    status, text = act(volume, "os-initialize_connection", {"connector": HOST})
    info = json.loads(text)["connection_info"]
    assert status == 200 and info["driver_volume_type"] == "fake" and info["enforce_multipath"] is True
    assert info["data"]["auth_password"].startswith("fake-chap-") and info["data"]["access_mode"] == "rw"
    assert info["data"]["enforce_multipath"] is True
    ((listed, shown),) = attachments(cloud, volume).items()
    assert (shown["status"], shown["instance"], exported(cloud, volume)) == ("connected", None, {listed})
    again = json.loads(act(volume, "os-initialize_connection", {"connector": HOST})[1])["connection_info"]
    assert again == info and exported(cloud, volume) == {listed}
    assert act(volume, "os-attach", {"mountpoint": "/dev/sdb", "host_name": "iron"})[0] == 202
    assert volume_status(cloud.client, volume) == "in-use"
    attached = cloud.client.call("volume", "GET", f"/volumes/{volume}")["volume"]["attachments"]
    assert [a["host_name"] for a in attached] == ["iron"]
    assert act(volume, "os-begin_detaching")[0] == 202
    assert act(volume, "os-terminate_connection", {"connector": HOST})[0] == 202
    assert (volume_status(cloud.client, volume), exported(cloud, volume)) == ("detaching", set())
    assert act(volume, "os-detach", {"attachment_id": attached[0]["attachment_id"]})[0] == 202
    assert (volume_status(cloud.client, volume), attachments(cloud, volume)) == ("available", {})


def test_each_host_has_a_connection_of_its_own(cloud, act, volume):
    for connector in (HOST, OTHER):
        assert act(volume, "os-initialize_connection", {"connector": connector})[0] == 200
    assert volume_status(cloud.client, volume) == "attaching" and len(exported(cloud, volume)) == 2
    for name in ("os-unreserve", "os-detach"):
        act(volume, name)
        assert volume_status(cloud.client, volume) == "attaching", name
    assert act(volume, "os-terminate_connection", {"connector": {"host": "brass"}})[0] == 202
    assert volume_status(cloud.client, volume) == "attaching" and len(exported(cloud, volume)) == 1
    assert "attached" in refused(400, cloud.client, "volume", "DELETE", f"/volumes/{volume}")
    for connector in (None, {}, HOST):  # the first ends all that are left; then there is none, and that is no error
        assert act(volume, "os-terminate_connection", {"connector": connector})[0] == 202
        assert (volume_status(cloud.client, volume), exported(cloud, volume)) == ("available", set())
    assert act(volume, "os-unreserve")[0] == 202


def test_a_connection_is_ended_by_deleting_its_attachment(cloud, act, volume):
    act(volume, "os-initialize_connection", {"connector": HOST})
    (listed,) = attachments(cloud, volume)
    cloud.client.call("volume", "DELETE", f"/attachments/{listed}", version="3.44")
    assert (volume_status(cloud.client, volume), exported(cloud, volume)) == ("available", set())


def test_bad_requests_connect_nothing(cloud, act, volume):
    for connector in ({}, {"host": "iron"}, {"initiator": ""}, {"initiator": None}):
        status, text = act(volume, "os-initialize_connection", {"connector": connector})
        assert status == 400 and "Connector doesn't have required information: initiator" in text
    for body in (None, {}, {"connector": None}, {"connector": "iron"}, {"connector": {"initiator": "a b"}},
                 {"connector": HOST, "more": 1}):
        assert act(volume, "os-initialize_connection", body)[0] == 400, body
    for body in (None, {}, {"connector": "iron"}, {"connector": {"initiator": "a b"}}):
        assert act(volume, "os-terminate_connection", body)[0] == 400, body
    for reset in ("maintenance", "error"):
        cloud.client.call("volume", "POST", f"/volumes/{volume}/action", {"os-reset_status": {"status": reset}})
        status, text = act(volume, "os-initialize_connection", {"connector": HOST})
        assert status == 400 and f"but is {reset}" in text
        assert act(volume, "os-detach") == (202, "") and volume_status(cloud.client, volume) == reset
    assert attachments(cloud, volume) == {} and exported(cloud, volume) == set()


def test_only_services_take_a_volume_from_a_server(cloud, act, volume):
    """OSSA-2023-003: neither terminate, detach nor a forced detach, by its owner or by an administrator."""
    member, secrets = new_member(cloud), ensure_secrets(cloud.state)
    service = login_as(cloud, "nova", secrets["nova_password"], "service").token
    server = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "user"))["server"]["id"]
    wait_status(cloud.client, server)
    cloud.client.call("compute", "POST", f"/servers/{server}/os-volume_attachments", {"volumeAttachment": {"volumeId": volume}})
    wait_for(lambda: volume_status(cloud.client, volume) == "in-use", 20, what="the volume in use")
    ((attachment, shown),) = attachments(cloud, volume).items()
    assert shown["instance"] == server
    asked = {"os-terminate_connection": {"connector": {}}, "os-detach": {}, "os-force_detach": {
        "connector": None, "attachment_id": attachment}}
    assert act(volume, "os-terminate_connection", {"connector": {}}, client=member)[0] == 404
    assert act(volume, "os-initialize_connection", {"connector": HOST})[0] == 400
    for status in ("in-use", "error"):
        cloud.client.call("volume", "POST", f"/volumes/{volume}/action", {"os-reset_status": {"status": status}})
        for name, arguments in asked.items():
            for token, answer in ((None, 409), (cloud.client.token, 409), (member.token, 409), ("x" + service[1:], 401)):
                code, text = act(volume, name, arguments, service=token)
                assert code == answer, (name, status, text)
                if code == 409:
                    assert f"Detach volume from instance {server} using the Compute API" in text
        assert list(attachments(cloud, volume)) == [attachment] and exported(cloud, volume) == {attachment}
    assert act(volume, "os-terminate_connection", {"connector": {}}, service=service)[0] == 202
    assert exported(cloud, volume) == {attachment}, "it is of the server, and no connection"
    assert act(volume, "os-detach", {"attachment_id": server})[0] == 400
    assert act(volume, "os-detach", {}, service=service)[0] == 202
    assert (volume_status(cloud.client, volume), exported(cloud, volume)) == ("available", set())
    cloud.client.call("compute", "DELETE", f"/servers/{server}")
    wait_gone(cloud.client, server)


def test_an_administrator_detaches_from_a_server_that_is_gone(cloud, act, volume):
    made = cloud.client.call("volume", "POST", "/attachments", {"attachment": {
        "volume_uuid": volume, "instance_uuid": volume, "connector": HOST}}, version="3.44")["attachment"]["id"]
    assert exported(cloud, volume) == {made}
    assert act(volume, "os-force_detach", {"attachment_id": made})[0] == 202
    assert (volume_status(cloud.client, volume), exported(cloud, volume)) == ("available", set())


def test_a_word_about_a_server_is_not_its_use(cloud, act, volume):
    """As of bare metal, whose instance the compute service does not know."""
    assert act(volume, "os-attach", {"mountpoint": "/dev/sdb", "instance_uuid": volume})[0] == 202
    assert act(volume, "os-initialize_connection", {"connector": HOST})[0] == 200
    cloud.client.call("volume", "POST", f"/volumes/{volume}/action", {"os-reset_status": {"status": "error"}})
    (word,) = (each for each, shown in attachments(cloud, volume).items() if shown["status"] == "attached")
    assert act(volume, "os-force_detach", {"connector": None, "attachment_id": word})[0] == 202
    assert (volume_status(cloud.client, volume), exported(cloud, volume)) == ("available", set())
    assert act(volume, "os-detach", {})[0] == 202
