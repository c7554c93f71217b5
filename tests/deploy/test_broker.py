"""The broker's account and where it listens; a real RabbitMQ of its own, in a few seconds."""

import base64
import hashlib
import os
import pathlib
import shutil
import stat
import subprocess
import threading

import kombu
import psutil
import pytest

from common import conf, rpc
from deploy import broker, host

PORT = 11672  # the other is 20000 higher, and must not be one that the kernel gives to clients


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


@pytest.fixture
def starts(tmp_path, monkeypatch):
    """A host without systemd on which RabbitMQ never listens; (the state, what was done)."""
    done: list[str] = []
    for name, value in (("systemd", lambda: False), ("answers", lambda port, ip: False), ("START_S", 0.3),
                        ("stop_broker", lambda state: done.append("stopped")),
                        ("_write_home", lambda *words: done.append("written")), ("run", lambda *words, **more: None)):
        monkeypatch.setattr(broker, name, value)
    (tmp_path / "rabbitmq").mkdir()
    for name, text in (("definitions.json", ""), ("rabbitmq.conf", broker.listeners("127.0.0.1", PORT))):
        (tmp_path / "rabbitmq" / name).write_text(text)
    return tmp_path, done


def test_a_broker_that_is_still_starting_is_left_alone(starts, monkeypatch):
    state, done = starts
    monkeypatch.setattr(broker, "_runs", lambda home: True)
    with pytest.raises(TimeoutError, match="RabbitMQ, which is still starting"):
        broker.ensure_broker(str(state), "secret", PORT)
    assert not done
    with pytest.raises(TimeoutError):
        monkeypatch.setattr(broker, "_start", lambda home, port: None)
        broker.ensure_broker(str(state), "secret", PORT, "192.0.2.1")  # it is to listen elsewhere
    assert done == ["stopped", "written"]


def test_a_broker_that_cannot_start_says_why_at_once(starts, monkeypatch):
    state, _ = starts
    monkeypatch.setattr(broker, "START_S", 60)
    monkeypatch.setattr(broker, "_runs", lambda home: False)

    def start(home, port):
        (home / "start.log").write_text("1\n2\n3\n4\n\n5\nno space left on device\n")
        return subprocess.Popen(["false"])
    monkeypatch.setattr(broker, "_start", start)
    with pytest.raises(host.HostError) as error:
        broker.ensure_broker(str(state), "secret", PORT)
    assert str(error.value) == "RabbitMQ ended when it was started:\n2\n3\n4\n5\nno space left on device"


def test_another_program_at_the_port_is_named(starts, monkeypatch):
    monkeypatch.setattr(broker, "answers", lambda port, ip: True)
    (starts[0] / "rabbitmq" / "pileus.pid").write_text("1")  # of a broker that was killed
    monkeypatch.setattr(broker.ports, "owner", lambda port: "pid 7 (another)")
    with pytest.raises(host.HostError, match=rf"Port {PORT} .RabbitMQ. is used by pid 7 .another.\. Stop this program"):
        broker.ensure_broker(str(starts[0]), "secret", PORT)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    if not pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists():
        pytest.skip("RabbitMQ is not installed")
    state = pathlib.Path("/var/tmp") / f"pileus-broker-{tmp_path_factory.mktemp('x').parent.name}"
    if state.exists():  # a run before was killed
        broker.stop_broker(str(state))
        shutil.rmtree(state)
    state.mkdir(mode=0o711)
    state.chmod(0o711)
    yield state, broker.ensure_broker(str(state), "secret", PORT)
    broker.stop_broker(str(state))
    shutil.rmtree(state)


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


class Interface(rpc.Client):
    topic = "tested"


def test_a_daemon_that_was_refused_listens_when_it_is_accepted(running):
    """The thread that receives messages used to end at the first refusal, and nothing started it again."""
    state, url = running
    (state / "etc").mkdir()
    (state / "etc" / "pileus.conf").write_text(f"[DEFAULT]\ntransport_url = {url.replace(broker.USER, 'late')}\n")
    own = conf.load("compute", {}, str(state))
    server = rpc.server(own, Interface, "h", type("Manager", (), {})())
    starting = threading.Thread(target=server.start, daemon=True)
    starting.start()
    starting.join(5)
    assert starting.is_alive()
    for words in (("add_user", "late", "secret"), ("set_permissions", "late", ".*", ".*", ".*")):
        subprocess.run(["setpriv", "--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups", "/usr/lib/rabbitmq/bin/rabbitmqctl",
                        *words], env={**os.environ, **broker._environment(state / "rabbitmq", PORT)}, check=True, cwd=state,
                       capture_output=True, timeout=120)
    starting.join(60)
    assert not starting.is_alive() and server.listener is not None
    server.stop()
