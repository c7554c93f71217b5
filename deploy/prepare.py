"""The preparation of a cloud before its first daemon starts: configuration, databases, first rows. Repeatable."""

import configparser
import fcntl
import os
import pathlib
import secrets

from common import conf, db, migrate
from common.service import default_url
from deploy.daemons import DATABASES, METRICS_PORT, PORTS

CONFIGS = ("identity", "image", "network", "volume", "compute", "compute-agent", "console", "dashboard", "exporter")
# One user per service, and the configuration files of its daemons.
SERVICE_USERS = {"nova": ("compute", "compute-agent"), "neutron": ("network",), "cinder": ("volume",), "glance": ("image",)}
DATABASE_OF = {"console": "compute"}  # configuration file: the database of its daemon
SECRETS = ("cloud_id", "admin_password", "bus_password", *(f"{name}_password" for name in SERVICE_USERS), "metadata_secret",
           "dashboard_secret")


def ensure_secrets(state: str) -> dict:
    """{name: value} of SECRETS, created once, even by concurrent callers."""
    etc = pathlib.Path(state) / "etc"
    etc.mkdir(parents=True, exist_ok=True, mode=0o700)
    known = configparser.ConfigParser(interpolation=None)
    lock = os.open(etc, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known.read(etc / "secrets.ini")
        missing = [n for n in SECRETS if not known.has_option("secrets", n)]
        if missing:
            known.read_dict({"secrets": {name: secrets.token_hex(32 if name == "dashboard_secret" else 16)
                                         for name in missing}})
            save(known, etc / "secrets.ini")
    finally:
        os.close(lock)
    return dict(known["secrets"])


def write_config(state: str, *, transport_url: str, host: str, my_ip: str, offset: int = 0, database: str = "",
                 driver: str = "libvirt", metrics_ip: str = "127.0.0.1", extra: dict | None = None) -> dict:
    """Write ``<state>/etc/*.conf``; secrets that exist are kept.

    :param database: an SQLAlchemy URL up to the database's name, or empty for SQLite
    :param offset: added to every port
    :param metrics_ip: where /metrics is served
    :param extra: {file: {section: {option: value}}}
    :returns: as ensure_secrets
    """
    found, etc = ensure_secrets(state), pathlib.Path(state) / "etc"
    ports = {name: port + offset for name, port in PORTS.items()}
    files: dict = {"pileus": {
        "DEFAULT": {"host": host, "my_ip": my_ip, "bind_host": my_ip, "cloud_id": found["cloud_id"],
                    "transport_url": transport_url},
        "service_auth": {"auth_url": f"http://{my_ip}:{ports['identity']}/v3"},
        "endpoints": {name: f"http://{my_ip}:{port}" for name, port in ports.items()
                      if name not in ("console", "dashboard", "identity-admin", "placement")}}}
    for name in CONFIGS:
        section = files.setdefault(name, {})
        if name in ports:
            section["DEFAULT"] = {"bind_port": str(ports[name])}
        if database and DATABASE_OF.get(name, name) in DATABASES:
            section["database"] = {"connection": f"{database}/pileus_{DATABASE_OF.get(name, name)}"}
    for user, names in SERVICE_USERS.items():
        for name in names:
            files[name]["service_auth"] = {"username": user, "password": found[f"{user}_password"]}
    files["compute"]["compute"] = {"metadata_secret": found["metadata_secret"],
                                   "metadata_port": str(ports["metadata"]), "placement_port": str(ports["placement"])}
    files["compute"]["console"] = {"base_url": f"http://{my_ip}:{ports['console']}"}
    files["identity"]["identity"] = {"admin_port": str(ports["identity-admin"])}
    files["dashboard"]["dashboard"] = {"secret": found["dashboard_secret"]}
    files["exporter"]["metrics"] = {"bind_host": metrics_ip, "port": str(METRICS_PORT + offset)}
    files["network"]["network"] = {"metadata_secret": found["metadata_secret"]}
    if driver == "fake":
        files["network"]["network"]["driver"] = "fake"
        files["volume"]["volume"] = {"driver": "fake"}
        files["compute-agent"]["agent"] = {"virt_driver": "fake"}
    for name, sections in (extra or {}).items():
        for section, options in sections.items():
            files.setdefault(name, {}).setdefault(section, {}).update(options)
    for name, sections in files.items():
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_dict(sections)
        save(parser, etc / f"{name}.conf")
    return found


def save(parser: configparser.ConfigParser, path: pathlib.Path) -> None:
    """Write a file that only its owner can read; concurrent readers get the old content."""
    partial = path.with_suffix(f".{os.getpid()}")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        parser.write(out)
    os.replace(partial, path)  # a daemon or a second `up` must never read an incomplete file


def sync_databases(state: str) -> None:
    for name, package in DATABASES.items():
        loaded = conf.load(name, {}, state)
        url = loaded.database.connection or default_url(state, name)
        migrate.sync(package, url)
        if name == "image":
            from image import catalog  # imported late: no other command needs it
            database = db.Database("image-catalog", url)
            catalog.load_standard(database)
            database.engine.dispose()


def first_rows(state: str, found: dict, public_host: str, offset: int = 0, before: tuple[str, int] = ("", 0)) -> None:
    """The admin, the catalog, flavors, the default volume type.

    :param before: the address and the offset of the previous catalog; unchanged endpoints are updated
    """
    from conductor.db import flavors
    from conductor.service import Conductor
    from identity.cli import bootstrap
    from identity.service import IdentityApi
    from volume.cli import default_type
    from volume.service import VolumeScheduler
    users = {name: found[f"{name}_password"] for name in SERVICE_USERS}
    bootstrap(IdentityApi.load(state), found["admin_password"], users, public_host, "RegionOne", offset, before)
    conductor = Conductor.load(state)
    with conductor.db.writer() as connection:
        flavors.ensure_standard(connection)
    default_type(VolumeScheduler.load(state))


def write_openrc(state: str, found: dict, public_host: str, offset: int = 0) -> pathlib.Path:
    path = pathlib.Path(state) / "openrc"
    values = {"OS_AUTH_URL": f"http://{public_host}:{PORTS['identity'] + offset}/v3", "OS_USERNAME": "admin",
              "OS_PASSWORD": found["admin_password"], "OS_PROJECT_NAME": "admin", "OS_USER_DOMAIN_NAME": "Default",
              "OS_PROJECT_DOMAIN_NAME": "Default", "OS_REGION_NAME": "RegionOne", "OS_IDENTITY_API_VERSION": "3"}
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write("".join(f"export {k}={v}\n" for k, v in values.items()))
    return path
