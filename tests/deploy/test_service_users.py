"""Who the services are to each other, and who may read their passwords."""

import configparser
import pathlib
import socket
import stat

import psutil
import pytest

from common import files
from common.periodic import wait_for
from deploy import prepare, statedir
from identity import cli
from identity.db import models
from tests.conftest import login_as, new_volume

USERS = tuple(prepare.SERVICE_USERS)


def _conf(state, name) -> configparser.ConfigParser:
    found = configparser.ConfigParser(interpolation=None)
    found.read(pathlib.Path(state, "etc", f"{name}.conf"))
    return found


@pytest.mark.parametrize("user", USERS)
def test_a_service_user_is_no_administrator(cloud, user):
    secrets = prepare.ensure_secrets(cloud.state)
    admin = cloud.client
    row = admin.find("identity", "users", user)
    held = admin.call("identity", "GET", f"/role_assignments?user.id={row['id']}&include_names=1&effective=1")["role_assignments"]
    assert [(a["role"]["name"], a["scope"]["project"]["name"]) for a in held] == [("service", "service")]
    client = login_as(cloud, user, secrets[f"{user}_password"], "service")
    for service, method, path, body in (
            ("identity", "POST", "/users", {"user": {"name": "x", "password": "y"}}),
            ("identity", "GET", "/users", None), ("identity", "POST", "/projects", {"project": {"name": "x"}}),
            ("compute", "GET", "/servers/detail?all_tenants=1", None), ("compute", "GET", "/os-hypervisors", None),
            ("compute", "POST", "/flavors", {"flavor": {"name": "x", "ram": 1, "vcpus": 1, "disk": 1}}),
            ("network", "PUT", f"/quotas/{admin.project_id}", {"quota": {"port": 1}}),
            ("network", "POST", "/networks", {"network": {}}),
            ("volume", "GET", "/os-services", None), ("image", "GET", "/tasks", None)):
        with pytest.raises(RuntimeError, match=": 403 "):
            client.call(service, method, path, body)


def test_every_service_has_a_password_of_its_own_and_no_other(cloud):
    secrets = prepare.ensure_secrets(cloud.state)
    passwords = {user: secrets[f"{user}_password"] for user in USERS}
    assert len({*passwords.values(), secrets["bus_password"], secrets["admin_password"]}) == len(USERS) + 2
    for path in pathlib.Path(cloud.state, "etc").glob("*.conf"):
        text = path.read_text()
        own = {u for u, names in prepare.SERVICE_USERS.items() if path.stem in names}
        assert {u for u, p in passwords.items() if p in text} == own, path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_user_that_all_services_shared_is_gone_after_an_upgrade(tmp_path):
    """Also its tokens. Other users of that name stay."""
    from identity.service import IdentityApi
    state = str(tmp_path)
    found = prepare.write_config(state, transport_url="fake://", host="h", my_ip="127.0.0.1", driver="fake")
    prepare.sync_databases(state)
    service = IdentityApi.load(state)
    users = {"pileus": "old", "operator": "own"}
    cli.bootstrap(service, found["admin_password"], users, "127.0.0.1", "RegionOne")
    prepare.first_rows(state, found, "127.0.0.1")
    with service.db.reader() as connection:
        names = {r.name for r in connection.execute(models.users.select())}
    assert names == {"admin", "operator", *USERS}


def test_a_cloud_listens_at_its_management_address_only(cloud):
    """The one in this process; tests/e2e looks at a real one."""
    assert cloud.process is not None
    listening = {c.laddr for c in psutil.Process(cloud.process.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert len(listening) >= 8 and {a.ip for a in listening} == {"127.0.0.1"}
    with socket.socket() as sock, pytest.raises(OSError):
        sock.settimeout(1)
        sock.connect(("127.0.0.2", 5000 + cloud.offset))


# What another user of the host may see of a state: directories to go through, never to list or read.
def test_nothing_in_a_state_is_readable_by_others(cloud):
    made = new_volume(cloud.client, "private")
    for path in [pathlib.Path(cloud.state), *pathlib.Path(cloud.state).rglob("*")]:
        if path.is_symlink() or not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_dir():
            assert mode & 0o066 == 0, f"{path} {mode:o}"
        else:
            assert mode & 0o077 == 0, f"{path} {mode:o}"
    cloud.client.call("volume", "DELETE", f"/volumes/{made}")
    wait_for(lambda: not cloud.client.find("volume", "volumes", "private", "/volumes/detail"), 20, what="the volume to go")


def test_files_of_an_older_state_are_closed(tmp_path):
    for name, mode in (("db/identity.sqlite", 0o644), ("log/x.log", 0o640), ("instances/u/disk", 0o644),
                       ("venv/bin/python", 0o755), ("images/sub/x", 0o666), ("etc/run", 0o755),
                       ("lab/n/cache/x", 0o644), ("lab/n/cachet/x", 0o644)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o755)
        path.write_text("")
        path.chmod(mode)
    files.restrict_access(tmp_path, traversable=("instances", "lab"), skip=("venv", "lab/*/cache"))
    modes = {str(p.relative_to(tmp_path)): stat.S_IMODE(p.stat().st_mode) for p in [tmp_path, *tmp_path.rglob("*")]}
    assert modes == {".": 0o711, "db": 0o700, "db/identity.sqlite": 0o600, "log": 0o700, "log/x.log": 0o600, "instances": 0o711,
                     "instances/u": 0o711, "instances/u/disk": 0o600, "images": 0o700, "images/sub": 0o700, "images/sub/x": 0o600,
                     "venv": modes["venv"], "venv/bin": 0o755, "venv/bin/python": 0o755, "etc": 0o700, "etc/run": 0o700,
                     "lab": 0o711, "lab/n": 0o711, "lab/n/cache": 0o755, "lab/n/cache/x": 0o644, "lab/n/cachet": 0o711,
                     "lab/n/cachet/x": 0o600}


def test_an_older_state_says_that_it_is(tmp_path):
    assert statedir.load(str(tmp_path)).layout == statedir.LAYOUT
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "pileus.conf").write_text("[DEFAULT]\nmy_ip = 172.31.250.1\ntransport_url = rabbit://x\n")
    old = statedir.load(str(tmp_path))
    assert (old.layout, old.ip, old.driver) == (0, "172.31.250.1", statedir.LIBVIRT)
    statedir.save(str(tmp_path), statedir.Choices())
    assert statedir.load(str(tmp_path)).layout == statedir.LAYOUT
