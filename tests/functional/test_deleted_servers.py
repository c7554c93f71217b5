"""Deleted servers, as their owner, an administrator and a stranger find them."""

import contextlib
import datetime

import pytest

from common.periodic import wait_for
from tests.functional.test_stories import refused, wait_gone, wait_status


def now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_server(client, name: str, **more) -> str:
    body = {"server": {"name": name, "imageRef": client.find("image", "images", "cirros")["id"], "flavorRef": "42",
                       "networks": "none", "metadata": {"bill": "to-me"}, **more}}
    made = client.call("compute", "POST", "/servers", body, version="2.52")["server"]["id"]
    wait_status(client, made)
    return made


def ids(client, query: str, version: str = "2.66", detail: str = "") -> list[str]:
    return [s["id"] for s in client.call("compute", "GET", f"/servers{detail}?{query}", version=version)["servers"]]


@pytest.fixture(scope="module")
def deleted(cloud, member):
    """A member's deleted server, with when its making began and when it was gone."""
    began = now()
    uuid = new_server(member, "gone", tags=["t"])
    before = member.call("compute", "GET", f"/servers/{uuid}", version="2.79")["server"]
    member.call("compute", "DELETE", f"/servers/{uuid}")
    wait_gone(member, uuid)
    return {"id": uuid, "began": began, "gone": now(), "before": before}


def test_its_owner_hears_of_it_by_the_time_of_its_change(member, deleted):
    uuid, since, after = deleted["id"], f"changes-since={deleted['began']}", f"changes-since={deleted['gone']}"
    for version in ("2.1", "2.79"):
        assert ids(member, since, version) == ids(member, since, version, "/detail") == [uuid]
    assert ids(member, after) == ids(member, "") == []
    assert ids(member, f"{since}&changes-before={deleted['gone']}") == ids(member, f"changes-before={deleted['gone']}") == [uuid]
    assert ids(member, f"changes-before={deleted['began']}") == []
    assert ids(member, f"{since}&name=gone&flavor=42&tags=t&not-tags=other") == [uuid]
    assert ids(member, f"{since}&name=other") == ids(member, f"{since}&status=ACTIVE") == ids(member, f"{since}&ip=10") == []
    assert ids(member, f"{since}&name=^g.ne$") == [uuid]
    living = new_server(member, "living")
    assert ids(member, since) == [living, uuid]
    assert ids(member, f"{since}&sort_key=display_name&sort_dir=asc") == [uuid, living]
    page = member.call("compute", "GET", f"/servers?{since}&limit=1", version="2.66")
    assert [s["id"] for s in page["servers"]] == [living]
    assert ids(member, page["servers_links"][0]["href"].partition("?")[2]) == [uuid]
    assert ids(member, f"{since}&marker={uuid}") == []
    member.call("compute", "DELETE", f"/servers/{living}")
    wait_gone(member, living)


def test_others_do_not(cloud, member, deleted):
    since = f"changes-since={deleted['began']}"
    assert deleted["id"] not in ids(cloud.client, since), "an administrator of another project must ask for all projects"
    assert deleted["id"] in ids(cloud.client, f"{since}&all_tenants=1")
    assert "Only administrators may list deleted instances" in refused(403, member, "compute", "GET", "/servers?status=deleted")
    assert ids(member, "deleted=True") == [], "a filter that is not everybody's is left out"
    assert ids(member, "status=DELETED&status=ACTIVE") == []
    refused(400, cloud.client, "compute", "GET", f"/servers?marker={'0' * 32}&deleted=1")


@pytest.mark.parametrize("query", ["deleted=True", "deleted=1&name=gone", "status=DELETED", "status=deleted&deleted=False",
                                   "deleted=true&vm_state=deleted", "deleted=on&changes-since=2020-01-01"])
def test_administrators_list_deleted_servers(cloud, deleted, query):
    found = ids(cloud.client, f"{query}&all_tenants=1")
    assert deleted["id"] in found
    assert not set(found) & set(ids(cloud.client, "all_tenants=1"))


@pytest.mark.parametrize("query", ["", "deleted=False", "deleted=nonsense", "deleted=0&changes-since=2020-01-01",
                                   "status=DELETED&status=ACTIVE", "vm_state=deleted"])
def test_no_other_list_has_them(cloud, deleted, query):
    assert deleted["id"] not in ids(cloud.client, f"{query}&all_tenants=1")


def test_what_is_shown_of_one(cloud, member, deleted):
    own, everywhere = f"/servers/detail?changes-since={deleted['began']}&name=gone", "/servers/detail?deleted=1&all_tenants=1"
    (shown,) = member.call("compute", "GET", own, version="2.79")["servers"]
    before = deleted["before"]
    changed = {"status": "DELETED", "OS-EXT-STS:vm_state": "deleted", "OS-EXT-STS:task_state": None, "OS-EXT-STS:power_state": 0,
               "updated": shown["updated"], "OS-SRV-USG:terminated_at": shown["OS-SRV-USG:terminated_at"], "addresses": {}}
    before = {k: v for k, v in before.items() if k not in ("progress", "security_groups", "server_groups")}
    assert shown == {**before, **changed}
    assert deleted["began"] < shown["OS-SRV-USG:terminated_at"] + "Z" < deleted["gone"]
    assert shown["updated"] == shown["OS-SRV-USG:terminated_at"][:19] + "Z"
    (seen,) = [s for s in cloud.client.call("compute", "GET", everywhere, version="2.79")["servers"] if s["id"] == deleted["id"]]
    assert seen["OS-EXT-SRV-ATTR:host"] and seen["host_status"] == "UP"


def test_nothing_else_knows_of_it(cloud, member, deleted):
    one = f"/servers/{deleted['id']}"
    for client in (member, cloud.client):
        for method, path, body in (
                ("GET", "", None), ("PUT", "", {"server": {"name": "x"}}), ("DELETE", "", None), ("GET", "/metadata", None),
                ("POST", "/metadata", {"metadata": {"a": "b"}}), ("GET", "/tags", None), ("PUT", "/tags/x", None),
                ("GET", "/os-interface", None), ("GET", "/os-volume_attachments", None), ("GET", "/ips", None),
                ("GET", "/os-server-password", None), ("POST", "/action", {"os-start": None}),
                ("POST", "/action", {"os-resetState": {"state": "active"}}), ("POST", "/action", {"forceDelete": None})):
            refused(404, client, "compute", method, one + path, body)
    assert member.call("compute", "GET", "/limits")["limits"]["absolute"]["totalInstancesUsed"] == 0
    events = cloud.client.call("compute", "POST", "/os-server-external-events", {"events": [
        {"name": "network-changed", "server_uuid": deleted["id"]}]})["events"]
    assert [e["code"] for e in events] == [404]


def test_its_history_stays(cloud, member, deleted):
    path = f"/servers/{deleted['id']}/os-instance-actions"
    found = member.call("compute", "GET", path, version="2.21")["instanceActions"]
    assert [a["action"] for a in found] == ["delete", "create"]
    one = member.call("compute", "GET", f"{path}/{found[0]['request_id']}", version="2.51")["instanceAction"]
    assert {e["event"] for e in one["events"]} == {f"compute_terminate_{step}" for step in (
        "guest", "network", "volumes", "files", "report")}
    assert {e["result"] for e in one["events"]} == {"Success"}
    refused(404, member, "compute", "GET", path, version="2.20")
    assert cloud.client.call("compute", "GET", path)["instanceActions"] == member.call("compute", "GET", path)["instanceActions"]


def test_every_way_of_deleting_ends_alike(cloud, member):
    """By its action, asked for twice at once; and one that no host could take."""
    since = f"changes-since={now()}"
    forced = new_server(member, "forced")
    member.call("compute", "POST", f"/servers/{forced}/action", {"forceDelete": None})
    with contextlib.suppress(RuntimeError):  # it may be gone by now
        member.call("compute", "DELETE", f"/servers/{forced}")
    wait_gone(member, forced)
    vast = {"id": "vast", "name": "vast", "ram": 10 ** 9, "disk": 1, "vcpus": 1}
    cloud.client.call("compute", "POST", "/flavors", {"flavor": vast})
    cloud.client.call("compute", "PUT", f"/os-quota-sets/{member.project_id}", {"quota_set": {"ram": -1}})
    body = {"server": {"name": "nowhere", "imageRef": member.find("image", "images", "cirros")["id"], "flavorRef": "vast",
                       "networks": "none"}}
    nowhere = member.call("compute", "POST", "/servers", body)["server"]["id"]
    wait_for(lambda: member.call("compute", "GET", f"/servers/{nowhere}")["server"]["status"] == "ERROR", 30, what="the refusal")
    member.call("compute", "DELETE", f"/servers/{nowhere}")
    refused(404, member, "compute", "GET", f"/servers/{nowhere}")
    found = {s["id"]: s for s in member.call("compute", "GET", f"/servers/detail?{since}")["servers"]}
    assert set(found) == {forced, nowhere}
    assert {s["status"] for s in found.values()} == {"DELETED"} and all(s["OS-SRV-USG:terminated_at"] for s in found.values())
    assert "fault" in found[nowhere] and found[nowhere]["hostId"] == ""
    assert [h["running_vms"] for h in cloud.client.call("compute", "GET", "/os-hypervisors/detail")["hypervisors"]] == [1]


def usage(client, where: str, version: str = "2.40") -> dict:
    return client.call("compute", "GET", f"/os-simple-tenant-usage{where}", version=version)


def test_what_it_used_is_counted_in_its_time(cloud, member, deleted):
    own, began, gone = f"/{member.project_id}", deleted["began"].rstrip("Z"), deleted["gone"].rstrip("Z")
    found = usage(member, f"{own}?start={began}&end={gone}", "2.1")["tenant_usage"]
    (server,) = found["server_usages"]
    (listed,) = member.call("compute", "GET", f"/servers/detail?changes-since={began}&name=gone")["servers"]
    times = {name: listed[f"OS-SRV-USG:{name}"] for name in ("launched_at", "terminated_at")}
    assert (server["instance_id"], server["state"], server["started_at"], server["ended_at"]) == (
        deleted["id"], "terminated", times["launched_at"], times["terminated_at"])
    assert (server["flavor"], server["vcpus"], server["memory_mb"], server["local_gb"]) == ("m1.nano", 1, 128, 1)
    spent = datetime.datetime.fromisoformat(times["terminated_at"]) - datetime.datetime.fromisoformat(times["launched_at"])
    assert found["total_hours"] == server["hours"] == pytest.approx(spent.total_seconds() / 3600)
    assert found["total_memory_mb_usage"] == pytest.approx(128 * server["hours"])
    assert (found["tenant_id"], found["start"], found["stop"]) == (member.project_id, began, gone)
    assert usage(member, f"{own}?start={began}&end={times['launched_at']}") == {"tenant_usage": {}}
    later = usage(member, f"{own}?start={gone}&end=2999-01-01T00:00:00")["tenant_usage"].get("server_usages", [])
    assert deleted["id"] not in [s["instance_id"] for s in later]
    refused(403, member, "compute", "GET", f"/os-simple-tenant-usage/{cloud.client.project_id}")
    refused(403, member, "compute", "GET", "/os-simple-tenant-usage")


def test_usage_of_every_project(cloud, member, deleted):
    (first,) = [s for s in cloud.client.call("compute", "GET", "/servers/detail")["servers"] if s["name"] == "first"]
    whole, found = f"?start={first['OS-SRV-USG:launched_at']}&end=2999-01-01T00:00:00&detailed=1", {}
    query, pages = whole + "&limit=1", 0
    while query:
        page = usage(cloud.client, query)
        for project in page["tenant_usages"]:
            found.setdefault(project["tenant_id"], []).extend(s["instance_id"] for s in project["server_usages"])
        query = "?" + page["tenant_usages_links"][0]["href"].partition("?")[2] if "tenant_usages_links" in page else ""
        pages += 1
    assert pages > 2 and first["id"] in found[first["tenant_id"]] and deleted["id"] in found[member.project_id]
    at_once = usage(cloud.client, whole)["tenant_usages"]
    assert {p["tenant_id"]: [s["instance_id"] for s in p["server_usages"]] for p in at_once} == found
    (own,) = [s for p in at_once for s in p["server_usages"] if s["instance_id"] == first["id"]]
    assert own["state"] == "active" and own["ended_at"] is None and own["hours"] > 0
    assert "server_usages" not in usage(cloud.client, whole.replace("detailed=1", "detailed=0"))["tenant_usages"][0]
    assert usage(cloud.client, "")["tenant_usages"] is not None


@pytest.mark.parametrize("query", ["start=yesterday", "start=2026-01-01", "end=2026-01-01T00:00:00&start=2026-01-02T00:00:00",
                                   "start=2026-01-01T00:00:00&end=2026-01-01T00:00:00", "start=2026-01-01T00:00:00&marker=x"])
def test_a_period_that_is_none_is_refused(cloud, query):
    for where in ("", f"/{cloud.client.project_id}"):
        refused(400, cloud.client, "compute", "GET", f"/os-simple-tenant-usage{where}?{query}")
    refused(400, cloud.client, "compute", "GET", f"/os-simple-tenant-usage/{cloud.client.project_id}?detailed=1", version="2.75")
