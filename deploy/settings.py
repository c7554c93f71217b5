"""Settings on a command line, ``FILE.SECTION.OPTION=VALUE``: what no daemon reads is an error, before anything is written."""

import typing

import oslo_messaging.opts
from oslo_config import cfg

from common import conf as conf_module
from deploy.daemons import DAEMONS

_ALL = "pileus"  # the file that all daemons read
Settings = dict[str, dict[str, dict[str, str]]]  # by file, section and option


def parse(items: typing.Iterable[str]) -> Settings:
    """:raises ValueError: an item is of another form, or no daemon has such an option, or it does not take that value"""
    found: Settings = {}
    daemons: dict[str, list[cfg.ConfigOpts]] = {}  # by file
    for item in items:
        name, equals, value = item.partition("=")
        if name.count(".") < 2 or not equals:
            raise ValueError("--set needs FILE.SECTION.OPTION=VALUE")
        file, section, option = name.split(".", 2)
        if file not in daemons:
            daemons[file] = _configurations(file)
        _check(daemons[file], file, section, option, value)
        found.setdefault(file, {}).setdefault(section, {})[option] = value
    return found


def _configurations(file: str) -> list[cfg.ConfigOpts]:
    """The options of each daemon that reads a file."""
    daemons = [daemon.load() for daemon in DAEMONS.values()]
    known = sorted({_ALL, *(cls.conf_name for cls in daemons)})
    if file not in known:
        raise ValueError(f"--set {file}: there is no file etc/{file}.conf, but {', '.join(known)}")
    found = [conf_module.load(cls.conf_name, cls.opts, "/nonexistent") for cls in daemons if file in (cls.conf_name, _ALL)]
    for conf in found:
        for group, opts in oslo_messaging.opts.list_opts():
            conf.register_opts(opts, group=group)
    return found


def _check(daemons: list[cfg.ConfigOpts], file: str, section: str, option: str, value: str) -> None:
    known = False
    for conf in daemons:
        try:
            conf.set_override(option, value, group=None if section == "DEFAULT" else section)
            known = True
        except (cfg.NoSuchOptError, cfg.NoSuchGroupError):
            continue
        except ValueError as error:
            raise ValueError(f"--set {file}.{section}.{option}: {error}") from None
    if not known:
        raise ValueError(f"--set {file}.{section}.{option}: no daemon that reads {file}.conf has this option")
