"""The map of hosts by zones."""

import re

from tests.dashboard.apis import Dashboard
from tests.dashboard.browser import words


def host(n: int, servers: int, **more) -> dict:
    return {"id": f"id-{n}", "hypervisor_hostname": f"node{n}", "state": "up", "status": "enabled", "vcpus": 8, "vcpus_used": 2,
            "memory_mb": 4096, "memory_mb_used": 4096, "local_gb": 100, "local_gb_used": 1, "service": {
                "host": f"node{n}", "disabled_reason": None},
            "servers": [{"uuid": f"uuid-{n}-{at}", "name": f"vm-{n}-{at:02}"} for at in range(servers)], **more}


def answers(*hosts: dict) -> dict:
    return {"GET /v2.1/os-hypervisors/detail": {"hypervisors": list(hosts)}, "GET /v2.1/os-services": {"services": [
        {"host": "node1", "zone": "east"}, {"host": "node2", "zone": "west"}]}}


def test_hosts_stand_in_their_zones_with_their_instances():
    down = host(2, 0, state="down", status="disabled", service={"host": "node2", "disabled_reason": "A disk"})
    dashboard = Dashboard(answers(down, host(1, 2), host(3, 0)))
    text = dashboard.send("/admin/host_map/").text
    said = words(text.partition("<main")[2])
    places = [said.index(part) for part in ("No zone", "node3", "east", "node1", "vm-1-01", "west", "node2", "A disk")]
    assert places == sorted(places)
    assert "2 of 8" in said and 'href="/admin/instances/uuid-1-0/"' in text and 'href="/admin/hypervisors/id-2/"' in text
    assert {sent.path: sent.query for sent in dashboard.apis.sent} == {
        "/v2.1/os-hypervisors/detail": {"with_servers": "true"}, "/v2.1/os-services": {"binary": "nova-compute"}}


def test_a_host_with_many_instances_leads_to_all():
    text = Dashboard(answers(host(1, 60))).send("/admin/host_map/").text
    assert "10 more" in text and "/admin/hypervisors/id-1/?tab=instances" in text
    assert len(re.findall(r"/admin/instances/uuid", text)) == 50


def test_the_map_is_the_administrators():
    assert Dashboard(answers(), admin=False).send("/admin/host_map/").status_int == 403
    assert "There are no hosts yet." in Dashboard(answers()).send("/admin/host_map/").text
    assert "/admin/host_map/" not in Dashboard(answers(), admin=False).send("/about/parts/").text
