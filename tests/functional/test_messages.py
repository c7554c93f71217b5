"""What people read when something is refused: which thing, why, and what to do."""

import contextlib

import pytest

from tests.conftest import new_volume
from tests.functional.test_stories import network_id, refused, server_body

NOTHING = "00000000-0000-4000-8000-000000000000"


@contextlib.contextmanager
def limited(cloud, service: str, **limits):
    """The limits of the admin's project for a while. They are forced where more is in use."""
    client, name = cloud.client, "quota" if service == "network" else "quota_set"
    where = f"/quotas/{client.project_id}" if service == "network" else f"/os-quota-sets/{client.project_id}"
    client.call(service, "PUT", where, {name: {**limits, **({} if service == "volume" else {"force": True})}})
    try:
        yield
    finally:
        client.call(service, "DELETE", where)


@pytest.fixture(scope="module")
def large(cloud):
    """An image that asks for more disk and memory than the smallest flavor has."""
    made = cloud.client.call("image", "POST", "/images", {
        "name": "large", "disk_format": "raw", "container_format": "bare", "min_disk": 3, "min_ram": 64})["id"]
    cloud.client.call("image", "PUT", f"/images/{made}/file", raw=b"\1" * 512, content_type="application/octet-stream")
    return made


def test_an_image_that_does_not_fit_the_flavor(cloud, large):
    client = cloud.client
    text = refused(400, client, "compute", "POST", "/servers", server_body(client, "s", imageRef=large))
    assert "Flavor's disk is too small for requested image. Flavor m1.nano has 1 GB, image large needs 3 GB. Choose a larger " \
        "flavor." in text
    client.call("image", "PATCH", f"/images/{large}", raw=b'[{"op": "replace", "path": "/min_ram", "value": 4096}]',
                content_type="application/openstack-images-v2.1-json-patch")
    text = refused(400, client, "compute", "POST", "/servers", server_body(client, "s", imageRef=large))
    assert "Flavor m1.nano has 128 MB, image large needs 4096 MB." in text


@pytest.mark.parametrize("more, says", [
    ({"imageRef": NOTHING}, f"Can not find requested image {NOTHING}."), ({"flavorRef": "m1.none"}, "m1.none could not be found"),
    ({"networks": [{"uuid": NOTHING}]}, f"Network {NOTHING} could not be found."), ({"key_name": "lost"}, "lost"),
    ({"networks": [{"port": NOTHING}]}, f"Port id {NOTHING} could not be found."),
    ({"availability_zone": "far"}, "far"), ({"security_groups": [{"name": "lost"}]}, "lost")], ids=str)
def test_what_is_named_and_not_there(cloud, more, says):
    assert says in refused(400, cloud.client, "compute", "POST", "/servers", server_body(cloud.client, "s", **more))


def test_quotas_of_compute(cloud):
    client = cloud.client
    for limits, says in (({"instances": 1}, "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"),
                         ({"cores": 1}, "Quota exceeded for cores: Requested 1, but already used 1 of 1 cores"),
                         ({"ram": 200}, "Quota exceeded for ram: Requested 128, but already used 128 of 200 ram")):
        with limited(cloud, "compute", **limits):
            assert says in refused(403, client, "compute", "POST", "/servers", server_body(client, "s"))
    with limited(cloud, "compute", key_pairs=0, server_groups=0, metadata_items=1):
        assert "too many key pairs. The user has 0 of 0." in refused(403, client, "compute", "POST", "/os-keypairs", {
            "keypair": {"name": "k"}})
        assert "too many server groups. The project has 0 of 0." in refused(403, client, "compute", "POST", "/os-server-groups", {
            "server_group": {"name": "g", "policies": ["affinity"]}})
        body = server_body(client, "s", metadata={"a": "1", "b": "2"})
        assert "Quota exceeded for metadata_items: Requested 2" in refused(403, client, "compute", "POST", "/servers", body)


def test_quotas_of_the_other_services(cloud):
    client = cloud.client
    volume = new_volume(client, "one")
    for limits, says in (
            ({"volumes": 1}, "Maximum number of volumes allowed (1) exceeded for quota 'volumes'. 1 are in use."),
            ({"gigabytes": 1}, "Requested 1G, quota is 1G and 1G has been consumed"),
            ({"per_volume_gigabytes": 0}, "Requested volume size 1G is larger than maximum allowed limit 0G")):
        with limited(cloud, "volume", **limits):
            assert says in refused(413, client, "volume", "POST", "/volumes", {"volume": {"size": 1}})
    with limited(cloud, "volume", snapshots=0):
        assert "Maximum number of snapshots allowed (0) exceeded for quota 'snapshots'. 0 are in use." in refused(
            413, client, "volume", "POST", "/snapshots", {"snapshot": {"volume_id": volume}})
    client.call("volume", "DELETE", f"/volumes/{volume}")
    bodies = {"networks": {}, "routers": {}, "security-groups": {"name": "g"}, "floatingips": {
        "floating_network_id": network_id(client, "public")}, "ports": {"network_id": network_id(client)}}
    for plural, body in bodies.items():
        noun = plural[:-1].replace("-", "_")
        with limited(cloud, "network", **{noun: 0}):
            text = refused(409, client, "network", "POST", f"/{plural}", {noun: body})
        assert f"Quota exceeded for resources: ['{noun}']. Requested 1, but already used " in text and " of 0." in text


def test_who_cannot_log_in_learns_what_to_look_at_and_not_which(cloud):
    def login(name: str, password: str, project: str) -> str:
        auth = {"identity": {"methods": ["password"], "password": {"user": {
            "name": name, "domain": {"id": "default"}, "password": password}}},
            "scope": {"project": {"name": project, "domain": {"id": "default"}}}}
        return refused(401, cloud.client, "identity", "POST", "/auth/tokens", {"auth": auth})
    right = cloud.client.password
    texts = {login("admin", "wrong", "admin"), login("nobody", right, "admin"), login("admin", right, "nothing")}
    assert len(texts) == 1
    assert "The user name, domain or password is incorrect, or the user has no role on the requested project" in texts.pop()


@pytest.mark.parametrize("service, method, path, status, says", [
    ("network", "GET", "/address-scopes", 404, "This cloud does not support address scopes."),
    ("network", "POST", "/vpn/vpnservices", 404, "This cloud does not support VPNs."),
    ("network", "GET", "/lbaas/loadbalancers.json", 404, "This cloud does not support load balancers."),
    ("compute", "GET", "/os-baremetal-nodes", 404, "This cloud does not support bare-metal nodes."),
    ("compute", "POST", "/os-assisted-volume-snapshots", 404, "snapshots of volumes by the hypervisor"),
    ("compute", "GET", "/os-agents", 410, "no longer available"),
    ("volume", "GET", "/backups/detail", 404, "This cloud does not support backups of volumes."),
    ("image", "POST", "/cache/clean", 404, "This cloud does not support"),
    ("identity", "POST", "/OS-OAUTH2/token", 404, "This cloud does not support OAuth 2.0.")])
def test_what_this_cloud_does_not_have_is_no_mistyped_path(cloud, service, method, path, status, says):
    assert says in refused(status, cloud.client, service, method, path, {} if method == "POST" else None)
    assert "This cloud does not support" not in refused(404, cloud.client, service, method, f"/x{path[1:]}")


def test_actions_that_this_cloud_does_not_have(cloud):
    client = cloud.client
    server = client.find("compute", "servers", "first")["id"]
    text = refused(400, client, "compute", "POST", f"/servers/{server}/action", {"os-getRDPConsole": {}})
    assert "There is no such action: os-getRDPConsole. This cloud does not support RDP consoles." in text
    text = refused(400, client, "compute", "POST", f"/servers/{server}/action", {"os-getRDPConsol": {}})
    assert "There is no such action: os-getRDPConsol" in text and "This cloud" not in text
    volume = new_volume(client, "acted")
    assert "does not support migrations of volumes" in refused(400, client, "volume", "POST", f"/volumes/{volume}/action", {
        "os-migrate_volume": {"host": "x"}})
    client.call("volume", "DELETE", f"/volumes/{volume}")
