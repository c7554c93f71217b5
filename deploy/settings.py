"""Settings of an operator: those on a command line, ``FILE.SECTION.OPTION=VALUE``, and those in ``etc/FILE.conf.d``.

What no daemon reads is an error on a command line, before anything is written; in a file, it is reported.
"""

import pathlib
import typing

import oslo_messaging.opts
import oslo_policy.opts
from oslo_config import cfg

from common import conf as conf_module
from deploy import prepare
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


def problems(state: str) -> tuple[list[str], list[str]]:
    """What is wrong in the files of a cloud, a line each: what prevents daemons from starting, and settings that none of them
    reads, for example because of a typing error."""
    invalid, unread = [], []
    for file in prepare.CONFIGS:
        own = sorted(pathlib.Path(state, "etc", f"{file}.conf.d").glob("*.conf"))
        try:
            # Installers write correct files. To check an operator's, the options of all daemons must be imported.
            found = _configurations(file, state) if own else [conf_module.load(file, {}, state)]
            unread += [line for path in own for line in _unread(path, found)]
        except conf_module.ConfigError as error:
            invalid.append(str(error))
    return list(dict.fromkeys(invalid)), unread


def _unread(path: pathlib.Path, daemons: list[cfg.ConfigOpts]) -> list[str]:
    stores = {name for conf in daemons if "image" in conf for name in conf.image.enabled_backends}
    return [f"{path}: [{section}] {option}: no daemon that reads this file has this option"
            for section, options in conf_module.settings(path).items() if section not in stores
            for option in options if not any(_has(conf, section, option) for conf in daemons)]


def _has(conf: cfg.ConfigOpts, section: str, option: str) -> bool:
    return option in conf if section == "DEFAULT" else section in conf and option in conf[section]


def _configurations(file: str, state: str = "/nonexistent") -> list[cfg.ConfigOpts]:
    """The options of each daemon that reads a file, with the values of a cloud.

    :raises ConfigError: a value is wrong
    """
    daemons = [daemon.load() for daemon in DAEMONS.values()]
    known = sorted({_ALL, *(cls.conf_name for cls in daemons)})
    if file not in known:
        raise ValueError(f"--set {file}: there is no file etc/{file}.conf, but {', '.join(known)}")
    found = [conf_module.load(cls.conf_name, cls.opts, state) for cls in daemons if file in (cls.conf_name, _ALL)]
    for conf in found:
        for group, opts in (*oslo_messaging.opts.list_opts(), *oslo_policy.opts.list_opts()):
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
