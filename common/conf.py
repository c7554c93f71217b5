"""Configuration: one ConfigOpts object per daemon, passed as an argument.

Files are read in this order, later ones take precedence: ``etc/pileus.conf`` and ``etc/<service>.conf`` (both shipped), the same
two names in ``<state>/etc`` (written by the installer, with the secrets), then the operator's
``<state>/etc/<service>.conf.d/*.conf``, which no installer changes.
"""

import os
import pathlib
import re
import socket
import sys

from oslo_config import cfg

_NO_NUMBER = re.compile(r"invalid literal for int\(\) with base 10: (.*)")


class ConfigError(ValueError):
    """A configuration file cannot be used; the text names the file, the option and what is wrong."""


COMMON_OPTS = [
    cfg.StrOpt("state_path", default="/var/lib/pileus", help="State directory of this host."),
    cfg.StrOpt("host", default=socket.gethostname(), help="Name of this host; unique in the cloud."),
    cfg.StrOpt("cloud_id", default="", help="Id of this cloud, by which agents recognise its guests; generated at installation."),
    cfg.StrOpt("region", default="RegionOne", help="Region of this cloud's endpoints."),
    cfg.StrOpt("my_ip", default="127.0.0.1", help="Address at which other hosts reach this one."),
    cfg.StrOpt("bind_host", default="127.0.0.1", help="Address on which the API listens; installers set the management address."),
    cfg.PortOpt("bind_port", default=0, help="Port on which the API listens."),
    cfg.IntOpt("workers", default=1, min=1, max=64, help="Number of processes per API; each uses about 20 MB."),
    cfg.IntOpt("report_interval", default=20, min=1, max=3600, help="Seconds between heartbeats of an agent."),
    cfg.IntOpt("service_down_time", default=60, min=3, max=36000,
               help="Seconds without a heartbeat after which a service counts as down; "
                    "must exceed report_interval, or hosts flap."),
    cfg.BoolOpt("debug", default=False, mutable=True, help="Log at DEBUG."),
    cfg.ListOpt("default_log_levels", mutable=True, default=[
        *(f"{name}=WARNING" for name in ("amqp", "oslo.messaging", "oslo_messaging", "urllib3", "alembic", "sqlalchemy",
                                         "stevedore", "oslo_policy", "pyroute2", "futurist", "routes")),
        # See common.log.Outages.
        "oslo.messaging._drivers.impl_rabbit=INFO"],
        help="Log levels, as logger=LEVEL; reloaded when a configuration file changes. "
             "Requests are logged by the logger access."),
    cfg.StrOpt("log_file", default="", help="File to log to; empty: standard error."),
    cfg.IntOpt("max_body_bytes", default=1 << 20, min=1024, help="Largest JSON request body, bytes."),
]
DATABASE_OPTS = [
    cfg.StrOpt("connection", default="", secret=True, help="SQLAlchemy URL of this service's database."),
    cfg.IntOpt("pool_size", default=20, min=1, max=200, help="Pooled connections per process."),
]
SERVICE_AUTH_OPTS = [
    cfg.StrOpt("auth_url", default="http://127.0.0.1:5000/v3", help="Identity endpoint."),
    cfg.StrOpt("username", default="", help="User name of this service; it needs only the role service on its project."),
    cfg.StrOpt("password", default="", secret=True, help="Password of the service user."),
    cfg.StrOpt("project", default="service", help="Project of the service user."),
    cfg.IntOpt("max_silence", default=10, min=2, max=3600,
               help="Seconds without an answer from identity after which tokens are refused with 503: "
                    "a service that cannot learn of revocations must not trust tokens."),
]
UPGRADE_OPTS = [
    cfg.StrOpt(name, default="auto",
               help=f"Version of the interface of {of} that this daemon sends at most, while hosts are upgraded. auto: what all "
                    "that run understand. Too high a version lets those of older releases refuse work.")
    for name, of in (("compute", "compute agents"), ("conductor", "conductors"), ("scheduler", "schedulers"),
                     ("network", "network-api"), ("network_agent", "network agents"), ("volume", "volume agents"),
                     ("volume_scheduler", "volume schedulers"))]
ENDPOINT_OPTS = [
    cfg.StrOpt("identity", default="http://127.0.0.1:5000", help="Identity, as services call it."),
    cfg.StrOpt("image", default="http://127.0.0.1:9292", help="Image, as services call it."),
    cfg.StrOpt("compute", default="http://127.0.0.1:8774", help="Compute, as services call it."),
    cfg.StrOpt("network", default="http://127.0.0.1:9696", help="Network, as services call it."),
    cfg.StrOpt("volume", default="http://127.0.0.1:8776", help="Volume, as services call it."),
    cfg.StrOpt("metadata", default="http://127.0.0.1:8775", help="Metadata, as network agents call it."),
]


def etc_dir() -> pathlib.Path:
    """Directory of the shipped configuration: the clone's, else the installed package's."""
    clone = pathlib.Path(__file__).resolve().parent.parent / "etc"
    if (clone / "pileus.conf").exists():
        return clone
    return pathlib.Path(sys.prefix) / "share" / "pileus" / "etc"


def files(service: str, state: str) -> list[pathlib.Path]:
    """The configuration files of a service, in order of increasing precedence."""
    own = pathlib.Path(state) / "etc"
    found = [directory / name for directory in (etc_dir(), own) for name in ("pileus.conf", f"{service}.conf")]
    return [f for f in found if f.exists()] + sorted((own / f"{service}.conf.d").glob("*.conf"))


def load(service: str, opts: dict, state: str | None = None, overrides: dict | None = None):
    """Read the configuration of one service.

    :param opts: {group name: [oslo.config options]} of the service
    :param state: state directory; default $PILEUS_STATE or /var/lib/pileus
    :param overrides: {"group.option" or "option": value}, which take precedence over files
    :returns: a new ConfigOpts, never the global one
    :raises ConfigError: a file cannot be read, or an option has a value that it cannot have
    """
    state = state or os.environ.get("PILEUS_STATE", "/var/lib/pileus")
    conf = cfg.ConfigOpts()
    conf.register_opts(COMMON_OPTS)
    conf.register_opts(DATABASE_OPTS, group="database")
    conf.register_opts(SERVICE_AUTH_OPTS, group="service_auth")
    conf.register_opts(ENDPOINT_OPTS, group="endpoints")
    conf.register_opts(UPGRADE_OPTS, group="upgrade_levels")
    for group, group_opts in opts.items():
        conf.register_opts(group_opts, group=None if group == "DEFAULT" else group)
    _read(conf, service, files(service, state))
    conf.set_override("state_path", state)
    for name, value in (overrides or {}).items():
        group, _, option = name.rpartition(".")
        conf.set_override(option, value, group=group or None)
    return conf


def _read(conf: cfg.ConfigOpts, service: str, paths: list[pathlib.Path]) -> None:
    try:
        conf([], project="pileus", prog=service, default_config_files=[str(path) for path in paths])
    except cfg.ConfigFileParseError as error:
        cause = error.__context__
        where, what = (f":{cause.lineno}", cause.msg) if isinstance(cause, cfg.ParseError) else ("", error.msg)
        raise ConfigError(f"{error.config_file}{where}: {what}") from None
    except cfg.ConfigFilesPermissionDeniedError as error:
        raise ConfigError(f"no permission to read {', '.join(error.config_files)}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{next(filter(_is_binary, paths))}: this is not text in UTF-8") from None
    # Each option is read now. Otherwise a wrong value would be an error when the option is first used.
    for group, options in [("DEFAULT", conf._opts), *((name, found._opts) for name, found in conf._groups.items())]:
        for name in options:
            try:
                conf[name] if group == "DEFAULT" else conf[group][name]  # noqa: B018
            except cfg.ConfigSourceValueError as error:
                what = _NO_NUMBER.sub(r"\1 is not a whole number", str(error).partition("is not valid: ")[2])
            except (cfg.NoSuchOptError, cfg.TemplateSubstitutionError):
                what = "its value has a dollar sign; write it as $$"
            else:
                continue
            with_it = [path for path in paths if name in settings(path).get(group, {})]
            raise ConfigError(f"{with_it[-1] if with_it else 'the environment'}: [{group}] {name}: {what}")


def _is_binary(path: pathlib.Path) -> bool:
    try:
        path.read_text()
    except UnicodeDecodeError:
        return True
    return False


def settings(path: pathlib.Path) -> dict[str, dict[str, list[str]]]:
    """{section: {option: values}} of a file that ``load`` can read."""
    found: dict[str, dict[str, list[str]]] = {}
    cfg.ConfigParser(str(path), found).parse()
    return found


def add_group(conf, group: str, opts: list) -> None:
    """Register an option group whose name comes from the configuration.

    :raises ConfigError: an option or group of this name exists already
    """
    if group in conf:
        raise ConfigError(f"{group!r} is already the name of another option or group")
    conf.register_opts(opts, group=group)
