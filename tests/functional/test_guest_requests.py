"""What is asked of a running guest (what it has used, a password, a crash dump), and small requests of operators."""

import base64
import contextlib
import json
import urllib.parse

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from common.periodic import wait_for
from tests.functional.test_evacuations import host_down
from tests.functional.test_stories import active_server, refused, server_body, wait_gone, wait_status


@pytest.fixture(scope="module")
def server(cloud):
    with active_server(cloud.client, "guest") as made:
        yield made


@pytest.fixture(scope="module")
def with_agent(cloud):
    """A server of an image that says that it has an agent."""
    image = cloud.client.call("image", "POST", "/images", {
        "name": "with-agent", "disk_format": "raw", "container_format": "bare", "hw_qemu_guest_agent": "yes"})["id"]
    cloud.client.call("image", "PUT", f"/images/{image}/file", raw=b"\0" * 512, content_type="application/octet-stream")
    made = cloud.client.call("compute", "POST", "/servers", server_body(cloud.client, "agent", imageRef=image))["server"]["id"]
    wait_status(cloud.client, made)
    yield made
    cloud.client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(cloud.client, made)
    cloud.client.call("image", "DELETE", f"/images/{image}")


def act(cloud, server, name, arguments=None, **more):
    return cloud.client.call("compute", "POST", f"/servers/{server}/action", {name: arguments}, **more)


def refused_act(status: int, client, server, name, arguments=None, **more) -> str:
    return refused(status, client, "compute", "POST", f"/servers/{server}/action", {name: arguments}, **more)


@contextlib.contextmanager
def stopped(cloud, server):
    act(cloud, server, "os-stop")
    wait_status(cloud.client, server, "SHUTOFF")
    yield
    act(cloud, server, "os-start")
    wait_status(cloud.client, server)


def actions(cloud, server) -> list[tuple]:
    found = cloud.client.call("compute", "GET", f"/servers/{server}/os-instance-actions")["instanceActions"]
    return [(a["action"], a["message"]) for a in found]


def test_diagnostics_in_both_formats(cloud, member, server):
    path = f"/servers/{server}/diagnostics"
    old = cloud.client.call("compute", "GET", path, version="2.47")
    assert old["memory"] > 0 and old["cpu0_time"] > 0 and {"vda_read", "vda_write_req", "memory-actual"} <= set(old)
    new = cloud.client.call("compute", "GET", path, version="2.48")
    assert new["driver"] == "libvirt", "one that the schemas of clients know"
    assert (new["state"], new["num_cpus"], new["num_nics"], new["num_disks"]) == ("running", 1, 1, 1)
    assert new["memory_details"]["maximum"] == old["memory"] // 1024 and new["uptime"] >= 0 and new["config_drive"] is False
    assert set(new) == {"state", "driver", "hypervisor", "hypervisor_os", "uptime", "config_drive", "num_cpus", "num_nics",
                        "num_disks", "memory_details", "cpu_details", "disk_details", "nic_details"}
    assert set(new["nic_details"][0]) == {"mac_address", *(f"{way}_{what}" for way in ("rx", "tx") for what in (
        "octets", "errors", "drop", "packets", "rate"))}
    assert set(new["disk_details"][0]) == {"read_bytes", "read_requests", "write_bytes", "write_requests", "errors_count"}
    refused(404, member, "compute", "GET", path)
    with stopped(cloud, server):
        text = refused(409, cloud.client, "compute", "GET", path, version="2.48")
        assert f"Cannot 'get_diagnostics' instance {server} while it is in power state shutdown" in text


def test_a_password_is_set_where_there_is_an_agent(cloud, server, with_agent):
    assert "QEMU guest agent is not enabled" in refused_act(409, cloud.client, server, "changePassword", {"adminPass": "x"})
    assert ("changePassword", "QEMU guest agent is not enabled") in actions(cloud, server)
    assert act(cloud, with_agent, "changePassword", {"adminPass": "x"}) is None
    assert actions(cloud, with_agent)[0] == ("changePassword", None)
    refused_act(400, cloud.client, with_agent, "changePassword", {})
    act(cloud, with_agent, "lock")
    with stopped(cloud, with_agent):
        assert "in vm_state stopped" in refused_act(409, cloud.client, with_agent, "changePassword", {"adminPass": "x"})


def test_a_password_is_kept_for_the_owner_of_the_key(cloud, with_agent):
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    cloud.client.call("compute", "POST", "/os-keypairs", {"keypair": {"name": "sealing", "public_key": public}})
    image = cloud.client.call("compute", "GET", f"/servers/{with_agent}")["server"]["image"]["id"]
    with active_server_of(cloud, image, key_name="sealing") as other:
        act(cloud, other, "changePassword", {"adminPass": "s3cret"})
        sealed = cloud.client.call("compute", "GET", f"/servers/{other}/os-server-password")["password"]
        assert private.decrypt(base64.b64decode(sealed), padding.PKCS1v15()) == b"s3cret"
    cloud.client.call("compute", "DELETE", "/os-keypairs/sealing")


def test_servers_under_their_name_of_old(cloud, server):
    old = "/os-volumes_boot"
    assert cloud.client.call("compute", "GET", f"{old}/{server}")["server"]["id"] == server
    for path in ("", "/detail"):
        assert server in [s["id"] for s in cloud.client.call("compute", "GET", old + path)["servers"]]
    cloud.client.call("compute", "PUT", f"{old}/{server}", {"server": {"name": "of old"}})
    assert cloud.client.call("compute", "GET", f"/servers/{server}")["server"]["name"] == "of old"
    cloud.client.call("compute", "POST", f"{old}/{server}/action", {"lock": None})
    cloud.client.call("compute", "POST", f"{old}/{server}/action", {"unlock": None})
    made = cloud.client.call("compute", "POST", old, server_body(cloud.client, "made of old"))["server"]["id"]
    wait_status(cloud.client, made)
    cloud.client.call("compute", "DELETE", f"{old}/{made}")
    wait_gone(cloud.client, made)


def test_a_user_that_the_guest_has_not_is_told(cloud, with_agent):
    image = cloud.client.call("compute", "GET", f"/servers/{with_agent}")["server"]["image"]["id"]
    changed = [{"op": "add", "path": "/os_admin_user", "value": "nobody"}]
    cloud.client.call("image", "PATCH", f"/images/{image}", raw=json.dumps(changed).encode(),
                      content_type="application/openstack-images-v2.1-json-patch")
    with active_server_of(cloud, image) as other:
        text = refused_act(409, cloud.client, other, "changePassword", {"adminPass": "x"})
        assert f"Failed to set admin password on {other} because error setting admin password" in text


@contextlib.contextmanager
def active_server_of(cloud, image, **more):
    body = server_body(cloud.client, "other", imageRef=image, **more)
    made = cloud.client.call("compute", "POST", "/servers", body)["server"]["id"]
    wait_status(cloud.client, made)
    yield made
    cloud.client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(cloud.client, made)


def test_a_crash_dump_is_triggered_and_recorded(cloud, server):
    refused_act(404, cloud.client, server, "trigger_crash_dump", version="2.16")
    assert act(cloud, server, "trigger_crash_dump", version="2.17") is None

    def events() -> list:
        found = cloud.client.call("compute", "GET", f"/servers/{server}/os-instance-actions", version="2.51")["instanceActions"]
        request = next(a["request_id"] for a in found if a["action"] == "trigger_crash_dump")
        return cloud.client.call("compute", "GET", f"/servers/{server}/os-instance-actions/{request}", version="2.51")[
            "instanceAction"]["events"]
    (event,) = wait_for(events, 10, what="the event")
    assert (event["event"], event["result"]) == ("compute_trigger_crash_dump", "Success")
    refused_act(400, cloud.client, server, "trigger_crash_dump", {"force": True}, version="2.17")
    with stopped(cloud, server):
        assert "in vm_state stopped" in refused_act(409, cloud.client, server, "trigger_crash_dump", version="2.17")


def test_network_actions_of_xenserver(cloud, member, server):
    for arguments in (None, {}):
        assert act(cloud, server, "injectNetworkInfo", arguments) is None
    refused_act(410, cloud.client, server, "resetNetwork")
    refused_act(404, member, server, "injectNetworkInfo")


def test_hosts_have_no_power_actions(cloud, member):
    (host,) = {h["host_name"] for h in cloud.client.call("compute", "GET", "/os-hosts", version="2.42")["hosts"]
               if h["service"] == "compute"}
    for verb in ("reboot", "shutdown", "startup"):
        refused(403, member, "compute", "GET", f"/os-hosts/{host}/{verb}", version="2.42")
        refused(404, cloud.client, "compute", "GET", f"/os-hosts/nowhere/{verb}", version="2.42")
        refused(404, cloud.client, "compute", "GET", f"/os-hosts/{host}/{verb}", version="2.43")
        assert "not supported" in refused(501, cloud.client, "compute", "GET", f"/os-hosts/{host}/{verb}", version="2.42")
        with host_down(cloud):
            assert "unavailable" in refused(400, cloud.client, "compute", "GET", f"/os-hosts/{host}/{verb}", version="2.42")
    for mode in ({"maintenance_mode": "enable"}, {"status": "enable", "maintenance_mode": "enable"}):
        refused(501, cloud.client, "compute", "PUT", f"/os-hosts/{host}", mode, version="2.42")
        refused(404, cloud.client, "compute", "PUT", "/os-hosts/nowhere", mode, version="2.42")


def test_usage_audits_count_the_servers_of_a_month(cloud, server):
    def log(moment: str = "") -> dict:
        path = "/os-instance_usage_audit_log" + (f"/{urllib.parse.quote(moment)}" if moment else "")
        (found,) = cloud.client.call("compute", "GET", path).values()
        return found
    now = log()
    assert now["period_ending"].endswith("-01 00:00:00") and now["num_hosts"] == now["num_hosts_done"] == len(now["log"]) == 1
    assert now["overall_status"] == "ALL hosts done. 0 errors."
    later = log("2199-03-15 10:00:00")
    assert (later["period_beginning"], later["period_ending"]) == ("2199-02-01 00:00:00", "2199-03-01 00:00:00")
    (host,) = later["log"].values()
    assert host["state"] == "DONE" and host["instances"] == later["total_instances"] >= 1, "those that are there still"
    assert log("2001-01-01 00:00:00.5")["period_beginning"] == "2000-12-01 00:00:00" and log("2001-01-01 00:00:00")[
        "period_beginning"] == "2000-11-01 00:00:00"
    assert log("2001-01-01 00:00:00")["total_instances"] == 0
    text = refused(400, cloud.client, "compute", "GET", "/os-instance_usage_audit_log/never")
    assert "Invalid timestamp for date never" in text
    refused(400, cloud.client, "compute", "GET", "/os-instance_usage_audit_log/0001-01-01%2000:00:00")


def test_extensions_of_old(cloud):
    found = cloud.client.call("compute", "GET", "/extensions")["extensions"]
    assert {"os-consoles", "os-hosts", "NMN"} <= {e["alias"] for e in found} and "os-fping" not in {e["alias"] for e in found}
    (one,) = cloud.client.call("compute", "GET", "/extensions/os-consoles").values()
    assert one in found and set(one) == {"alias", "name", "description", "links", "namespace", "updated"}
    refused(404, cloud.client, "compute", "GET", "/extensions/os-fping")
