"""``pileus up --driver fake`` and ``pileus down``: whose state they touch, and what they say when they must not."""

import argparse
import configparser
import errno
import json
import os
import pathlib
import shutil
import socket
import sqlite3
import subprocess
import sys
import types

import pytest

from common import conf
from common.periodic import wait_for
from compute_agent import conf as agent_conf
from deploy import cli, down, options, ports, prepare, statedir, supervisor, up
from tests.conftest import FakeCloud

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pileus(*words: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-W", "ignore", "-m", "deploy.cli", *words], cwd=ROOT, capture_output=True, text=True,
                          timeout=180, stdin=subprocess.DEVNULL, **more)


def no_cloud(state) -> str:
    return f"There is no cloud in {state}. Name the directory of one with --state, or start one with pileus up."


def files(state) -> dict:
    return {p: p.stat().st_mtime_ns for p in pathlib.Path(state).rglob("*") if p.is_file() and p.parent.name in ("etc", "lock")}


@pytest.fixture
def running(cloud):
    return cloud


def test_the_state_of_a_fake_cloud_is_in_the_home_directory_of_its_user(monkeypatch):
    asked = []
    monkeypatch.delenv("PILEUS_STATE", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/ann/state")
    # In place of the module: importing it patches the whole process for eventlet.
    monkeypatch.setitem(sys.modules, "deploy.local", types.SimpleNamespace(main=lambda words: asked.append(words) or 0))
    cli.main(["up", "--driver", "fake", "--port-offset", "0", "--quiet", "--set", "a.b.c=1", "--set", "a.b.d=2"])
    cli.main(["up", "--driver", "fake", "--state", "/tmp/x"])
    assert asked == [["--state", "/home/ann/state/pileus-fake", "--port-offset", "0", "--set", "a.b.c=1", "--set", "a.b.d=2",
                      "--quiet"], ["--state", "/tmp/x"]]


def test_options_of_the_other_driver_are_refused(capsys):
    for words in (["up", "--port-offset", "5"], ["up", "--driver", "fake", "--hosts", "2"]):
        with pytest.raises(SystemExit):
            cli.main(words)
        assert "cannot be used with --driver" in capsys.readouterr().err


@pytest.mark.parametrize("offset", ("-1", "70000", "five"))
def test_ports_that_do_not_exist_are_refused(offset, capsys):
    with pytest.raises(SystemExit):
        cli.main(["up", "--driver", "fake", f"--port-offset={offset}"])
    assert f"'{offset}' is not a number from 0 to 30178" in capsys.readouterr().err


def test_help_and_version():
    said = pileus("up", "--help").stdout
    assert all(o in said for o in ("--port-offset", "--set", "--quiet", "--hosts", "--database", "--ip", "--state"))
    assert pileus("--version").stdout.startswith("pileus ")


def test_up_and_down_act_on_the_state_that_was_named(monkeypatch):
    called = []
    monkeypatch.setattr(subprocess, "call", lambda words, env: called.append((words, env["PILEUS_STATE"])) or 0)
    monkeypatch.setattr(down, "main", lambda words: called.append(words) or 0)
    cli.main(["up", "--state", "/srv/one", "--hosts", "2"])
    cli.main(["down", "--state", "/srv/one", "--yes"])
    assert called == [([f"{ROOT}/deploy/up", "--hosts", "2"], "/srv/one"), ["--state", "/srv/one", "--yes"]]


def test_a_running_state_cannot_be_started_again(running):
    before = files(running.state)
    done = pileus("up", "--driver", "fake", "--state", running.state, "--port-offset", "37")
    assert done.returncode == 1 and f"is in use by pid {running.process.pid} (" in done.stderr
    assert files(running.state) == before


def test_a_taken_port_is_named_before_anything_is_written(running, tmp_path):
    state = tmp_path / "second"
    done = pileus("up", "--driver", "fake", "--state", str(state), "--port-offset", str(running.offset))
    assert done.returncode == 1
    assert done.stderr.count(f"used by pid {running.process.pid} (") == 1, "one line for all ports of a program"
    assert f"Ports {5000 + running.offset} (identity), " in done.stderr
    assert f"{8080 + running.offset} (dashboard)" in done.stderr
    assert [p.name for p in state.iterdir()] == ["lock"]


def test_status_is_of_the_cloud_that_was_named(running, tmp_path):
    done = pileus("status", "--state", running.state)
    assert done.returncode == 0, done.stdout
    assert f"pid {running.process.pid} " in done.stdout and "all hosts are up, nothing is stuck" in done.stdout
    assert pileus("status", "--state", str(tmp_path / "none")).stdout == f"pileus status: {no_cloud(tmp_path / 'none')}\n"


def test_what_programs_read(running, tmp_path):
    done = pileus("status", "--json", "--state", running.state)
    found = json.loads(done.stdout)
    assert done.returncode == 0 and found["ok"] is True and found["stuck"] == [] == found["hosts"]
    assert found["daemons"]["pileus"]["pid"] == running.process.pid
    done = pileus("status", "--json", "--state", str(tmp_path / "none"))
    assert done.returncode == 1 and json.loads(done.stdout) == {"ok": False, "error": no_cloud(tmp_path / "none")}
    asked = running.client.pool.request("GET", running.client.url("volume") + "/volumes",
                                        headers={"X-Auth-Token": running.client.token})
    request_id = asked.headers["X-Openstack-Request-Id"]
    done = pileus("trace", "--json", request_id, "--state", running.state)
    (step,) = json.loads(done.stdout)
    assert done.returncode == 0 and step["where"] == "pileus" and "/volumes: 200" in step["text"]


@pytest.mark.parametrize(("shell", "word"), [("bash", "-F _shtab_pileus pileus"), ("zsh", "#compdef pileus")])
def test_completion(shell, word):
    done = pileus("completion", shell)
    assert done.returncode == 0 and word in done.stdout and "--repair" in done.stdout
    scripts = [done.stdout]
    for command, words in (("image-manage", "--owner"), ("identity-manage", "rotate-keys")):
        done = pileus("completion", shell, "--of", command)
        assert done.returncode == 0 and command in done.stdout and words in done.stdout
        scripts.append(done.stdout)
    if shutil.which(shell):
        for script in scripts:
            subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A second cloud, for what stops it. In order: the last test takes it away."""
    made = FakeCloud(tmp_path_factory.mktemp("other") / "state", forked=False).start()
    yield made
    made.stop()


def test_another_offset_moves_the_catalog(other):
    catalog = {e["id"]: e for e in other.client.call("identity", "GET", "/endpoints")["endpoints"]}
    own = next(e for e in catalog.values() if f":{9292 + other.offset}" in e["url"])
    other.client.call("identity", "PATCH", f"/endpoints/{own['id']}", {"endpoint": {"url": "https://images.example/"}})
    other.stop()
    _status_of_one_that_does_not_run(other.state)
    other.offset += 25
    other.start()
    urls = [e["url"] for e in other.client.call("identity", "GET", "/endpoints")["endpoints"]]
    assert sorted(urls) == sorted("https://images.example/" if e is own else e["url"].replace(
        f":{port}", f":{port + 25}") for e in catalog.values() for port in [int(e["url"].split(":")[2].split("/")[0])])


def _status_of_one_that_does_not_run(state: str) -> None:
    with sqlite3.connect(f"{state}/db/compute.sqlite") as database:
        database.execute("UPDATE instances SET task_state = 'rebooting', updated_at = '2020-01-01 00:00:00.000000'")
    done = pileus("status", "--state", state)
    assert done.returncode == 1 and "DOWN" in done.stdout and "does not respond" in done.stdout
    assert '"first": active/rebooting on fake-host since 2020-01-01 00:00:00: the cloud is not running' in done.stdout


def test_down_asks_and_removes_one_cloud(running, other):
    refused = pileus("down", "--state", other.state)
    assert refused.returncode == 2 and "--yes" in refused.stderr and pathlib.Path(other.state, "etc").exists()
    assert pileus("down", "--state", other.state, "--yes").returncode == 0
    assert not pathlib.Path(other.state).exists() and other.process.wait(10) == 0
    running.client.call("compute", "GET", "/servers")


def test_down_removes_only_clouds(tmp_path):
    (tmp_path / "precious").write_text("x")
    done = pileus("down", "--state", str(tmp_path), "--yes")
    assert done.returncode == 1 and f"There is no cloud in {tmp_path}" in done.stderr
    assert (tmp_path / "precious").exists()
    done = pileus("up", "--driver", "fake", "--state", str(tmp_path))
    assert done.returncode == 1 and "is not empty" in done.stderr
    assert not (tmp_path / "etc").exists()


def test_a_cloud_of_the_other_kind_is_not_overwritten(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "secrets.ini").write_text("[secrets]\n")
    statedir.save(str(tmp_path), statedir.Choices(driver=statedir.LIBVIRT))
    done = pileus("up", "--driver", "fake", "--state", str(tmp_path))
    assert done.returncode == 1 and "contains a cloud with the driver libvirt" in done.stderr
    assert not (tmp_path / "etc" / "pileus.conf").exists()


def test_choices_are_remembered(tmp_path):
    made = statedir.Choices(ip="172.31.250.1", database="mysql+pymysql://u:p%40@h", image="/x y.img",
                            lab_hosts=["node2", "node3"])
    statedir.save(str(tmp_path), made)
    assert statedir.load(str(tmp_path)) == made
    assert (tmp_path / "etc" / statedir.CHOICES).stat().st_mode & 0o777 == 0o600


def test_up_needs_no_option_twice(tmp_path, monkeypatch):
    """What a lab of hosts was made with holds when ``deploy/up`` runs again: after a power cut nobody knows it."""
    def asked(*words: str):
        parser = argparse.ArgumentParser()
        options.host_options(parser)
        return up.choose(str(tmp_path), parser.parse_args(words))
    assert asked().ip == "127.0.0.1" and asked().lab_hosts == []
    made = asked("--hosts", "3", "--database", "mysql+pymysql://u:p@h", "--image", "/x.img", "--virt-type", "lxc")
    assert (made.ip, made.lab_hosts, made.virt_type) == (up.lab.ADDRESS, ["node2", "node3"], "lxc")
    statedir.save(str(tmp_path), made)
    assert asked() == made
    monkeypatch.setattr(up.supervisor, "running_pid", lambda state: 1)
    assert asked() == made
    with pytest.raises(up.host.HostError, match="--virt-type lxc; that cannot be changed"):
        asked("--virt-type", "auto")


def test_a_host_of_the_lab_keeps_what_its_servers_are(tmp_path, monkeypatch):
    checked = []
    monkeypatch.setattr(up.hypervisor, "state_of", checked.append)
    prepare.write_config(str(tmp_path), transport_url="fake://", host="h", my_ip=up.lab.ADDRESS)
    home = tmp_path / "lab" / "n"
    home.mkdir(parents=True)
    for given, kept in (("", "auto"), ("lxc", "lxc"), ("", "lxc"), ("auto", "auto")):
        up.lab._configure(str(tmp_path), home, "n", "172.31.250.2", given)
        known = configparser.ConfigParser()
        known.read(home / "etc" / "compute-agent.conf")
        assert known["libvirt"]["virt_type"] == kept == checked[-1] and known["service_auth"]["username"] == "nova"


def test_containers_need_a_driver_of_libvirt(tmp_path, monkeypatch):
    monkeypatch.setattr(up.hypervisor, "LXC", tmp_path / "libvirt_lxc")
    with pytest.raises(up.host.HostError, match="install libvirt-daemon-driver-lxc"):
        up.hypervisor.state_of("lxc")
    up.hypervisor.LXC.touch()
    assert "containers" in up.hypervisor.state_of("lxc") and "containers" not in up.hypervisor.state_of("auto")


def test_down_unmounts_disks_of_containers_alone(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(up.host, "run", lambda *words, **more: asked.append(words[-1]))
    mounts = f"/dev/loop0 {tmp_path}/instances/1/container/rootfs ext4 rw 0 0\n/dev/vda / ext4 rw 0 0\n"
    monkeypatch.setattr(up.host.pathlib.Path, "read_text", lambda path: mounts)
    up.host.unmount_disks(str(tmp_path))
    up.host.unmount_disks(f"{tmp_path}/inst")
    assert asked == [f"{tmp_path}/instances/1/container/rootfs"]


def test_the_address_of_metrics_is_chosen_apart(tmp_path):
    def asked(*words: str):
        parser = argparse.ArgumentParser()
        options.host_options(parser)
        return up.choose(str(tmp_path), parser.parse_args(words))
    assert asked("--ip", "192.0.2.1").metrics_ip == "127.0.0.1"
    for address, reason in (("192.0.2.1", "the address of the APIs"), ("0.0.0.0", "all addresses"),
                            ("172.24.4.9", "external network")):
        with pytest.raises(up.host.HostError, match=reason):
            asked("--ip", "192.0.2.1", "--metrics-ip", address)
    statedir.save(str(tmp_path), asked("--ip", "192.0.2.1", "--metrics-ip", "198.51.100.1"))
    assert asked().metrics_ip == "198.51.100.1"
    with pytest.raises(up.host.HostError, match="the address of the APIs"):  # also when the other of the two moves
        asked("--ip", "198.51.100.1")


def test_the_bridge_of_a_lab_is_there_before_what_listens_at_its_address(tmp_path, monkeypatch):
    order: list[str] = []
    for module, name in ((up.host, "claim"), (up.lab, "ensure_bridge"), (up.broker, "ensure_broker"),
                         (up.hypervisor, "ensure_libvirt"), (up.host, "ensure_tgtd"), (up.host, "ensure_external_bridge"),
                         (up.lab, "start")):
        monkeypatch.setattr(module, name, lambda *a, name=name, **k: order.append(name))
    prepare.write_config(str(tmp_path), transport_url="fake://", host="h", my_ip=up.lab.ADDRESS)
    statedir.save(str(tmp_path), statedir.Choices(ip=up.lab.ADDRESS, lab_hosts=["node2"]))
    up.runtime(str(tmp_path))
    assert order.index("ensure_bridge") < min(order.index("ensure_broker"), order.index("ensure_tgtd")) and order[-1] == "start"


def test_what_ran_before_a_power_cut_runs_again_by_default(tmp_path, monkeypatch):
    monkeypatch.setattr(up.prepare, "sync_databases", lambda state: None)
    monkeypatch.setattr(up.prepare, "first_rows", lambda *a, **k: None)
    up._configure(str(tmp_path), statedir.Choices(ip="127.0.0.1"), "fake://", print)
    assert conf.load("compute-agent", agent_conf.OPTS, str(tmp_path)).resume_guests_state_on_host_boot


@pytest.mark.parametrize(("number", "said"), [(errno.EACCES, "no permission for"), (errno.ENOSPC, "no space is left"),
                                              (errno.EADDRNOTAVAIL, "on no interface"), (errno.EROFS, "read-only")])
def test_a_failed_start_says_what_happened(number, said):
    text = ports.explain(OSError(number, os.strerror(number), "/some/where"))
    assert said in text and "a port is taken" not in text


def test_an_unwritable_state_is_no_taken_port(tmp_path):
    (tmp_path / "file").write_text("")
    done = pileus("up", "--driver", "fake", "--state", str(tmp_path / "file" / "state"))
    assert done.returncode == 1 and "not a directory" in done.stderr and "port" not in done.stderr


def test_ports_are_needed_once(monkeypatch):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        monkeypatch.setattr(ports, "PORTS", {"x": port})
        assert ports.conflicts("127.0.0.1") == [f"Port {port} (x) is used by {ports.describe(os.getpid())}."]
    assert ports.conflicts("127.0.0.1") == []
    assert options.STATE == "/var/lib/pileus"


@pytest.mark.parametrize(("has_host", "systemd", "stopped"), [(True, True, True), (False, True, False), (False, False, True)])
def test_down_leaves_the_broker_of_another_cloud(monkeypatch, has_host, systemd, stopped):
    """systemd's broker is one for the host; without systemd each cloud has its own."""
    calls = []
    monkeypatch.setattr(down.host, "has_host", lambda state: has_host)
    monkeypatch.setattr(down.host, "systemd", lambda: systemd)
    monkeypatch.setattr(down.broker, "stop_broker", calls.append)
    nothing = {down.host: ("remove_guests", "remove_targets", "remove_networks", "remove_external_bridge", "stop_target"),
               down.lab: ("remove_all",), down.supervisor: ("stop",), down.hypervisor: ("stop_started",)}
    for module, names in nothing.items():
        for name in names:
            monkeypatch.setattr(module, name, lambda *words: None)
    monkeypatch.setattr(down.lab, "remove_bridge", lambda: None)
    monkeypatch.setattr(down.host, "OWNER", pathlib.Path("/nonexistent/owner"))
    down.host_cloud("/srv/state")
    assert calls == (["/srv/state"] if stopped else [])


def test_a_state_may_be_a_symbolic_link(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    (real / "etc").mkdir(parents=True)
    link.symlink_to(real)
    statedir.save(str(link), statedir.Choices(driver=statedir.FAKE))
    named = subprocess.Popen([sys.executable, "-c", "input()", "supervise", "--state", str(link)], stdin=subprocess.PIPE)
    try:
        (real / "supervisor.pid").write_text(str(named.pid))
        wait_for(lambda: supervisor.running_pid(str(real)), 30, what="its command line, which the kernel sets late")
        assert supervisor.running_pid(str(real)) == supervisor.running_pid(str(link)) == named.pid
        assert supervisor.running_pid(str(tmp_path)) is None
    finally:
        named.communicate(b"\n")
    assert down.main(["--state", str(link), "--yes"]) == 0
    assert list(tmp_path.iterdir()) == []
