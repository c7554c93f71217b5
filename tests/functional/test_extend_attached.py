"""A volume grows while a server uses it (volume 3.42)."""

import json
import pathlib

import pytest

from common.periodic import wait_for
from deploy.prepare import ensure_secrets
from tests.conftest import login_as, new_volume, volume_status
from tests.functional.test_stories import active_server, wait_status


def ask(client, service: str, method: str, path: str, body=None, *, version: str = "") -> tuple[int, dict]:
    headers = {"X-Auth-Token": client.token, "Content-Type": "application/json",
               **({"OpenStack-API-Version": version} if version else {})}
    answer = client.pool.request(method, client.url(service) + path, headers=headers,
                                 body=None if body is None else json.dumps(body))
    return answer.status, json.loads(answer.data or "{}")


def act(client, volume: str, action: dict, version: str = "3.42") -> int:
    return ask(client, "volume", "POST", f"/volumes/{volume}/action", action, version=f"volume {version}")[0]


def shown(client, volume: str) -> dict:
    return client.call("volume", "GET", f"/volumes/{volume}")["volume"]


def settled(client, volume: str) -> tuple[str, int]:
    wait_for(lambda: volume_status(client, volume) != "extending", 30, what="the volume to be extended")
    return shown(client, volume)["status"], shown(client, volume)["size"]


@pytest.fixture(scope="module")
def server(cloud):
    with active_server(cloud.client, "grows") as made:
        yield made


@pytest.fixture
def volume(cloud, server):
    client = cloud.client
    made = new_volume(client, "grows")
    path = f"/servers/{server}/os-volume_attachments"
    client.call("compute", "POST", path, {"volumeAttachment": {"volumeId": made}})
    wait_for(lambda: volume_status(client, made) == "in-use", 20, what="the attachment")
    yield made
    wait_for(lambda: volume_status(client, made) != "extending", 30, what="the end")
    if volume_status(client, made) == "in-use":
        client.call("compute", "DELETE", f"{path}/{made}")
    wait_for(lambda: volume_status(client, made) == "available", 20, what="the detachment")
    client.call("volume", "DELETE", f"/volumes/{made}")


def sizes(cloud, server: str) -> dict:
    """What the guest sees, as the fake driver remembers it."""
    guest = json.loads(pathlib.Path(cloud.state, "instances", server, "guest.json").read_text())
    return guest.get("sizes", {})


def gigabytes(client) -> int:
    return client.call("volume", "GET", f"/os-quota-sets/{client.project_id}?usage=true")["quota_set"]["gigabytes"]["in_use"]


def test_the_guest_sees_the_new_size(cloud, server, volume):
    before = gigabytes(cloud.client)
    assert act(cloud.client, volume, {"os-extend": {"new_size": 2}}) == 202
    assert settled(cloud.client, volume) == ("in-use", 2)
    assert sizes(cloud, server) == {volume: 2} and gigabytes(cloud.client) == before + 1
    actions = cloud.client.call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"]
    request = next(a["request_id"] for a in actions if a["action"] == "extend_volume")
    path = f"/servers/{server}/os-instance-actions/{request}"

    def steps():
        found = cloud.client.call("compute", "GET", path)["instanceAction"]["events"]
        return found if len(found) == 5 else None
    # The volume is in use again before the agent reports its last step.
    found = wait_for(steps, 20, what="the steps to be reported")
    assert {e["result"] for e in found} == {"Success"}


def test_not_before_3_42_and_not_beyond_the_quota(cloud, volume):
    before = gigabytes(cloud.client)
    assert act(cloud.client, volume, {"os-extend": {"new_size": 2}}, "3.41") == 400
    assert act(cloud.client, volume, {"os-extend": {"new_size": 1}}) == 400
    assert act(cloud.client, volume, {"os-extend": {"new_size": 99999}}) == 413
    assert (volume_status(cloud.client, volume), gigabytes(cloud.client)) == ("in-use", before)


def test_a_server_that_is_off_sees_it_when_it_starts(cloud, server, volume):
    client, path = cloud.client, f"/servers/{server}/action"
    client.call("compute", "POST", path, {"os-stop": None})
    wait_status(client, server, "SHUTOFF")
    assert act(client, volume, {"os-extend": {"new_size": 2}}) == 202
    assert settled(client, volume) == ("in-use", 2) and volume not in sizes(cloud, server)
    client.call("compute", "POST", path, {"os-start": None})
    wait_status(client, server)


def test_who_pauses_a_server_finds_it_paused(cloud, server, volume):
    client, path = cloud.client, f"/servers/{server}/action"
    client.call("compute", "POST", path, {"pause": None})
    wait_status(client, server, "PAUSED")
    assert act(client, volume, {"os-extend": {"new_size": 2}}) == 202
    assert settled(client, volume) == ("in-use", 2) and sizes(cloud, server)[volume] == 2
    guest = json.loads(pathlib.Path(cloud.state, "instances", server, "guest.json").read_text())
    assert guest["power"] == 3
    client.call("compute", "POST", path, {"unpause": None})
    wait_status(client, server)


def test_a_backend_that_cannot_leaves_everything_as_it_was(cloud, server, volume):
    client, before = cloud.client, gigabytes(cloud.client)
    kept = pathlib.Path(cloud.state, "volumes", f"volume-{volume}")
    kept.rename(kept.with_suffix(".away"))
    try:
        assert act(client, volume, {"os-extend": {"new_size": 2}}) == 202
        assert settled(client, volume) == ("in-use", 1) and gigabytes(client) == before
    finally:
        kept.with_suffix(".away").rename(kept)
    assert act(client, volume, {"os-extend": {"new_size": 2}}) == 202
    assert settled(client, volume) == ("in-use", 2)


def test_only_a_service_or_an_administrator_says_that_it_is_done(cloud, member, volume):
    done = {"os-extend_volume_completion": {"error": False}}
    own = new_volume(member, "own")
    assert act(member, own, done) == 403 and act(member, volume, done) == 404
    assert act(cloud.client, volume, done) == 400, "it does not grow"
    assert act(cloud.client, volume, {"os-extend_volume_completion": None}) == 400
    member.call("volume", "DELETE", f"/volumes/{own}")


def test_events_of_grown_volumes_are_nova_s(cloud, server, volume):
    service = login_as(cloud, "cinder", ensure_secrets(cloud.state)["cinder_password"], "service")
    nowhere = "11111111-2222-4333-8444-555555555555"

    def told(*events, version="2.51"):
        return ask(service, "compute", "POST", "/os-server-external-events", {"events": [
            {"name": "volume-extended", **e} for e in events]}, version=f"compute {version}")
    assert told({"server_uuid": server, "tag": volume}, version="2.50")[0] == 400
    status, answer = told({"server_uuid": server}, {"server_uuid": nowhere, "tag": volume},
                          {"server_uuid": server, "tag": nowhere})
    assert status == 207 and [e["code"] for e in answer["events"]] == [400, 404, 200]
    assert ask(cloud.client, "volume", "GET", f"/volumes/{volume}")[1]["volume"]["status"] == "in-use"
