"""The audit on more hosts than this one: what their agents tell is compared, and silence is a finding."""

import pytest

from common import db
from common.rows import insert
from conductor.db import allocations, hosts, models
from deploy import prepare
from deploy.audit import Auditor, main
from network import roles
from network.db import heartbeats
from tests.compute.test_guests import ROW
from volume.db import volumes

UUID = "11111111-2222-4333-8444-{:012}"
EMPTY = {"guests": {}, "directories": [], "journal": {"unfinished": {}, "broken": []}}
RESOURCES = {"hypervisor_hostname": "h", "vcpus": 1, "memory_mb": 1, "local_gb": 1, "facts": {}}


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    made = str(tmp_path_factory.mktemp("state"))
    prepare.write_config(made, transport_url="fake://", host="here", my_ip="127.0.0.1", driver="fake")
    prepare.sync_databases(made)
    auditor = Auditor(made)
    with auditor.dbs["compute"].writer() as connection:
        for host in ("here", "node2", "node3"):
            hosts.report(connection, host, RESOURCES)
        for number, host in ((1, "node2"), (2, "node2"), (3, "node3")):
            insert(connection, models.instances, {
                **ROW, "uuid": UUID.format(number), "vm_state": "active", "task_state": None, "power_state": 1, "host": host,
                "created_at": db.now(), "updated_at": db.now()}, conflict="")
            allocations.claim(connection, next(n for n in _nodes(connection) if n["host"] == host), UUID.format(number), ROW, {})
    with auditor.dbs["network"].writer() as connection:
        heartbeats.write(connection, {"node2": {"roles": [roles.BRIDGE]}})
    with auditor.dbs["volume"].writer() as connection:
        volumes.heartbeat(connection, "cinder-volume", "node2", {})
    return made


def _nodes(connection) -> list[dict]:
    return [dict(r._mapping) for r in connection.execute(models.compute_nodes.select())]


@pytest.fixture
def audit(state, monkeypatch):
    """Run the audit with these answers of agents: audit({"node2": …}); returns [(kind, what, text)]."""
    auditor = Auditor(state)
    repaired: list = []

    def run(compute: dict, volume: dict | None = None, repair: bool = False):
        answers = {"compute": compute, "volume": {"node2": volume}, "network": {"node2": {}}}
        monkeypatch.setattr(auditor.inventory, "_one", lambda kind, host: EMPTY if host == "here" else answers[kind].get(host))
        monkeypatch.setattr(auditor.inventory, "reconcile", lambda kind, host: repaired.append((kind, host)))
        found = auditor.run()
        for finding in found:
            if repair and finding.repair:
                finding.repair()
        return [(f.kind, f.what, f.text) for f in found]
    run.repaired, run.cloud_id = repaired, auditor.inventory.cloud_id
    return run


def guest(cloud: str, host: str, power: int = 1) -> dict:
    return {"power": power, "volumes": [], "owner": [cloud, host]}


FINE = {"volumes": [], "snapshots": [], "exports": [], "journal": {"unfinished": {}, "broken": []}}


def test_every_host_is_looked_at(audit):
    own = audit.cloud_id
    node2 = {**EMPTY, "guests": {UUID.format(1): guest(own, "node2"), UUID.format(2): guest(own, "node2")}}
    node3 = {**EMPTY, "guests": {UUID.format(3): guest(own, "node3")}}
    assert audit({"node2": node2, "node3": node3}, FINE) == []


def test_a_host_that_does_not_answer_is_a_finding(audit):
    found = audit({"node3": {**EMPTY, "guests": {UUID.format(3): guest(audit.cloud_id, "node3")}}}, None)
    assert [(k, w, t.partition(":")[0]) for k, w, t in found] == [("host", "node2", "does not respond")] * 2


def test_what_is_wrong_on_another_host(audit):
    own = audit.cloud_id
    node2 = {"guests": {UUID.format(2): guest(own, "node2", power=4), UUID.format(7): guest(own, "node2"),
                        UUID.format(3): guest(own, "node3"), UUID.format(8): {**guest(own, "node2"), "volumes": ["v"]}},
             "directories": [UUID.format(9)], "journal": {"unfinished": {"build-x": 10**6, "build-y": 1}, "broken": ["attach-z"]}}
    found = set(audit({"node2": node2, "node3": EMPTY}, {**FINE, "volumes": ["v1"], "exports": ["v2"]}, repair=True))
    assert found == {
        ("server", UUID.format(1), "has no guest on its host node2"),
        ("server", UUID.format(2), "is active, but its guest on host node2 is not"),
        ("server", UUID.format(3), "has no guest on its host node3"),
        ("guest", UUID.format(3), "is on host node2, but was not created by it"),
        ("guest", UUID.format(7), "is on host node2, but no server of it"),
        ("guest", UUID.format(8), "is on host node2, but no server of it"),
        ("guest", UUID.format(8), "has volume v, which is not its server's"),
        ("guest", UUID.format(9), "is on host node2, but no server of it"),
        ("task", "build-x", "is unfinished in the journal of host node2"),
        ("task", "attach-z", "is an unreadable record in the journal of host node2, and was set aside; "
         "resources of its task may remain"),
        ("volume", "v1", "has data on host node2, but no row"),
        ("export", "v2", "is exported, but not attached")}
    assert set(audit.repaired) == {("compute", "node2")}, "another host's agent mends what is certain, nobody else"


def test_the_command_reports_what_remains(state, capsys):
    """On the bus of one process no other host can be asked: each is named."""
    assert main(state) == 1
    text = capsys.readouterr().out
    assert "host node2 does not respond" in text and "host node3 does not respond" in text and "finding(s)" in text


def test_a_volume_that_is_smaller_than_its_row_says(audit, state):
    """As one that was called extended and was not."""
    at, volume_id = db.now(), UUID.format(11)
    database = Auditor(state).dbs["volume"]
    with database.writer() as connection:
        insert(connection, volumes.TABLE, {
            "id": volume_id, "project_id": "p", "user_id": "u", "size": 2, "status": "in-use", "availability_zone": "nova",
            "bootable": False, "host": "node2", "metadata": {}, "image_metadata": {}, "request_id": "r", "created_at": at,
            "updated_at": at}, conflict="")
    there = {**FINE, "volumes": [volume_id]}
    try:
        texts = [[text for kind, what, text in audit({}, {**there, "sizes": {volume_id: size}}) if what == volume_id]
                 for size in (1, 2)]
    finally:
        with database.writer() as connection:
            connection.execute(volumes.TABLE.delete())
    assert texts == [["has 1 GiB in its backend, 2 in its row"], []]
