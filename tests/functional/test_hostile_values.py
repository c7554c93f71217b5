"""Values that are texts or lists in JSON, and something else to whoever uses them: refused as the client's fault."""

import json

import pytest

from common.periodic import wait_for
from tests.conftest import new_volume
from tests.tenancy.frame import Asker, Raw

UUID = "6143a53e-3ec2-48ae-ab4b-19e4c45ea59f"


@pytest.fixture(scope="module")
def ask(cloud):
    return Asker(cloud.client)


def image(ask, **more) -> dict:
    return ask.made("image", "/v2/images", {"name": "i", "disk_format": "raw", "container_format": "bare", **more})


def mapping(**more) -> str:
    return json.dumps([{"source_type": "snapshot", "destination_type": "volume", "snapshot_id": UUID, "boot_index": 0, **more}])


@pytest.mark.parametrize("text", ["[" * 60000, mapping(tag="\ud800"), mapping(boot_index=float("nan")), "[1e999]"],
                         ids=["deep", "surrogate", "nan", "inf"])
def test_a_mapping_that_an_image_carries_is_parsed_as_a_body_is(ask, text):
    made = image(ask, block_device_mapping=text)["id"]
    assert ask("image", "PUT", f"/v2/images/{made}/file", Raw(b"x"))[0] == 204
    status, answer = ask("compute", "POST", "/v2.1/servers", {"server": {
        "name": "s", "flavorRef": "42", "imageRef": made, "networks": "none"}}, version="compute 2.60")
    assert (status, "own mapping cannot be read" in answer) == (400, True), answer


def test_a_mapping_names_its_volume(ask):
    status, answer = ask("compute", "POST", "/v2.1/servers", {"server": {
        "name": "s", "flavorRef": "42", "networks": "none", "block_device_mapping_v2": [
            {"source_type": "volume", "destination_type": "volume", "boot_index": 0}]}}, version="compute 2.60")
    assert status == 400 and "uuid of a volume" in answer


def test_several_servers_get_no_single_port_or_address(ask):
    """Each but one of them ended in ERROR, and all were tried."""
    network = ask.made("network", "/v2.0/networks", {"network": {}})["id"]
    ask.made("network", "/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.66.0.0/24"}})
    port = ask.made("network", "/v2.0/ports", {"port": {"network_id": network}})["id"]
    own = json.loads(ask("image", "GET", "/v2/images?name=cirros")[1])["images"][0]["id"]
    for wanted in ({"port": port}, {"uuid": network, "fixed_ip": "10.66.0.9"}):
        for counts in ({"min_count": 2}, {"max_count": "2"}):
            status, answer = ask("compute", "POST", "/v2.1/servers", {"server": {
                "name": "s", "flavorRef": "42", "imageRef": own, "networks": [wanted], **counts}}, version="compute 2.60")
            assert status == 400 and "one by one" in answer, answer
    assert ask("network", "DELETE", f"/v2.0/ports/{port}")[0] == 204
    assert ask("network", "DELETE", f"/v2.0/networks/{network}")[0] == 204


@pytest.mark.parametrize("tags", [[["a"]], [1, "a"], [{}], [None]], ids=str)
def test_tags_in_a_patch_are_texts(ask, tags):
    made = image(ask)["id"]
    body = Raw(json.dumps([{"op": "replace", "path": "/tags", "value": tags}]).encode(),
               "application/openstack-images-v2.1-json-patch")
    assert ask("image", "PATCH", f"/v2/images/{made}", body)[0] == 400


def test_an_image_id_is_one_however_it_is_written(ask):
    assert image(ask, id=UUID.upper())["id"] == UUID
    for same in (UUID, UUID.replace("-", ""), UUID.upper()):
        assert ask("image", "POST", "/v2/images", {"id": same})[0] == 409
    assert ask("image", "DELETE", f"/v2/images/{UUID}")[0] == 204
    assert ask("image", "POST", "/v2/images", {"id": UUID.replace("-", "")})[0] == 409


@pytest.mark.parametrize("name", ["x-image-meta-name", "x-image-meta-property-p"])
def test_a_header_that_is_unquoted_holds_no_control_characters(ask, name):
    headers = {"X-Auth-Token": ask.client.token, name: "a%00b"}
    where = ask.client.url("image").rsplit("/", 1)[0] + "/v1/images"
    assert ask.client.pool.request("POST", where, headers=headers).status == 400


@pytest.fixture(scope="module")
def volume(cloud, ask):
    made = new_volume(cloud.client, "connected")
    yield made
    assert ask("volume", "DELETE", f"/v3/volumes/{made}")[0] == 202
    wait_for(lambda: made not in json.dumps(cloud.client.call("volume", "GET", "/volumes")), 20, what="the volume to go")


@pytest.mark.parametrize("connector", [{"mountpoint": ["a"]}, {"mountpoint": {"a": 1}}, {"mountpoint": "x" * 300},
                                       {"host": ["a"]}, {"host": "h\nx"}, {"initiator": ["x"]}, {"initiator": "--op"},
                                       {"initiator": "iqn.x y"}], ids=str)
def test_a_connector_has_texts(ask, volume, connector):
    bodies = [{"volume_uuid": volume, "connector": connector}, {"volume_uuid": volume, "instance_uuid": "x"}]
    for body in bodies:
        assert ask("volume", "POST", "/v3/attachments", {"attachment": body}, version="volume 3.44")[0] == 400
    made = ask.made("volume", "/v3/attachments", {"attachment": {"volume_uuid": volume}}, version="volume 3.44")["id"]
    for given, expected in ((connector, 400), ({"host": "h", "initiator": None, "ip": "10.0.0.1", "multipath": False}, 200)):
        assert ask("volume", "PUT", f"/v3/attachments/{made}", {"attachment": {"connector": given}},
                   version="volume 3.44")[0] == expected
    assert ask("volume", "DELETE", f"/v3/attachments/{made}", version="volume 3.44")[0] == 200
