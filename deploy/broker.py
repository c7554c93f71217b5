"""RabbitMQ for a cloud: an account of its own, and only AMQP reachable, at the management address.

Erlang's name service (epmd) and the port between Erlang nodes listen on the loopback address. With systemd, the
broker is Debian's service; otherwise it is started here, with a home directory that only its user can read. The
password is on no command line, and in the broker's files only as a hash.
"""

import base64
import hashlib
import json
import os
import pathlib
import secrets
import shutil
import signal
import subprocess
import time

from common.periodic import wait_for
from deploy import ports
from deploy.host import HostError, answers, kill_by_text, run, systemd

USER = "pileus-bus"
PORT = 5672
START_S = 180  # on a busy host, Erlang takes more than a minute
LOOPBACK = "127.0.0.1"
ERLANG = {"ERL_EPMD_ADDRESS": LOOPBACK,
          # Small: two schedulers, and no busy waiting, because messages are few.
          "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none "
                                                 "-kernel inet_dist_use_interface {127,0,0,1}"}
UNITS = {  # additional files for systemd's services
    "epmd.socket.d": "[Socket]\nListenStream=\nListenStream=127.0.0.1:4369\n",
    "rabbitmq-server.service.d": "[Service]\n" + "".join(f'Environment="{k}={v}"\n' for k, v in ERLANG.items())}


def transport_url(password: str, ip: str = LOOPBACK, port: int = PORT) -> str:
    return f"rabbit://{USER}:{password}@{ip}:{port}/"


def ensure_broker(state: str, password: str, port: int = PORT, ip: str = LOOPBACK) -> str:
    """Ensure that RabbitMQ listens at ``ip`` with the cloud's account; returns its transport URL.

    :raises HostError: another program has the port, or RabbitMQ cannot start
    """
    url = transport_url(password, ip, port)
    if systemd():
        _by_systemd(password, port, ip)
        return url
    home = pathlib.Path(state) / "rabbitmq"
    if home.exists() and not (home / "definitions.json").exists():
        stop_broker(state)  # created before the cloud had an account of its own; its messages are no longer needed
        shutil.rmtree(home)
    if answers(port, ip):
        if not _runs(home):
            raise HostError(f"Port {port} (RabbitMQ) is used by {ports.owner(port)}. Stop this program, then run this again.")
        return url
    starting = None
    if not (_runs(home) and listeners(ip, port) in (home / "rabbitmq.conf").read_text()):
        stop_broker(state)  # it listens elsewhere
        # It may listen at all addresses. It cannot be stopped while another node is registered.
        run("epmd", "-kill", check=False)
        _write_home(home, password, port, ip)
        starting = _start(home, port)

    def listens():
        if starting and starting.poll() is not None:
            raise HostError("\n".join(["RabbitMQ ended when it was started:", *_last_lines(home / "start.log")]))
        return answers(port, ip)
    wait_for(listens, START_S, what=f"RabbitMQ, which is still starting (see {home}/start.log)")
    return url


def _last_lines(log: pathlib.Path) -> list[str]:
    return [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-5:]


def _runs(home: pathlib.Path) -> bool:
    """Whether an earlier call started a broker that has not ended, although it may not listen yet."""
    return kill_by_text(f"-home {home} ", 0) > 0


def _start(home: pathlib.Path, port: int) -> subprocess.Popen:
    log = os.open(home / "start.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    started = subprocess.Popen(
        ["setpriv", "--reuid=rabbitmq", "--regid=rabbitmq", "--clear-groups", "/usr/lib/rabbitmq/bin/rabbitmq-server"],
        env={**os.environ, **_environment(home, port)}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        cwd=home, umask=0o077)
    os.close(log)
    return started


def _environment(home: pathlib.Path, port: int) -> dict[str, str]:
    return {**ERLANG, "RABBITMQ_NODENAME": f"pileus{port}@localhost", "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq",
            "RABBITMQ_MNESIA_BASE": str(home), "RABBITMQ_LOG_BASE": str(home), "HOME": str(home),
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins", "RABBITMQ_DIST_PORT": str(port + 20000),
            "RABBITMQ_PID_FILE": f"{home}/pileus.pid"}


def _write_home(home: pathlib.Path, password: str, port: int, ip: str) -> None:
    home.mkdir(exist_ok=True, mode=0o700)
    home.chmod(0o700)
    files = {"rabbitmq.conf": listeners(ip, port) + f"load_definitions = {home}/definitions.json\nlog.file = {home}/broker.log\n",
             "enabled_plugins": "[].\n", "definitions.json": json.dumps(definitions(password))}
    for name, text in files.items():
        with open(os.open(home / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(text)
    for path in (home, *(home / name for name in files)):
        shutil.chown(path, "rabbitmq", "rabbitmq")


def listeners(ip: str, port: int) -> str:
    return f"listeners.tcp.1 = {ip}:{port}\n"


def definitions(password: str) -> dict:
    """The definitions that RabbitMQ loads at each start: only the cloud's account, with a salted hash of its password."""
    salt = secrets.token_bytes(4)
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    return {"vhosts": [{"name": "/"}],
            "users": [{"name": USER, "password_hash": hashed, "tags": "",
                       "hashing_algorithm": "rabbit_password_hashing_sha256"}],
            "permissions": [{"user": USER, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]}


def _system_files(port: int, ip: str) -> dict[pathlib.Path, str]:
    """{path: text} of additional files for Debian's service."""
    return {**{pathlib.Path("/etc/systemd/system") / unit / "pileus.conf": text for unit, text in UNITS.items()},
            pathlib.Path("/etc/rabbitmq/conf.d/90-pileus.conf"): listeners(ip, port)}


def _by_systemd(password: str, port: int, ip: str) -> None:
    wanted = _system_files(port, ip)
    changed = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o755)
        path.write_text(wanted[path])
        path.chmod(0o644)  # it contains no secret, and the broker's user must read it
    if changed:
        run("systemctl", "daemon-reload")
        run("systemctl", "stop", "rabbitmq-server", check=False)
        run("systemctl", "stop", "epmd.service", check=False)
        run("systemctl", "try-restart", "epmd.socket", check=False)
    if not answers(port, ip):
        run("systemctl", "start", "rabbitmq-server")
        wait_for(lambda: answers(port, ip), 60, what="RabbitMQ")
    # The password is passed through standard input, because everybody can read command lines.
    known = [line.split()[0] for line in run("rabbitmqctl", "-q", "list_users").stdout.splitlines() if line.strip()]
    run("rabbitmqctl", "-q", "change_password" if USER in known else "add_user", USER, input=f"{password}\n")
    run("rabbitmqctl", "-q", "set_permissions", USER, ".*", ".*", ".*")
    if "pileus" in known:  # the account of earlier releases
        run("rabbitmqctl", "-q", "delete_user", "pileus")


def stop_broker(state: str) -> None:
    """Stop the broker that ensure_broker started, and wait until it has ended; with systemd, remove the cloud's
    account and files."""
    if systemd():
        run("rabbitmqctl", "-q", "delete_user", USER, check=False)
        for path in _system_files(PORT, LOOPBACK):
            path.unlink(missing_ok=True)
        run("systemctl", "daemon-reload")
        return
    for sig in (signal.SIGTERM, signal.SIGKILL):
        if not kill_by_text(f"{state}/rabbitmq", sig):
            return
        for _ in range(100):
            if not kill_by_text(f"{state}/rabbitmq", 0):
                run("epmd", "-kill", check=False)  # fails while another Erlang node of this host is registered
                return
            time.sleep(0.1)
