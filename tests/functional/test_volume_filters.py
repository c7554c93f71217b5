"""Filters of the lists of the volume API: each finds what it names, and none is passed over in silence."""

import json
import urllib.parse

import pytest

from common.periodic import wait_for
from tests.conftest import new_volume

NOBODYS = "00000000-0000-4000-8000-000000000000"


def listed(client, version: str, path: str, status: int = 200):
    """The ids in a list, or with another status the text of the answer."""
    response = client.pool.request("GET", client.url("volume") + path, headers={
        "X-Auth-Token": client.token, "OpenStack-API-Version": f"volume {version}"})
    assert response.status == status, (path, response.data)
    if status != 200:
        return response.data.decode()
    return [row["id"] for row in next(v for k, v in json.loads(response.data).items() if not k.endswith("_links"))]


@pytest.fixture(scope="module")
def things(cloud, member):
    """A member's volume "Alpha_1" with a snapshot "Beta%2" and a volume made of it."""
    first = new_volume(member, "Alpha_1", metadata={"a": "b"}, description="the first")
    taken = member.call("volume", "POST", "/snapshots", {"snapshot": {
        "volume_id": first, "name": "Beta%2", "metadata": {"c": "d"}}})["snapshot"]["id"]
    wait_for(lambda: member.call("volume", "GET", f"/snapshots/{taken}")["snapshot"]["status"] == "available", 20, what="it")
    second = new_volume(member, "copy", snapshot_id=taken)
    held = member.call("volume", "GET", f"/volumes/{first}")["volume"]
    yield {"first": first, "second": second, "snapshot": taken, "user_id": held["user_id"], "project_id": member.project_id}
    for path in (f"/volumes/{second}", f"/volumes/{first}?cascade=true"):
        member.call("volume", "DELETE", path)
    wait_for(lambda: not {first, second} & {*listed(member, "3.0", "/volumes")}, 20, what="the volumes to go")


@pytest.mark.parametrize("asked, found", [
    ({"name": "copy"}, ["second"]), ({"display_name": "Alpha_1"}, ["first"]), ({"name": "alpha"}, []),
    ({"description": "the first"}, ["first"]), ({"display_description": "another"}, []),
    ({"snapshot_id": "{snapshot}"}, ["second"]), ({"snapshot_id": NOBODYS}, []),
    ({"source_volid": NOBODYS}, []), ({"volume_type_id": NOBODYS}, []),
    ({"user_id": "{user_id}"}, ["second", "first"]), ({"user_id": "other"}, []),
    ({"project_id": "{project_id}"}, ["second", "first"]), ({"project_id": "other"}, []),
    ({"size": "1"}, ["second", "first"]), ({"size": "2"}, []), ({"size": "x"}, []),
    ({"metadata": "{{'a': 'b'}}"}, ["first"]), ({"metadata": "{{'a': 'c'}}"}, []), ({"migration_status": "success"}, []),
    ({"group_id": NOBODYS}, []), ({"attach_status": "attached"}, []), ({"attach_status": "detached"}, ["second", "first"]),
    ({"multiattach": "true"}, []), ({"bootable": "false"}, ["second", "first"]), ({"status": "error"}, []),
    ({"name": "copy", "all_tenants": "1", "limit": "1", "with_count": "false", "sort": "name:asc"}, ["second"])])
def test_volumes(member, things, asked, found):
    query = urllib.parse.urlencode({k: v.format(**things) for k, v in asked.items()})
    for version in ("3.0", "3.31", "3.67"):
        for path in ("/volumes", "/volumes/detail"):
            ids = [v for v in listed(member, version, f"{path}?{query}") if v in things.values()]
            assert ids == [things[name] for name in found], (version, path)


@pytest.mark.parametrize("asked, found", [
    ({"name": "Beta%2"}, True), ({"volume_id": NOBODYS}, False), ({"volume_id": "{first}"}, True), ({"user_id": "other"}, False),
    ({"project_id": "other"}, False), ({"metadata": "{{'c': 'd'}}"}, True), ({"metadata": "{{'c': 'e'}}"}, False),
    ({"availability_zone": "nova"}, True), ({"availability_zone": "moon"}, False), ({"description": "x"}, False),
    ({"volume_size": "2"}, False), ({"id": "{snapshot}"}, True)])
def test_snapshots(member, things, asked, found):
    query = urllib.parse.urlencode({k: v.format(**things) for k, v in asked.items()})
    for version in ("3.22", "3.67"):
        for path in ("/snapshots", "/snapshots/detail"):
            assert [s for s in listed(member, version, f"{path}?{query}") if s == things["snapshot"]] == [
                things["snapshot"]] * found, (version, path)


def test_texts_by_a_part_of_them(member, things):
    """Whatever case, and with no character that has a meaning."""
    for path, part, found in (("/volumes", "PHA_", ["first"]), ("/volumes", "a_", ["first"]), ("/volumes", "%", []),
                              ("/volumes", "zzz", []), ("/snapshots", "%2", ["snapshot"]), ("/snapshots", "_", [])):
        query = urllib.parse.urlencode({"name~": part})
        assert listed(member, "3.34", f"{path}?{query}") == [things[name] for name in found], (path, part)
        assert query.partition("=")[0] in urllib.parse.quote(listed(member, "3.33", f"{path}?{query}", 400), safe="~")


def test_what_there_is_no_filter_for(cloud, member, things):
    """A member is refused, from the version on that Cinder refuses him; an administrator finds nothing."""
    for path, before, since in (("/volumes", "3.30", "3.31"), ("/snapshots", "3.30", "3.31"), ("/attachments", "3.30", "3.31"),
                                ("/types", "3.51", "3.52")):
        everything = listed(member, before, path)
        for unknown in ("foo", "metadata~"):
            assert listed(member, before, f"{path}?{unknown}=x") == everything
            assert f"Invalid filters {unknown} are found in query options." in listed(member, since, f"{path}?{unknown}=x", 400)
            assert listed(cloud.client, since, f"{path}?all_tenants=1&{unknown}=x") == []
        assert "ASCII" in listed(cloud.client, since, f"{path}?f%C3%B6%C3%B6=x", 400)


@pytest.mark.parametrize("given", ["x", "[1]", "{{}: 1}", "{'a': " + "-" * 3000 + "1}", "{'a': 0x" + "f" * 4000 + "}",
                                   r"{'a': '\ud800'}", r"{'a\x00': 'b'}", "{'a': '" + "b" * 1025 + "'}"])
def test_a_dictionary_to_filter_by_that_is_none(member, given):
    for path, name in (("/volumes", "metadata"), ("/snapshots", "metadata"), ("/types", "extra_specs")):
        listed(member, "3.60", f"{path}?{urllib.parse.urlencode({name: given})}", 400)


def test_pages_and_their_order(cloud, member, things):
    made = [cloud.client.call("volume", "POST", "/types", {"volume_type": {"name": name}})["volume_type"]["id"]
            for name in ("page-b", "page-a")]
    try:
        assert [t for t in listed(cloud.client, "3.0", "/types") if t in made] == made[::-1]
        page = cloud.client.call("volume", "GET", f"/types?limit=1&sort=name:asc&marker={made[1]}")
        assert [t["id"] for t in page["volume_types"]] == [made[0]] and made[0] in page["volume_type_links"][0]["href"]
        assert [t for t in listed(member, "3.0", "/types?sort_key=name") if t in made] == made
    finally:
        for each in made:
            cloud.client.call("volume", "DELETE", f"/types/{each}")
    for query in ("sort=name:asc,id", "sort_dir=asc"):
        found = listed(member, "3.0", f"/volumes?{query}")
        assert [v for v in found if v in things.values()] == [things["first"], things["second"]]
    assert listed(member, "3.27", "/attachments?limit=0&sort=created_at") == []
    for path in ("/volumes", "/snapshots", "/attachments", "/types"):
        for wrong in ("sort=nothing", "sort=id:up", "sort=id&sort_dir=asc", "limit=x"):
            listed(member, "3.27", f"{path}?{wrong}", 400)
        listed(member, "3.27", f"{path}?marker={NOBODYS}", 404)
    for path in ("/volumes?sort=metadata", "/types?sort=extra_specs"):  # no database has an order of dictionaries
        listed(member, "3.27", path, 400)


def test_hosts_are_for_who_runs_them(cloud, member, things):
    """A member may not find out by filters where his volumes are."""
    host = cloud.client.call("volume", "GET", f"/volumes/{things['first']}")["volume"]["os-vol-host-attr:host"]
    for path, name in (("/volumes", "first"), ("/snapshots", "snapshot")):
        query = urllib.parse.urlencode({"host": host})
        listed(member, "3.31", f"{path}?{query}", 400)
        assert things[name] in listed(cloud.client, "3.31", f"{path}?all_tenants=1&{query}")
        assert listed(cloud.client, "3.31", f"{path}?all_tenants=1&host=moon") == []


def test_types(cloud, member):
    types = listed(member, "3.52", "/types")
    assert len(listed(member, "3.52", "/types?name=__DEFAULT__&is_public=true")) == 1
    assert listed(member, "3.52", "/types?name=x") == []
    assert listed(member, "3.52", "/types?extra_specs={}") == types
    assert listed(member, "3.52", "/types?" + urllib.parse.urlencode({"extra_specs": "{'secret': 'x'}"})) == []


def test_attachments(member, things):
    headers = {"X-Auth-Token": member.token, "OpenStack-API-Version": "volume 3.31", "Content-Type": "application/json"}
    made = json.loads(member.pool.request("POST", member.url("volume") + "/attachments", headers=headers, body=json.dumps(
        {"attachment": {"volume_uuid": things["second"], "instance_uuid": NOBODYS}})).data)["attachment"]["id"]
    try:
        for asked, found in (("status=reserved", True), ("attach_status=attached", False), (f"instance_id={NOBODYS}", True),
                             (f"volume_id={things['first']}", False), (f"volume_id={things['second']}", True),
                             ("project_id=other", False), ("attach_mode=ro", False)):
            for path in ("/attachments", "/attachments/detail"):
                assert listed(member, "3.31", f"{path}?{asked}") == [made] * found, (path, asked)
    finally:
        member.pool.request("DELETE", f"{member.url('volume')}/attachments/{made}", headers=headers)


def offered(client, version: str, query: str = "") -> dict[str, list[str]]:
    response = client.pool.request("GET", f"{client.url('volume')}/resource_filters{query}", headers={
        "X-Auth-Token": client.token, "OpenStack-API-Version": f"volume {version}"})
    assert response.status == 200, response.data
    return {row["resource"]: row["filters"] for row in json.loads(response.data)["resource_filters"]}


def test_what_lists_can_be_filtered_by(member):
    found = offered(member, "3.67")
    assert set(found) == {"volume", "snapshot", "attachment", "volume_type"}
    assert {"name", "name~", "status", "metadata", "consumes_quota"} <= set(found["volume"]) and "host" not in found["volume"]
    paths = {"volume": "/volumes", "snapshot": "/snapshots", "attachment": "/attachments", "volume_type": "/types"}
    usual = {"metadata": "{}", "extra_specs": "{}", "created_at": "2026-01-01", "updated_at": "2026-01-01", "bootable": "true",
             "multiattach": "false", "consumes_quota": "true"}
    for resource, path in paths.items():
        listed(member, "3.67", f"{path}?nothing=x", 400)
        for name in found[resource]:
            listed(member, "3.67", f"{path}?{urllib.parse.urlencode({name: usual.get(name, 'x')})}")


def test_filters_of_one_resource_and_of_older_versions(member):
    assert offered(member, "3.67", "?resource=snapshot") == {"snapshot": offered(member, "3.67")["snapshot"]}
    assert offered(member, "3.67", "?resource=nothing") == {}
    assert "name~" not in offered(member, "3.33")["volume"] and "extra_specs" not in offered(member, "3.51")["volume_type"]
    listed(member, "3.32", "/resource_filters", 404)
