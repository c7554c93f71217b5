"""What the network service says of a server's ports is written without asking it back."""

import json

import pytest
import sqlalchemy as sa

from common import db, errors, migrate, rows
from common.calls import Call
from common.context import Context
from common.db import Database
from compute_api.services import external_events, security_groups
from conductor import manager
from conductor.db import models
from tests.compute.test_guests import ROW

FIXED = {"subnet_id": "00000000-0000-4000-8000-000000000001", "ip_address": "10.0.0.5"}
PORT = {"id": "p1", "network_id": "n", "network_name": "net", "mac_address": "fa:16:3e:00:00:01", "fixed_ips": [FIXED],
        "floating_ips": []}


class Service:
    """Without a client for other services: whoever asks one fails."""

    def __init__(self, database):
        self.db = database


@pytest.fixture
def service(tmp_path):
    url = f"sqlite:///{tmp_path}/compute.sqlite"
    migrate.sync("conductor.db", url)
    database = Database("compute", url)
    with database.writer() as connection:
        rows.insert(connection, models.instances, {
            **ROW, "uuid": "s1", "vm_state": "active", "power_state": 1, "created_at": db.now(), "updated_at": db.now(),
            "network_info": [{**PORT, "mtu": 1450, "tag": "blue"}]})
    yield Service(database)
    database.engine.dispose()


def _event(service, uuid, *ports) -> int:
    event = {"name": "network-changed", "server_uuid": uuid, "ports": list(ports)}
    return external_events.receive(Call(service, Context()), event)


def _shown(service) -> list[dict]:
    with service.db.reader() as connection:
        return rows.get(connection, models.instances, "s1", key="uuid", resource="Instance")["network_info"]


def test_addresses_change_and_what_the_host_noted_stays(service):
    floating = {"floating": "203.0.113.9", "fixed": "10.0.0.5"}
    assert _event(service, "s1", {**PORT, "floating_ips": [floating]}) == 200
    assert _shown(service) == [{**PORT, "floating_ips": [floating], "mtu": 1450, "tag": "blue"}]


def test_a_port_that_the_host_did_not_plug_is_left_out(service):
    before = _shown(service)
    assert _event(service, "s1", {**PORT, "id": "forged"}) == 200
    assert json.dumps(_shown(service)) == json.dumps(before)


def test_of_a_server_that_is_gone_it_is_404(service):
    assert _event(service, "gone", PORT) == 404


def _groups(service) -> list[dict]:
    with service.db.reader() as connection:
        return rows.get(connection, models.instances, "s1", key="uuid", resource="Instance")["security_groups"]


def test_the_security_groups_of_all_ports_are_kept_once_each(service):
    web, ssh = {"id": "g1", "name": "web"}, {"id": "g2", "name": "ssh"}
    assert _event(service, "s1", {**PORT, "security_groups": [web]}, {**PORT, "id": "p2", "security_groups": [ssh, web]}) == 200
    assert _groups(service) == [web, ssh]
    assert "security_groups" not in _shown(service)[0]
    assert _event(service, "s1", PORT) == 200  # of a network service that does not say it yet
    assert _groups(service) == [web, ssh]
    assert _event(service, "s1", {**PORT, "security_groups": []}) == 200
    assert _groups(service) == []


def test_a_server_that_is_being_built_keeps_the_groups_asked_for(service):
    """A floating IP of one of its ports came meanwhile, and the next host made the other ports with the groups of that one."""
    asked = [{"id": "g1", "name": "web"}]
    with service.db.writer() as connection:
        rows.update_where(connection, models.instances, {"vm_state": "building", "security_groups": asked}, uuid="s1")
    floating = {"floating": "203.0.113.9", "fixed": "10.0.0.5"}
    given = {**PORT, "floating_ips": [floating], "security_groups": [{"id": "g2", "name": "ssh"}]}
    assert _event(service, "s1", given) == 200
    assert _groups(service) == asked and _shown(service)[0]["floating_ips"] == [floating]


WEB, SSH, DEFAULT = {"id": "g1", "name": "web"}, {"id": "g2", "name": "ssh"}, {"id": "", "name": "default"}


@pytest.mark.parametrize("groups, ids, kept", [
    ([WEB, SSH], ["g1"], [WEB]), ([WEB, SSH], [], []), ([WEB, SSH], None, [WEB, SSH]), ([WEB], ["g1", "unknown"], [WEB]),
    ([DEFAULT], ["its id"], [DEFAULT]), ([DEFAULT, WEB], ["g1"], [WEB]), ([DEFAULT], [], [])])
def test_what_is_left_of_the_groups_of_a_server_when_an_interface_is_detached(groups, ids, kept):
    assert manager._kept(groups, ids) == kept


class Network:
    """The network service, which shows the caller only the group "web"."""

    def request(self, method, service, where, **more):
        if "security-groups" in str(where):
            return {"security_groups": [{**WEB, "description": ""}]}
        return {"ports": [{"id": "p1", "device_id": "s1", "security_groups": ["g1", "g2"]}]}


def test_groups_are_refreshed_also_with_one_that_the_caller_does_not_see(service, monkeypatch):
    with service.db.writer() as connection:
        rows.update_where(connection, models.instances, {"security_groups": [DEFAULT, SSH]}, uuid="s1")
    service.rest = Network()
    call = Call(service, Context())
    security_groups.refresh(call, "s1")
    assert _groups(service) == [SSH, WEB]

    def away(*args, **more):
        raise errors.ServiceUnavailable(part="the network service")
    monkeypatch.setattr(service.rest, "request", away)
    security_groups.refresh(call, "s1")
    assert _groups(service) == [SSH, WEB]


def test_groups_that_somebody_else_stores_meanwhile_are_not_overwritten(service):
    with service.db.writer() as connection:
        rows.update_where(connection, models.instances, {"security_groups": []}, uuid="s1")

    class Slow(Network):
        asked = 0

        def request(self, method, service_name, where, **more):
            found = super().request(method, service_name, where, **more)
            if "ports" in found:
                self.asked += 1
                if self.asked == 1:  # what it answers is old by now
                    found = {"ports": [{"id": "p1", "device_id": "s1", "security_groups": []}]}
                    with service.db.writer() as connection:
                        rows.update_where(connection, models.instances, {"security_groups": [SSH]}, uuid="s1")
            return found
    service.rest = Slow()
    security_groups.refresh(Call(service, Context()), "s1")
    assert service.rest.asked == 2 and _groups(service) == [SSH, WEB]


def test_an_attachment_has_succeeded_although_the_database_cannot_store_the_groups(service, monkeypatch):
    service.rest = Network()

    def fail(*words):
        raise sa.exc.OperationalError("UPDATE", {}, Exception("deadlock"))
    monkeypatch.setattr(service.db, "transact", fail)
    security_groups.refresh(Call(service, Context()), "s1")


def test_a_doubled_detachment_takes_no_group_away(service):
    info = [{"id": "p1", "attach_id": "a"}, {"id": "p2", "attach_id": "b"}]
    with service.db.writer() as connection:
        rows.update_where(connection, models.instances, {
            "network_info": info, "requested_networks": [], "security_groups": [WEB, SSH]}, uuid="s1")
    conductor = manager.Manager(service)
    conductor.interface_detached(Context(), "s1", "p2", [], "b", group_ids=[WEB["id"]])
    assert _groups(service) == [WEB]
    with service.db.writer() as connection:
        rows.update_where(connection, models.instances, {"security_groups": [WEB, SSH]}, uuid="s1")
    conductor.interface_detached(Context(), "s1", "p2", [], "b", group_ids=[WEB["id"]])
    assert _groups(service) == [WEB, SSH]
