"""The placement API: hosts, what servers hold of them, and which could take more; by its microversions, and as osc-placement."""

import functools
import json
import subprocess
import sys

import pytest

from common.context import new_uuid
from tests.functional.test_stories import active_server, refused

LATEST = "1.39"
WANTED = "resources=VCPU:1,MEMORY_MB:64"


@pytest.fixture(scope="module")
def get(cloud):
    def inner(path: str, version: str = LATEST):
        return cloud.client.call("placement", "GET", path, version=version)
    return inner


@pytest.fixture(scope="module")
def no(cloud):
    """no(status, path, version): what the refusal says."""
    def inner(status: int, path: str, version: str = LATEST) -> str:
        return refused(status, cloud.client, "placement", "GET", path, version=version)
    return inner


@pytest.fixture(scope="module")
def host(get):
    """The cloud's one host, as a provider."""
    (found,) = get("/resource_providers")["resource_providers"]
    return found


@pytest.fixture(scope="module")
def server(cloud):
    with active_server(cloud.client, "placed") as made:
        yield made


def raw(cloud, method: str, path: str, version: str = "", **headers):
    client = cloud.client
    given = {"X-Auth-Token": client.token, **({"OpenStack-API-Version": f"placement {version}"} if version else {}), **headers}
    return client.pool.request(method, client.url("placement") + path, headers={k: v for k, v in given.items() if v}, timeout=30)


def test_discovery_needs_no_token(cloud):
    answer = raw(cloud, "GET", "/", **{"X-Auth-Token": ""})
    (version,) = json.loads(answer.data)["versions"]
    assert answer.status == 200 and version == {
        "id": "v1.0", "min_version": "1.0", "max_version": LATEST, "status": "CURRENT", "links": [{"rel": "self", "href": ""}]}
    assert raw(cloud, "GET", "/resource_providers", **{"X-Auth-Token": ""}).status == 401


def test_the_catalog_has_it(cloud):
    services = {s["type"]: s["id"] for s in cloud.client.call("identity", "GET", "/services")["services"]}
    urls = [e["url"] for e in cloud.client.call("identity", "GET", "/endpoints")["endpoints"]
            if e["service_id"] == services["placement"]]
    assert urls == [f"http://127.0.0.1:{8778 + cloud.offset}"] * 3


def test_versions_are_negotiated_and_told(cloud, host):
    answer = raw(cloud, "GET", "/resource_providers", "latest")
    assert answer.headers["OpenStack-API-Version"] == f"placement {LATEST}" and answer.headers["Vary"] == "OpenStack-API-Version"
    assert answer.headers["Cache-Control"] == "no-cache" and answer.headers["Last-Modified"]
    oldest = raw(cloud, "GET", "/resource_providers")
    assert "Last-Modified" not in oldest.headers and oldest.headers["OpenStack-API-Version"] == "placement 1.0"
    (error,) = json.loads(raw(cloud, "GET", "/resource_providers", "1.40").data)["errors"]
    assert (error["status"], error["min_version"], error["max_version"]) == (406, "1.0", LATEST)
    assert raw(cloud, "GET", "/resource_providers", "one").status == 400
    assert raw(cloud, "GET", "/resource_providers", LATEST, Accept="text/plain").status == 406


def test_errors_have_placements_form(cloud):
    path = f"/resource_providers/{new_uuid()}"
    for version, code in (("1.22", None), ("1.23", "placement.undefined_code")):
        answer = raw(cloud, "GET", path, version)
        (error,) = json.loads(answer.data)["errors"]
        assert (answer.status, error["status"], error["title"], error.get("code")) == (404, 404, "Not Found", code)
        assert error["request_id"] == answer.headers["X-Openstack-Request-Id"] and "No resource provider" in error["detail"]
    (error,) = json.loads(raw(cloud, "GET", "/allocation_candidates?required1=HW_CPU_X86_AVX", LATEST).data)["errors"]
    assert error["code"] == "placement.query.missing_value"


@pytest.mark.parametrize("method, path", [
    ("POST", "/resource_providers"), ("DELETE", "/resource_providers/x"), ("PUT", "/resource_providers/x/traits"),
    ("PUT", "/resource_providers/x/aggregates"), ("POST", "/resource_providers/x/inventories"), ("POST", "/allocations"),
    ("PUT", "/allocations/x"), ("DELETE", "/allocations/x"), ("PUT", "/traits/CUSTOM_X"), ("POST", "/resource_classes"),
    ("POST", "/reshaper")])
def test_nothing_is_written(cloud, method, path):
    answer = raw(cloud, method, path, LATEST)
    assert answer.status == 405 and "This cloud does not support" in json.loads(answer.data)["errors"][0]["detail"]


def test_a_provider_by_version(get, host):
    path = f"/resource_providers/{host['uuid']}"
    rels = {"1.0": 3, "1.1": 4, "1.6": 5, "1.11": 6}
    for version, links in rels.items():
        shown = get(path, version)
        assert len(shown["links"]) == links and "root_provider_uuid" not in shown
    assert host == get(path) and (host["parent_provider_uuid"], host["root_provider_uuid"]) == (None, host["uuid"])


def test_inventories_are_what_the_scheduler_goes_by(cloud, get, no, host, server):
    node = cloud.client.call("compute", "GET", "/os-hypervisors/detail")["hypervisors"][0]
    found = get(f"/resource_providers/{host['uuid']}/inventories")["inventories"]
    assert {name: (i["total"], i["reserved"], i["allocation_ratio"], i["max_unit"]) for name, i in found.items()} == {
        "VCPU": (node["vcpus"], 0, 16.0, node["vcpus"]), "MEMORY_MB": (node["memory_mb"], 512, 1.5, node["memory_mb"]),
        "DISK_GB": (node["local_gb"], 0, 1.0, node["local_gb"])}
    one = get(f"/resource_providers/{host['uuid']}/inventories/VCPU")
    assert one.pop("resource_provider_generation") >= 1 and one == found["VCPU"]
    no(404, f"/resource_providers/{host['uuid']}/inventories/VGPU")
    assert get(f"/resource_providers/{host['uuid']}/usages")["usages"] == {
        "VCPU": node["vcpus_used"], "MEMORY_MB": node["memory_mb_used"], "DISK_GB": node["local_gb_used"]}


def test_allocations_of_a_server_and_of_its_host(cloud, get, host, server):
    flavor = cloud.client.call("compute", "GET", "/flavors/42")["flavor"]
    resources = {"VCPU": flavor["vcpus"], "MEMORY_MB": flavor["ram"], **({"DISK_GB": flavor["disk"]} if flavor["disk"] else {})}
    shown = get(f"/allocations/{server}")
    assert shown.pop("consumer_generation") >= 1 and shown.pop("user_id")
    assert shown["allocations"][host["uuid"]].pop("generation") >= 1
    assert shown == {"allocations": {host["uuid"]: {"resources": resources}}, "project_id": cloud.client.project_id,
                     "consumer_type": "INSTANCE"}
    assert set(get(f"/allocations/{server}", "1.11")) == {"allocations"}
    assert "consumer_type" not in get(f"/allocations/{server}", "1.37")
    assert get(f"/allocations/{new_uuid()}") == {"allocations": {}}
    of_host = get(f"/resource_providers/{host['uuid']}/allocations")
    assert of_host["allocations"][server]["resources"] == resources
    assert "consumer_generation" not in get(f"/resource_providers/{host['uuid']}/allocations", "1.27")["allocations"][server]


def test_a_generation_counts_claims_and_releases(cloud, get, host):
    path = f"/resource_providers/{host['uuid']}"
    before = get(path)["generation"]
    with active_server(cloud.client, "counted") as made:
        during = get(path)["generation"]
        assert get(f"/allocations/{made}")["allocations"]
    assert before < during < get(path)["generation"]
    assert get(f"/allocations/{made}") == {"allocations": {}}


def test_usages_of_a_project(cloud, get, no, member, server):
    project = cloud.client.project_id
    plain = get(f"/usages?project_id={project}", "1.9")["usages"]
    assert plain["VCPU"] >= 1
    by_type = get(f"/usages?project_id={project}")["usages"]
    count = by_type["INSTANCE"].pop("consumer_count")
    assert by_type == {"INSTANCE": plain} and count >= 1
    assert get(f"/usages?project_id={project}&consumer_type=all")["usages"] == {"all": {**plain, "consumer_count": count}}
    for empty in (f"project_id={project}&consumer_type=MIGRATION", f"project_id={project}&user_id=nobody",
                  f"project_id={member.project_id}"):
        assert get(f"/usages?{empty}") == {"usages": {}}
    no(400, "/usages")
    no(404, f"/usages?project_id={project}", "1.8")
    assert member.call("placement", "GET", f"/usages?project_id={member.project_id}", version=LATEST) == {"usages": {}}
    for path in (f"/usages?project_id={project}", "/resource_providers"):
        refused(403, member, "placement", "GET", path, version=LATEST)


def test_providers_are_filtered(get, no, host):
    def found(query: str, version: str = LATEST) -> int:
        return len(get(f"/resource_providers?{query}", version)["resource_providers"])
    nowhere = new_uuid()
    for query, count in {
            f"name={host['name']}": 1, "name=x": 0, f"uuid={host['uuid']}": 1, f"uuid={nowhere}": 0, f"in_tree={host['uuid']}": 1,
            f"in_tree={nowhere}": 0, WANTED: 1, "resources=VCPU:100000": 0, "resources=VGPU:1": 0, f"member_of={nowhere}": 0,
            f"member_of=!{nowhere}": 1, "required=COMPUTE_NODE": 1, "required=COMPUTE_NODE,!COMPUTE_STATUS_DISABLED": 1,
            "required=HW_GPU_API_VULKAN": 0, "required=in:HW_GPU_API_VULKAN,COMPUTE_NODE": 1, "required=!COMPUTE_NODE": 0,
            "required=COMPUTE_NODE&required=HW_GPU_API_VULKAN": 0}.items():
        assert found(query) == count, query
    for query, version in {
            "uuid=x": LATEST, "in_tree=x": LATEST, "resources=": LATEST, "resources=VCPU": LATEST, "resources=VCPU:0": LATEST,
            "resources=GOLD:1": LATEST, "required=NO_SUCH": LATEST, "required=,": LATEST, "required=in:!COMPUTE_NODE": LATEST,
            "member_of=x": LATEST, f"member_of={nowhere},{nowhere}": LATEST, "limit=1": LATEST, f"member_of={nowhere}": "1.2",
            WANTED: "1.3", f"in_tree={nowhere}": "1.13", "required=COMPUTE_NODE": "1.17", "required=!COMPUTE_NODE": "1.21",
            f"member_of={nowhere}&member_of={nowhere}": "1.23", f"member_of=!{nowhere}": "1.31",
            "required=in:COMPUTE_NODE": "1.38"}.items():
        no(400, f"/resource_providers?{query}", version)


def test_a_disabled_host_says_so(cloud, get, host):
    (service,) = cloud.client.call("compute", "GET", "/os-services?binary=nova-compute")["services"]
    switch = functools.partial(cloud.client.call, "compute", "PUT", f"/os-services/{service['id']}")
    switch({"status": "disabled"})
    try:
        assert "COMPUTE_STATUS_DISABLED" in get(f"/resource_providers/{host['uuid']}/traits")["traits"]
        assert not get(f"/allocation_candidates?{WANTED}&required=!COMPUTE_STATUS_DISABLED")["allocation_requests"]
    finally:
        switch({"status": "enabled"})
    assert "COMPUTE_STATUS_DISABLED" not in get(f"/resource_providers/{host['uuid']}/traits")["traits"]


def test_candidates_by_version(get, host):
    uuid, resources = host["uuid"], {"VCPU": 1, "MEMORY_MB": 64}
    oldest = get(f"/allocation_candidates?{WANTED}", "1.10")
    assert oldest["allocation_requests"] == [{"allocations": [{"resource_provider": {"uuid": uuid}, "resources": resources}]}]
    assert set(oldest["provider_summaries"][uuid]) == {"resources"}
    assert set(oldest["provider_summaries"][uuid]["resources"]) == set(resources)
    newest = get(f"/allocation_candidates?{WANTED}")
    assert newest["allocation_requests"] == [{"allocations": {uuid: {"resources": resources}}, "mappings": {"": [uuid]}}]
    summary = newest["provider_summaries"][uuid]
    assert set(summary["resources"]) == {"VCPU", "MEMORY_MB", "DISK_GB"} and summary["root_provider_uuid"] == uuid
    assert "COMPUTE_NODE" in summary["traits"]
    total = get(f"/resource_providers/{uuid}/inventories/MEMORY_MB")
    assert summary["resources"]["MEMORY_MB"]["capacity"] == int((total["total"] - total["reserved"]) * total["allocation_ratio"])


def test_candidates_are_those_that_have_room(get, no, host):
    def found(query: str, version: str = LATEST) -> int:
        return len(get(f"/allocation_candidates?{query}", version)["allocation_requests"])
    whole = get(f"/resource_providers/{host['uuid']}/inventories/VCPU")["total"]
    for query, count in {
            WANTED: 1, f"resources=VCPU:{whole}": 1, f"resources=VCPU:{whole + 1}": 0, f"{WANTED}&limit=1": 1,
            f"resources1=VCPU:1&resources2=VCPU:{whole}&group_policy=none": 0,
            "resources1=VCPU:1&resources2=VCPU:1&group_policy=none": 1,
            "resources1=VCPU:1&resources2=VCPU:1&group_policy=isolate": 0, f"{WANTED}&in_tree={host['uuid']}": 1,
            f"{WANTED}&in_tree={new_uuid()}": 0, f"{WANTED}&root_required=COMPUTE_NODE": 1,
            f"{WANTED}&root_required=!COMPUTE_NODE": 0, f"{WANTED}&member_of={new_uuid()}": 0,
            "resources_a=VCPU:1&required_b=COMPUTE_NODE&same_subtree=_a,_b&group_policy=none": 1}.items():
        assert found(query) == count, query
    for query, version in {
            "": LATEST, "limit=1": LATEST, f"{WANTED}&limit=0": LATEST, f"{WANTED}&group_policy=x": LATEST,
            "required1=COMPUTE_NODE": LATEST, "resources1=VCPU:1&resources2=VCPU:1": LATEST, f"{WANTED}&same_subtree=_z": LATEST,
            f"{WANTED}&x=1": LATEST,
            f"{WANTED}&required=COMPUTE_NODE,!COMPUTE_NODE": LATEST, f"{WANTED}&limit=1": "1.15", "resources1=VCPU:1": "1.24",
            f"{WANTED}&in_tree={new_uuid()}": "1.30", "resources_a=VCPU:1": "1.32",
            f"{WANTED}&root_required=COMPUTE_NODE": "1.34",
            f"{WANTED}&same_subtree=_a": "1.35"}.items():
        no(400, f"/allocation_candidates?{query}", version)
    no(404, f"/allocation_candidates?{WANTED}", "1.9")


def test_resource_classes_and_traits(get, no, host):
    assert {"VCPU", "MEMORY_MB", "DISK_GB"} <= {c["name"] for c in get("/resource_classes")["resource_classes"]}
    assert get("/resource_classes/VCPU")["name"] == "VCPU"
    no(404, "/resource_classes/GOLD")
    every, own = set(get("/traits")["traits"]), set(get(f"/resource_providers/{host['uuid']}/traits")["traits"])
    assert own < every and set(get("/traits?associated=true")["traits"]) == own == every - set(
        get("/traits?associated=false")["traits"])
    assert get("/traits?name=in:COMPUTE_NODE,X")["traits"] == ["COMPUTE_NODE"]
    assert all(t.startswith("HW_CPU_") for t in get("/traits?name=startswith:HW_CPU_")["traits"])
    assert get("/traits/COMPUTE_NODE") is None
    no(404, "/traits/CUSTOM_X")
    no(400, "/traits?name=x")
    no(400, "/traits?associated=x")
    no(404, "/traits", "1.5")


def test_the_client_of_placement(cloud, host, server):
    """osc-placement, all commands in one process: its start is what takes time."""
    provider = host["uuid"]
    commands = ["resource provider list", f"resource provider show {provider} --allocations",
                f"resource provider inventory list {provider}", f"resource provider usage show {provider}",
                f"resource provider aggregate list {provider}", f"resource provider trait list {provider}",
                f"resource provider allocation show {server}",
                "allocation candidate list --resource VCPU=1 --resource MEMORY_MB=64",
                f"resource usage show {cloud.client.project_id}", "resource class show VCPU",
                "trait list --name startswith:COMPUTE_NODE"]
    done = subprocess.run([sys.executable, "-m", "openstackclient.shell", "--os-placement-api-version", "1.29"],
                          input="".join(f"{command} -f json\n" for command in commands), env=cloud.environment(),
                          capture_output=True, text=True, timeout=120)
    text, found = done.stdout, []
    while (start := min((i for i in (text.find("["), text.find("{")) if i >= 0), default=-1)) >= 0:
        value, end = json.JSONDecoder().raw_decode(text[start:])
        found.append(value)
        text = text[start + end:]
    assert len(found) == len(commands), done.stdout + done.stderr
    assert found[0][0]["name"] == host["name"] and server in found[1]["allocations"]
    assert {i["resource_class"] for i in found[2]} == {"VCPU", "MEMORY_MB", "DISK_GB"}
    assert found[6][0]["resource_provider"] == host["uuid"] and found[7][0]["resource provider"] == host["uuid"]
    assert found[9]["name"] == "VCPU" and [t["name"] for t in found[10]] == ["COMPUTE_NODE"]
