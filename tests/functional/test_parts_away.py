"""Parts that stop and return: the database and the broker, under the daemons as they run on hosts."""

import concurrent.futures
import contextlib
import shutil
import time

import oslo_messaging as messaging
import pytest

from common import conf as common_conf
from common import context, errors, interface, rpc
from common.periodic import wait_for
from deploy import first, host
from deploy.processes import daemons_of
from tests.conftest import new_volume, volume_status
from tests.dashboard.browser import Browser
from tests.dashboard.test_live import stream_of
from tests.distributed import DistributedCloud

pytestmark = [pytest.mark.alone, pytest.mark.skipif(not shutil.which("mariadbd") or not shutil.which("rabbitmq-server"),
                                                    reason="MariaDB and RabbitMQ are not installed")]


@pytest.fixture(scope="module")
def parts():
    made = DistributedCloud(21900)
    try:
        made.client = made.start({"compute": {"compute": {"build_resend_s": "2"}},
                                   "pileus": {"oslo_messaging_notifications": {"driver": "messagingv2"}}})
        made.networks = first.ensure_networks(made.client, external_cidr="172.24.4.0/24", gateway="172.24.4.1",
                                              pool=("172.24.4.10", "172.24.4.250"))
        made.image = first.ensure_image(made.client, "small", b"\0" * 4096, "raw")
        made.server = first.boot(made.client, "steady", imageRef=made.image, flavorRef="42",
                                 networks=[{"uuid": made.networks["private"]}])
        yield made
    finally:
        made.stop()


def _request(parts) -> dict:
    return {"server": {"name": "waits", "imageRef": parts.image, "flavorRef": "42",
                       "networks": [{"uuid": parts.networks["private"]}]}}


def _settled(parts, server_id: str, timeout_s: float = 60) -> str:
    """Its status once it is built, or status and reason."""
    def status():
        try:
            found = parts.client.call("compute", "GET", f"/servers/{server_id}")["server"]
        except RuntimeError:
            return None
        if found["status"] == "BUILD":
            return None
        return f"ERROR: {found['fault']}" if found["status"] == "ERROR" else found["status"]
    return wait_for(status, timeout_s, every_s=0.2, what="the server to settle")


def test_database_stopped_in_the_middle_of_builds(parts):
    """Builds under way end ACTIVE when it returns; while it is away every API says so at once, in a few words."""
    wanted = [parts.client.call("compute", "POST", "/servers", _request(parts))["server"]["id"] for _ in range(5)]
    parts.stop_database()
    try:
        for service, method, path, body in (
                ("compute", "POST", "/servers", _request(parts)), ("compute", "GET", "/servers", None),
                ("image", "GET", "/images", None), ("network", "GET", "/networks", None),
                ("volume", "POST", "/volumes", {"volume": {"size": 1}})):
            asked = time.monotonic()
            with pytest.raises(RuntimeError, match="503 .*the database"):
                parts.client.call(service, method, path, body)
            assert time.monotonic() - asked < 5
        with pytest.raises(RuntimeError, match="503"):
            first.Cloud(parts.client.password, offset=parts.offset).login()
        time.sleep(5)
    finally:
        parts.start_database()
    assert [_settled(parts, server) for server in wanted] == ["ACTIVE"] * 5
    for server in wanted:
        found = parts.client.call("compute", "GET", f"/servers/{server}")["server"]
        assert found["addresses"]["private"], "a report that was lost and made again must bring the addresses"
        parts.client.call("compute", "DELETE", f"/servers/{server}")


def test_attach_and_detach_asked_while_the_broker_is_away_are_kept(parts):
    call = parts.client.call
    volume = new_volume(parts.client, "kept")
    path = f"/servers/{parts.server['id']}/os-volume_attachments"
    for method, where, body, end in (("POST", path, {"volumeAttachment": {"volumeId": volume}}, "in-use"),
                                     ("DELETE", f"{path}/{volume}", None, "available")):
        parts.stop_broker()
        asked = time.monotonic()
        try:
            call("compute", method, where, body)
            assert time.monotonic() - asked < 10
            with pytest.raises(RuntimeError, match=" 40[09] "):
                call("compute", "POST", path, {"volumeAttachment": {"volumeId": volume}})
        finally:
            parts.start_broker()
        wait_for(lambda end=end: volume_status(parts.client, volume) == end, 60, every_s=0.3, what=f"the volume {end}")
    # The volume is given back before compute forgets it, as in Nova.
    wait_for(lambda: call("compute", "GET", path)["volumeAttachments"] == [], 10, what="the attachment to go")
    call("volume", "DELETE", f"/volumes/{volume}")


def test_an_api_that_starts_while_the_broker_is_away_answers(parts):
    """It has never had a queue for answers: who asks it for something that needs one hears so, nobody waits."""
    parts.stop_broker()
    try:
        found = daemons_of(parts.daemons.pid)
        old = next(pid for name, pid in found.items() if name.startswith("p-compute-api"))
        host.run("kill", "-9", str(old))
        wait_for(lambda: any(n.startswith("p-compute-api") and p != old for n, p in daemons_of(parts.daemons.pid).items()), 10,
                 what="the API's next process")

        def made():
            asked = time.monotonic()
            try:
                return parts.client.call("compute", "POST", "/servers", _request(parts))["server"]["id"]
            except RuntimeError:  # not yet told by identity which tokens are void
                return None
            finally:
                assert time.monotonic() - asked < 10
        server = wait_for(made, 20, every_s=0.3, what="a server to be taken")
        asked = time.monotonic()
        with pytest.raises(RuntimeError, match="503 .*the message bus"):
            parts.client.call("compute", "POST", f"/servers/{parts.server['id']}/action", {"os-getConsoleOutput": {}})
        assert time.monotonic() - asked < 10
    finally:
        parts.start_broker()
    assert _settled(parts, server) == "ACTIVE"
    parts.client.call("compute", "DELETE", f"/servers/{server}")


def test_pages_are_told_of_changes_also_after_the_broker_was_away(parts):
    browser = Browser(f"http://127.0.0.1:{8080 + parts.offset}").log_in("admin", parts.client.password)
    for name in ("before", "after"):
        with stream_of(browser) as heard:
            made = []

            def told(name=name, made=made, heard=heard):
                wanted = {"volume": {"name": name, "size": 1}}
                made.append(parts.client.call("volume", "POST", "/volumes", wanted)["volume"]["id"])
                with contextlib.suppress(TimeoutError):
                    return wait_for(lambda: "data: volumes" in heard(), 3, what="the word")
            wait_for(told, 60, what=f"the word of a volume, {name}")
        for volume in made:
            wait_for(lambda volume=volume: volume_status(parts.client, volume) == "available", 60, what="the volume")
            parts.client.call("volume", "DELETE", f"/volumes/{volume}")
        if name == "before":
            parts.stop_broker()
            parts.start_broker()


def _listener(parts, heard: list[dict]):
    class Meter:
        def info(self, ctxt, publisher_id, event_type, payload, metadata):
            heard.append({"event": event_type, "payload": payload})
    conf = common_conf.load("compute", {}, parts.state)
    rpc.transport(conf)
    return messaging.get_notification_listener(messaging.get_notification_transport(conf),
                                               [messaging.Target(topic="notifications")], [Meter()], executor="threading")


def test_notifications_tell_of_servers_and_volumes(parts):
    """On the bus, in OpenStack's envelope, once each; read here as a meter would."""
    heard: list[dict] = []
    listener = _listener(parts, heard)
    listener.start()
    try:
        call = parts.client.call
        volume = new_volume(parts.client, "heard")
        made = call("compute", "POST", "/servers", _request(parts))["server"]["id"]
        assert _settled(parts, made) == "ACTIVE"
        call("compute", "DELETE", f"/servers/{made}")
        call("volume", "DELETE", f"/volumes/{volume}")

        def events() -> list[str]:
            return [m["event"] for m in heard if made in str(m["payload"]) or volume in str(m["payload"])]
        wanted = {f"compute.instance.{w}" for w in ("create.start", "create.end", "delete.start", "delete.end")} | {
            f"volume.{w}" for w in ("create.start", "create.end", "delete.start", "delete.end")}
        wait_for(lambda: wanted <= set(events()), 20, what=f"every event; heard {events()}")
        end = next(m["payload"] for m in heard if m["event"] == "compute.instance.create.end" and made in str(m["payload"]))
        assert (end["state"], end["memory_mb"], end["instance_id"]) == ("active", 128, made)
    finally:
        listener.stop()
        listener.wait()


class Nobody(rpc.Client):
    topic = "nobody"

    @interface.cast()
    def nothing(self, ctx) -> None:
        ...


def test_apis_go_on_while_the_broker_is_away(parts):
    """Whoever only has to tell others does his work and says so, however often he is asked; nobody waits for the broker."""
    made: list = []
    conf = common_conf.load("compute", {}, parts.state)
    with rpc.transport(conf)._driver._get_connection():  # as one is opened to answer a call
        pass
    parts.stop_broker()
    try:
        for number in range(3):
            for service, path, body in (
                    ("volume", "/volumes", {"volume": {"size": 1}}),
                    ("network", "/networks", {"network": {"name": f"away{number}"}}),
                    ("network", "/subnets", {"subnet": {"ip_version": 4, "cidr": f"10.{number}.0.0/24"}}),
                    ("network", "/security-groups", {"security_group": {"name": f"away{number}"}})):
                if path == "/subnets":
                    body["subnet"]["network_id"] = made[-1][2]
                asked = time.monotonic()
                answer = next(iter(parts.client.call(service, "POST", path, body).values()))
                assert time.monotonic() - asked < 10, (number, path)
                made.append((service, path, answer["id"]))
        # Its heartbeat misses the broker by now; whoever takes this connection must not wait for that one's success.
        asked = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(1) as sender, pytest.raises(errors.ServiceUnavailable):
            sender.submit(Nobody(conf).nothing, context.Context()).result(15)
        assert time.monotonic() - asked < 10
    finally:
        parts.start_broker()
    for service, path, identity in made:
        if path == "/volumes":
            wait_for(lambda v=identity: volume_status(parts.client, v) == "available", 60, what="the volume")
        if path != "/subnets":
            parts.client.call(service, "DELETE", f"{path}/{identity}")


def test_who_never_listened_is_not_waited_for(parts):
    """After a broker's restart a message to a daemon that is not there yet would be lost, and its caller would wait."""
    from compute_agent import conf
    from compute_agent.rpcapi import AgentAPI
    agents = AgentAPI(common_conf.load("compute-agent", conf.OPTS, parts.state))
    assert agents.inventory(context.service_context(), "distributed")["guests"]
    for ask in (agents.inventory, lambda ctx, host: agents.power(ctx, host, "x", "start")):
        began = time.monotonic()
        with pytest.raises(errors.ServiceUnavailable):
            ask(context.service_context(), "nowhere")
        assert time.monotonic() - began < 3
