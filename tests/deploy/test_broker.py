"""The broker's account and where it listens; a real RabbitMQ of its own, in a few seconds."""

import base64
import hashlib
import pathlib
import stat
import subprocess

import kombu
import psutil
import pytest

from deploy import broker

PORT = 20672


def test_a_password_is_stored_as_a_salted_hash():
    made = broker.definitions("secret")
    assert "secret" not in str(made)
    raw = base64.b64decode(made["users"][0]["password_hash"])
    assert raw[4:] == hashlib.sha256(raw[:4] + b"secret").digest()
    assert made["users"][0]["tags"] == "" and len(made["users"]) == 1


def test_systemds_services_listen_where_they_should(tmp_path, monkeypatch):
    calls: list = []
    monkeypatch.setattr(broker, "pathlib", type("P", (), {"Path": lambda *p: pathlib.Path(str(tmp_path) + p[0])}))
    monkeypatch.setattr(broker, "answers", lambda port, ip: bool(calls) and ("systemctl", "start", "rabbitmq-server") in calls)

    def run(*words, input="", check=True):
        calls.append(words)
        assert not any("hunter2" in w for w in words)
        return subprocess.CompletedProcess(words, 0, "guest\t[administrator]\npileus\t[]\n", "")
    monkeypatch.setattr(broker, "run", run)
    broker._by_systemd("hunter2", 5672, "192.0.2.1")
    written = {str(p.relative_to(tmp_path)): p.read_text() for p in tmp_path.rglob("*.conf")}
    assert written["etc/rabbitmq/conf.d/90-pileus.conf"] == "listeners.tcp.1 = 192.0.2.1:5672\n"
    assert "ListenStream=127.0.0.1:4369" in written["etc/systemd/system/epmd.socket.d/pileus.conf"]
    assert "inet_dist_use_interface {127,0,0,1}" in written["etc/systemd/system/rabbitmq-server.service.d/pileus.conf"]
    assert ("rabbitmqctl", "-q", "delete_user", "pileus") in calls and ("systemctl", "daemon-reload") in calls
    calls.clear()
    broker._by_systemd("hunter2", 5672, "192.0.2.1")
    assert ("systemctl", "daemon-reload") not in calls
    monkeypatch.setattr(broker, "systemd", lambda: True)
    broker.stop_broker("/srv/state")
    assert not list(tmp_path.rglob("*.conf")) and ("rabbitmqctl", "-q", "delete_user", broker.USER) in calls


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    if not pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists():
        pytest.skip("RabbitMQ is not installed")
    state = pathlib.Path("/var/tmp") / f"pileus-broker-{tmp_path_factory.mktemp('x').parent.name}"
    state.mkdir(mode=0o711)
    state.chmod(0o711)
    yield state, broker.ensure_broker(str(state), "secret", PORT)
    broker.stop_broker(str(state))
    subprocess.run(["rm", "-rf", state], check=True)


def test_only_our_account_may_enter(running):
    def enter(url):
        with kombu.Connection(url, connect_timeout=5) as connection:
            connection.connect()
    enter(running[1].replace("rabbit://", "amqp://"))
    for other in ("guest:guest", "pileus:secret", f"{broker.USER}:guest"):
        with pytest.raises(Exception, match="ACCESS_REFUSED"):
            enter(f"amqp://{other}@127.0.0.1:{PORT}//")


def test_nothing_of_it_listens_elsewhere(running):
    own = {p.pid for p in psutil.process_iter(["name", "cmdline"]) if p.info["name"] == "epmd" or (
        str(running[0]) in " ".join(p.info["cmdline"] or []))}
    found = {c.laddr for c in psutil.net_connections("inet") if c.pid in own and c.status == psutil.CONN_LISTEN}
    assert {PORT, PORT + 20000, 4369} <= {a.port for a in found}
    assert {a.ip for a in found} <= {"127.0.0.1", "::1"}


def test_others_read_nothing_of_it(running):
    home = running[0] / "rabbitmq"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700 and home.owner() == "rabbitmq"
    for name in ("rabbitmq.conf", "definitions.json", "start.log"):
        path = home / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and "secret" not in path.read_text()
