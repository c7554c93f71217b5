"""Stories over the real APIs, in order: create, show, conflict, delete, gone."""

import contextlib
import json
import threading
import time

import pytest

from common.periodic import wait_for
from tests.conftest import login_as


def refused(status: int, client, *args, **kwargs) -> str:
    with pytest.raises(RuntimeError, match=f": {status} ") as caught:
        client.call(*args, **kwargs)
    return str(caught.value)


def network_id(client, name="private") -> str:
    return client.find("network", "networks", name)["id"]


def server_body(client, name, /, **more) -> dict:
    image = client.find("image", "images", "cirros")["id"]
    return {"server": {"name": name, "imageRef": image, "flavorRef": "42",
                       "networks": [{"uuid": network_id(client)}], **more}}


def wait_status(client, server_id, status="ACTIVE"):
    def done():
        found = client.call("compute", "GET", f"/servers/{server_id}")["server"]
        return found if found["status"] != "BUILD" and not found["OS-EXT-STS:task_state"] else None
    found = wait_for(done, 30, every_s=0.05, what="the server")
    assert found["status"] == status, found.get("fault")
    return found


def wait_gone(client, server_id):
    wait_for(lambda: all(s["id"] != server_id for s in client.call("compute", "GET", "/servers")["servers"]), 30,
             every_s=0.05, what="the server to go")


@contextlib.contextmanager
def active_server(client, name: str, **more):
    """The id of a server, which is deleted at the end."""
    made = client.call("compute", "POST", "/servers", server_body(client, name, **more))["server"]["id"]
    wait_status(client, made)
    yield made
    client.call("compute", "DELETE", f"/servers/{made}")
    wait_gone(client, made)


def test_identity(cloud):
    admin = cloud.client
    domain = admin.call("identity", "POST", "/domains", {"domain": {"name": "acme"}})["domain"]
    project = admin.call("identity", "POST", "/projects", {"project": {"name": "p", "domain_id": domain["id"]}})["project"]
    refused(409, admin, "identity", "POST", "/projects", {"project": {"name": "p", "domain_id": domain["id"]}})
    refused(400, admin, "identity", "POST", "/projects", {"project": {"name": ""}})
    user = admin.call("identity", "POST", "/users", {"user": {"name": "eve", "password": "s"}})["user"]
    assert "password" not in json.dumps(admin.call("identity", "GET", f"/users/{user['id']}")).replace("password_expires", "")
    role = admin.find("identity", "roles", "member")["id"]
    path = f"/projects/{project['id']}/users/{user['id']}/roles/{role}"
    refused(404, admin, "identity", "GET", path)
    admin.call("identity", "PUT", path)
    admin.call("identity", "GET", path)
    refused(403, admin, "identity", "DELETE", f"/domains/{domain['id']}")
    admin.call("identity", "PATCH", f"/domains/{domain['id']}", {"domain": {"enabled": False}})
    admin.call("identity", "DELETE", f"/domains/{domain['id']}")
    refused(404, admin, "identity", "GET", f"/projects/{project['id']}")


@pytest.mark.parametrize("how", ["password", "disable", "grant", "revoke"])
def test_revoked_everywhere_within_a_second(cloud, how):
    admin = cloud.client
    project = admin.find("identity", "projects", "admin")["id"]
    user = admin.call("identity", "POST", "/users", {"user": {"name": f"victim-{how}", "password": "old"}})["user"]["id"]
    role = admin.find("identity", "roles", "member")["id"]
    grant = f"/projects/{project}/users/{user}/roles/{role}"
    admin.call("identity", "PUT", grant)
    victim = login_as(cloud, f"victim-{how}", "old", "admin")
    checks = [("image", "/images"), ("network", "/networks"), ("volume", "/volumes"), ("compute", "/servers")]
    for service, path in checks:
        victim.call(service, "GET", path)
    if how == "password":
        admin.call("identity", "PATCH", f"/users/{user}", {"user": {"password": "new"}})
    elif how == "disable":
        admin.call("identity", "PATCH", f"/users/{user}", {"user": {"enabled": False}})
    elif how == "grant":
        admin.call("identity", "DELETE", grant)
    else:
        response = admin.pool.request("DELETE", admin.url("identity") + "/auth/tokens", headers={
            "X-Auth-Token": admin.token, "X-Subject-Token": victim.token})
        assert response.status == 204
    time.sleep(1.0)
    for service, path in checks:
        refused(401, victim, service, "GET", path)


def test_login_says_the_same_for_wrong_and_missing(cloud):
    answers = set()
    for user, password in (("admin", "wrong"), ("nobody", "wrong")):
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": {
            "name": user, "domain": {"id": "default"}, "password": password}}}}}
        response = cloud.client.pool.request("POST", cloud.client.url("identity") + "/auth/tokens", body=json.dumps(body))
        answers.add((response.status, response.data))
    assert len(answers) == 1 and answers.pop()[0] == 401


def test_rescoping_never_lengthens_life(cloud):
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": cloud.client.token}},
                     "scope": {"project": {"name": "service", "domain": {"id": "default"}}}}}
    with pytest.raises(AssertionError):
        login_as(cloud, "admin", cloud.client.password, "service")
    body["auth"]["scope"] = {"system": {"all": True}}
    response = cloud.client.pool.request("POST", cloud.client.url("identity") + "/auth/tokens", body=json.dumps(body))
    first = cloud.client.pool.request("GET", cloud.client.url("identity") + "/auth/tokens", headers={
        "X-Auth-Token": cloud.client.token, "X-Subject-Token": cloud.client.token})
    assert json.loads(response.data)["token"]["expires_at"] <= json.loads(first.data)["token"]["expires_at"]


def test_image(cloud, member):
    admin = cloud.client
    made = admin.call("image", "POST", "/images", {"name": "i", "disk_format": "raw", "container_format": "bare",
                                                   "visibility": "private", "color": "blue"})
    path = f"/images/{made['id']}"
    assert made["status"] == "queued" and made["color"] == "blue"
    refused(404, member, "image", "GET", path)
    refused(403, member, "image", "POST", "/images", {"name": "x", "visibility": "public"})
    data = b"image data" * 1000
    admin.call("image", "PUT", path + "/file", raw=data, content_type="application/octet-stream")
    shown = admin.call("image", "GET", path)
    assert (shown["status"], shown["size"]) == ("active", len(data))
    refused(409, admin, "image", "PUT", path + "/file", raw=data, content_type="application/octet-stream")
    got = admin.pool.request("GET", admin.url("image") + path + "/file", headers={"X-Auth-Token": admin.token})
    assert got.data == data
    part = admin.pool.request("GET", admin.url("image") + path + "/file", headers={
        "X-Auth-Token": admin.token, "Range": "bytes=10-19"})
    assert (part.status, part.data) == (206, data[10:20])
    patch = json.dumps([{"op": "replace", "path": "/name", "value": "j"}, {"op": "remove", "path": "/color"}])
    kind = "application/openstack-images-v2.1-json-patch"
    assert "color" not in admin.call("image", "PATCH", path, raw=patch, content_type=kind)
    refused(403, admin, "image", "PATCH", path, raw='[{"op":"replace","path":"/size","value":1}]', content_type=kind)
    admin.call("image", "DELETE", path)
    refused(404, admin, "image", "GET", path)


def test_image_lists_page_by_page(cloud):
    admin = cloud.client
    ids = [admin.call("image", "POST", "/images", {"name": f"page-{i}", "disk_format": "raw", "container_format": "bare",
                                                   "kind": "paged"})["id"] for i in range(5)]
    seen, path = [], "/images?limit=2&kind=paged&sort=name:asc"
    while path:
        found = cloud.client.call("image", "GET", path)
        seen += [i["id"] for i in found["images"]]
        path = found.get("next", "")[3:]
    assert seen == ids
    for image_id in ids:
        admin.call("image", "DELETE", f"/images/{image_id}")


def test_network(cloud, member):
    net = member.call("network", "POST", "/networks", {"network": {"name": "n"}})["network"]
    assert "provider:network_type" not in net
    refused(403, member, "network", "POST", "/networks", {"network": {"shared": True}})
    subnet = member.call("network", "POST", "/subnets", {"subnet": {"network_id": net["id"], "cidr": "10.9.0.0/29",
                                                                    "ip_version": 4}})["subnet"]
    assert subnet["gateway_ip"] == "10.9.0.1" and subnet["allocation_pools"] == [{"start": "10.9.0.2", "end": "10.9.0.6"}]
    refused(400, member, "network", "POST", "/subnets", {"subnet": {"network_id": net["id"], "cidr": "10.9.0.0/24",
                                                                    "ip_version": 4}})
    refused(400, member, "network", "POST", "/subnets", {"subnet": {"network_id": net["id"], "cidr": "nonsense",
                                                                    "ip_version": 4}})
    ports = member.call("network", "POST", "/ports", {"ports": [{"network_id": net["id"]} for _ in range(4)]})["ports"]
    assert len({p["fixed_ips"][0]["ip_address"] for p in ports}) == 4
    refused(409, member, "network", "POST", "/ports", {"port": {"network_id": net["id"]}})
    refused(403, member, "network", "POST", "/ports", {"port": {"network_id": net["id"], "binding:host_id": "x"}})
    refused(409, member, "network", "DELETE", f"/networks/{net['id']}")
    router = member.call("network", "POST", "/routers", {"router": {"name": "r", "external_gateway_info": {
        "network_id": network_id(cloud.client, "public")}}})["router"]
    member.call("network", "PUT", f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    fip = member.call("network", "POST", "/floatingips", {"floatingip": {
        "floating_network_id": network_id(cloud.client, "public"), "port_id": ports[0]["id"]}})["floatingip"]
    assert fip["status"] == "ACTIVE" and fip["router_id"] == router["id"]
    refused(409, member, "network", "PUT", f"/routers/{router['id']}/remove_router_interface", {"subnet_id": subnet["id"]})
    member.call("network", "DELETE", f"/floatingips/{fip['id']}")
    member.call("network", "PUT", f"/routers/{router['id']}/remove_router_interface", {"subnet_id": subnet["id"]})
    member.call("network", "DELETE", f"/routers/{router['id']}")
    for port in ports:
        member.call("network", "DELETE", f"/ports/{port['id']}")
    member.call("network", "DELETE", f"/networks/{net['id']}")
    refused(404, member, "network", "GET", f"/subnets/{subnet['id']}")


def test_no_address_is_given_twice(cloud):
    admin = cloud.client
    net = admin.call("network", "POST", "/networks", {"network": {"name": "race"}})["network"]["id"]
    admin.call("network", "POST", "/subnets", {"subnet": {"network_id": net, "cidr": "10.8.0.0/26", "ip_version": 4}})
    made, lock = [], threading.Lock()

    def work():
        for _ in range(7):
            port = admin.call("network", "POST", "/ports", {"port": {"network_id": net}})["port"]
            with lock:
                made.append(port)
    threads = [threading.Thread(target=work) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(made) == 56 and len({p["fixed_ips"][0]["ip_address"] for p in made}) == 56
    for port in made:
        admin.call("network", "DELETE", f"/ports/{port['id']}")
    admin.call("network", "DELETE", f"/networks/{net}")


@pytest.mark.parametrize("rule", [{"protocol": "tcp", "port_range_min": 90, "port_range_max": 80},
                                  {"protocol": "nonsense"}, {"remote_ip_prefix": "10.0.0.0/99"},
                                  {"remote_ip_prefix": "fe80::/64"}, {"protocol": "tcp", "port_range_min": 70000},
                                  {"port_range_min": 1, "port_range_max": 2}])
def test_bad_rules_are_refused_at_the_api(cloud, rule):
    group = cloud.client.find("network", "security-groups", "default")
    refused(400, cloud.client, "network", "POST", "/security-group-rules", {"security_group_rule": {
        "security_group_id": group["id"], "direction": "ingress", **rule}})


def test_volume(cloud, member):
    made = member.call("volume", "POST", "/volumes", {"volume": {"name": "v", "size": 2}})["volume"]
    path = f"/volumes/{made['id']}"
    wait_for(lambda: member.call("volume", "GET", path)["volume"]["status"] == "available", 20, what="the volume")
    refused(400, member, "volume", "POST", "/volumes", {"volume": {"size": 0}})
    refused(413, member, "volume", "POST", "/volumes", {"volume": {"size": 99999}})
    refused(400, member, "volume", "POST", path + "/action", {"os-extend": {"new_size": 1}})
    member.call("volume", "POST", path + "/action", {"os-extend": {"new_size": 3}})
    wait_for(lambda: member.call("volume", "GET", path)["volume"]["status"] == "available", 20, what="the grown volume")
    refused(403, member, "volume", "POST", path + "/action", {"os-reset_status": {"status": "error"}})
    attachment = member.call("volume", "POST", "/attachments", {"attachment": {
        "volume_uuid": made["id"], "instance_uuid": "11111111-2222-3333-4444-555555555555",
        "connector": {"host": "h", "initiator": "iqn.x"}}})["attachment"]
    assert attachment["connection_info"] == {}, "a user must not see how a volume is reached"
    refused(409, member, "volume", "DELETE", f"/attachments/{attachment['id']}")
    refused(400, member, "volume", "DELETE", path)
    cloud.client.call("volume", "DELETE", f"/attachments/{attachment['id']}")
    member.call("volume", "DELETE", path)
    wait_for(lambda: made["id"] not in [v["id"] for v in member.call("volume", "GET", "/volumes")["volumes"]], 20,
             what="the volume to go")


def test_server(cloud, member):
    admin = cloud.client
    server = admin.call("compute", "POST", "/servers", server_body(admin, "s", metadata={"a": "b"}))["server"]
    shown = wait_status(admin, server["id"])
    assert shown["addresses"]["private"] and shown["metadata"] == {"a": "b"} and shown["OS-EXT-SRV-ATTR:host"]
    path = f"/servers/{server['id']}"
    for method, where in (("GET", path), ("DELETE", path), ("GET", path + "/metadata"), ("GET", path + "/os-interface")):
        refused(404, member, "compute", method, where)
    admin.call("compute", "POST", path + "/action", {"os-stop": None})
    wait_status(admin, server["id"], "SHUTOFF")
    refused(409, admin, "compute", "POST", path + "/action", {"os-stop": None})
    admin.call("compute", "POST", path + "/action", {"os-start": None})
    wait_status(admin, server["id"])
    for kind in ("SOFT", "HARD"):
        admin.call("compute", "POST", path + "/action", {"reboot": {"type": kind}})
        wait_status(admin, server["id"])
    assert "login" in admin.call("compute", "POST", path + "/action", {"os-getConsoleOutput": {}})["output"]
    refused(400, admin, "compute", "POST", path + "/action", {"os-launch": None})
    port = admin.call("compute", "POST", path + "/os-interface", {"interfaceAttachment": {
        "net_id": network_id(admin)}})["interfaceAttachment"]
    assert len(admin.call("compute", "GET", path)["server"]["addresses"]["private"]) == 2
    admin.call("compute", "DELETE", f"{path}/os-interface/{port['port_id']}")
    wait_for(lambda: len(admin.call("compute", "GET", path)["server"]["addresses"]["private"]) == 1, 20, what="one port")
    actions = admin.call("compute", "GET", path + "/os-instance-actions")["instanceActions"]
    assert [a["action"] for a in actions][-1] == "create"
    create = admin.call("compute", "GET", f"{path}/os-instance-actions/{actions[-1]['request_id']}")["instanceAction"]
    assert {"compute_build_network", "compute_build_spawn"} <= {e["event"] for e in create["events"]}
    assert all(e["result"] == "Success" for e in create["events"])
    admin.call("compute", "DELETE", path)
    wait_gone(admin, server["id"])
    assert not admin.call("network", "GET", f"/ports?device_id={server['id']}")["ports"]


@pytest.mark.parametrize(("change", "status"), [
    ({"flavorRef": "none"}, 400), ({"imageRef": "11111111-2222-3333-4444-555555555555"}, 400), ({"name": ""}, 400),
    ({"networks": [{"uuid": "11111111-2222-3333-4444-555555555555"}]}, 400), ({"key_name": "none"}, 400),
    ({"security_groups": [{"name": "none"}]}, 400), ({"availability_zone": "moon"}, 400), ({"user_data": "%%%"}, 400),
    ({"min_count": 3, "max_count": 2}, 400), ({"unknown": 1}, 400), ({"min_count": 50}, 403)])
def test_bad_servers_are_refused_and_nothing_is_made(cloud, change, status):
    admin = cloud.client
    before = len(admin.call("compute", "GET", "/servers")["servers"])
    refused(status, admin, "compute", "POST", "/servers", server_body(admin, "bad", **change))
    assert len(admin.call("compute", "GET", "/servers")["servers"]) == before


def test_no_valid_host_says_why(cloud):
    admin = cloud.client
    flavor = admin.call("compute", "POST", "/flavors", {"flavor": {"name": "huge", "ram": 1, "vcpus": 200, "disk": 1}})["flavor"]
    project = admin.project_id
    admin.call("compute", "PUT", f"/os-quota-sets/{project}", {"quota_set": {"cores": 1000}})
    server = admin.call("compute", "POST", "/servers", server_body(admin, "huge", flavorRef=flavor["id"]))["server"]
    shown = wait_status(admin, server["id"], "ERROR")
    assert "1 not enough CPUs" in shown["fault"]["message"]
    admin.call("compute", "DELETE", f"/servers/{server['id']}")
    wait_gone(admin, server["id"])
    admin.call("compute", "DELETE", f"/flavors/{flavor['id']}")


def test_server_with_a_volume_and_delete_on_termination(cloud):
    admin = cloud.client
    volume = admin.call("volume", "POST", "/volumes", {"volume": {"size": 1}})["volume"]["id"]
    wait_for(lambda: admin.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"] == "available", 20, what="it")
    mapping = [{"source_type": "volume", "destination_type": "volume", "uuid": volume, "delete_on_termination": True}]
    server = admin.call("compute", "POST", "/servers", server_body(admin, "bdm", block_device_mapping_v2=mapping))["server"]
    shown = wait_status(admin, server["id"])
    assert [v["id"] for v in shown["os-extended-volumes:volumes_attached"]] == [volume]
    assert admin.call("volume", "GET", f"/volumes/{volume}")["volume"]["status"] == "in-use"
    admin.call("compute", "DELETE", f"/servers/{server['id']}")
    wait_gone(admin, server["id"])
    wait_for(lambda: volume not in [v["id"] for v in admin.call("volume", "GET", "/volumes")["volumes"]], 20, what="gone")


def test_lists_cost_the_same_whatever_their_length(cloud):
    admin = cloud.client

    def statements() -> float:
        return sum(float(x.split()[-1]) for x in cloud.metrics().splitlines()
                   if x.startswith("pileus_sql_statements_total{") and "exporter" not in x)

    def cost() -> float:
        before = statements()
        admin.call("compute", "GET", "/servers/detail")
        return statements() - before
    few = min(cost() for _ in range(5))
    made = [admin.call("compute", "POST", "/servers", server_body(admin, f"many-{i}"))["server"]["id"] for i in range(6)]
    for server_id in made:
        wait_status(admin, server_id)
    assert min(cost() for _ in range(8)) <= few
    for server_id in made:
        admin.call("compute", "DELETE", f"/servers/{server_id}")
        wait_gone(admin, server_id)


def test_microversions(cloud):
    admin = cloud.client
    headers = {"X-Auth-Token": admin.token}
    for asked, status in (("2.1", 200), ("2.53", 200), ("latest", 200), ("2.9999", 406), ("3.0", 406), ("x", 400)):
        response = admin.pool.request("GET", admin.url("compute") + "/servers", headers={
            **headers, "OpenStack-API-Version": f"compute {asked}"})
        assert response.status == status, asked
    assert "project_id" not in admin.call("compute", "GET", "/os-server-groups", version="2.1")


@pytest.mark.parametrize(("service", "key"), [("identity", "error"), ("compute", "itemNotFound"), ("volume", "itemNotFound"),
                                              ("network", "NeutronError")])
def test_errors_come_in_the_family_s_envelope(cloud, service, key):
    admin = cloud.client
    response = admin.pool.request("GET", admin.url(service) + "/no/such/thing", headers={"X-Auth-Token": admin.token})
    assert response.status == 404 and key in json.loads(response.data)
    assert response.headers["X-Openstack-Request-Id"].startswith("req-")


def test_subnets_are_cut_from_a_pool(cloud, member):
    admin = cloud.client
    pool = admin.call("network", "POST", "/subnetpools", {"subnetpool": {
        "name": "pool", "prefixes": ["10.200.0.0/23"], "default_prefixlen": 24, "shared": True}})["subnetpool"]
    assert (pool["min_prefixlen"], pool["max_prefixlen"]) == ("8", "32")
    network = member.call("network", "POST", "/networks", {"network": {"name": "cut"}})["network"]["id"]

    def wish(**more):
        return {"subnet": {"network_id": network, "ip_version": 4, "subnetpool_id": pool["id"], **more}}
    assert member.call("network", "POST", "/subnets", wish())["subnet"]["cidr"] == "10.200.0.0/24"
    assert member.call("network", "POST", "/subnets", wish(prefixlen=25))["subnet"]["cidr"] == "10.200.1.0/25"
    refused(409, member, "network", "POST", "/subnets", wish())
    refused(409, member, "network", "POST", "/subnets", wish(cidr="10.200.0.0/26"))
    refused(400, member, "network", "POST", "/subnets", {"subnet": {"network_id": network, "ip_version": 4}})
    refused(409, admin, "network", "DELETE", f"/subnetpools/{pool['id']}")
    refused(403, member, "network", "POST", "/subnetpools", {"subnetpool": {
        "name": "mine", "prefixes": ["10.9.0.0/16"], "shared": True}})
    refused(404, member, "network", "PUT", f"/subnetpools/{'0' * 36}", {"subnetpool": {"name": "x"}})
    member.call("network", "DELETE", f"/networks/{network}")
    admin.call("network", "PUT", f"/subnetpools/{pool['id']}", {"subnetpool": {"prefixes": ["10.200.0.0/22"]}})
    refused(400, admin, "network", "PUT", f"/subnetpools/{pool['id']}", {"subnetpool": {"prefixes": ["10.201.0.0/22"]}})
    admin.call("network", "DELETE", f"/subnetpools/{pool['id']}")


def test_boot_from_new_volumes(cloud, member):
    """A volume made of an image to boot from, and an empty one, for each of two servers; they go with their servers."""
    client = cloud.client
    image = client.find("image", "images", "cirros")["id"]
    disks = [{"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "volume", "volume_size": 2,
              "delete_on_termination": True},
             {"boot_index": -1, "source_type": "blank", "destination_type": "volume", "volume_size": 1,
              "delete_on_termination": True}]
    body = server_body(client, "rooted", block_device_mapping_v2=disks, min_count=2)
    body["server"]["imageRef"] = ""
    client.call("compute", "POST", "/servers", body)
    servers = [s for s in client.call("compute", "GET", "/servers/detail?name=rooted")["servers"]]
    assert len(servers) == 2
    for server in servers:
        shown = wait_status(client, server["id"])
        assert shown["image"] == "" and len(shown["os-extended-volumes:volumes_attached"]) == 2
        root = client.call("volume", "GET", f"/volumes/{shown['os-extended-volumes:volumes_attached'][0]['id']}")["volume"]
        assert (root["status"], root["bootable"], root["size"]) == ("in-use", "true", 2)
        assert root["volume_image_metadata"]["image_id"] == image and root["attachments"][0]["device"] == "/dev/vda"
        client.call("compute", "DELETE", f"/servers/{server['id']}")
        wait_gone(client, server["id"])
    wait_for(lambda: not client.call("volume", "GET", "/volumes")["volumes"], 20, what="their volumes to go")
    small = dict(disks[0], volume_size=0)
    refused(400, client, "compute", "POST", "/servers", {"server": {**body["server"], "block_device_mapping_v2": [small]}})
    client.call("volume", "PUT", f"/os-quota-sets/{client.project_id}", {"quota_set": {"volumes": 3}})
    text = refused(413, client, "compute", "POST", "/servers", body)
    assert "VolumeLimitExceeded" in text
    client.call("volume", "PUT", f"/os-quota-sets/{client.project_id}", {"quota_set": {"volumes": 10}})
    wait_for(lambda: not client.call("volume", "GET", "/volumes")["volumes"], 20, what="what was made in vain to go")


def test_tags_of_networks(cloud, member):
    def call(method, path, body=None):
        return cloud.client.call("network", method, path, body)
    made = {name: call("POST", "/networks", {"network": {"name": name}})["network"]["id"] for name in ("red", "both", "bare")}
    assert call("PUT", f"/networks/{made['both']}/tags", {"tags": ["red", "grün, \"blau\""]})["tags"][1] == "red"
    call("PUT", f"/networks/{made['red']}/tags/red")
    assert call("GET", f"/networks/{made['red']}")["network"]["tags"] == ["red"]

    def names(query: str) -> set[str]:
        return {n["name"] for n in call("GET", f"/networks?{query}")["networks"]} & set(made)
    assert names("tags=red") == {"red", "both"} and names("not-tags=red") == {"bare"}
    assert names("tags-any=red,re") == {"red", "both"} and names("tags=re") == set()
    call("GET", f"/networks/{made['red']}/tags/red")
    refused(404, cloud.client, "network", "GET", f"/networks/{made['red']}/tags/blue")
    refused(400, cloud.client, "network", "PUT", f"/networks/{made['red']}/tags", {"tags": ["x" * 256]})
    refused(404, member, "network", "PUT", f"/networks/{made['red']}/tags", {"tags": ["mine"]})
    call("DELETE", f"/networks/{made['red']}/tags/red")
    call("DELETE", f"/networks/{made['both']}/tags")
    assert names("tags=red") == set()
    for one in made.values():
        call("DELETE", f"/networks/{one}")
