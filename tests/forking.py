"""The process that ``tests.forks`` starts: it forks clouds from itself. A request is a line of JSON, and so is its answer."""

from deploy import local  # isort: skip  (patches eventlet first)

import gc
import json
import os
import pathlib
import runpy
import shutil
import sys
import tempfile
import typing

import eventlet.hubs

from common import conf, files
from deploy import prepare
from deploy.daemons import DAEMONS, DATABASES
from deploy.zygote import die_with_parent, original

system = original("os")  # no event loop may start here: the children would share it
sync_databases = prepare.sync_databases


def fork(work, *about) -> int:
    """The pid of a child that does the work and ends."""
    pid = system.fork()
    if pid:
        return pid
    status = 1
    try:
        die_with_parent()
        eventlet.hubs.use_hub()
        os.umask(files.UMASK)
        work(*about)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def make_databases(state: str) -> None:
    prepare.write_config(state, transport_url="fake://", host=local.HOST, my_ip=local.ADDRESS, driver="fake")
    sync_databases(state)


def become(asked: dict, made: pathlib.Path) -> typing.NoReturn:
    """:param made: a state with empty databases"""
    def copy_databases(state: str) -> None:
        for name in DATABASES:
            own = pathlib.Path(state, "db", f"{name}.sqlite")
            if not conf.load(name, {}, state).database.connection and not own.exists():
                own.parent.mkdir(exist_ok=True)
                shutil.copyfile(made / "db" / own.name, own)
        sync_databases(state)
    nothing = os.open(os.devnull, os.O_RDWR)
    said = os.open(asked["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number, other in enumerate((nothing, nothing, said)):
        os.dup2(other, number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    prepare.sync_databases = copy_databases
    sys.argv = [asked["module"], *asked["words"]]
    if asked["module"] == local.__name__:
        sys.exit(local.main())
    runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
    sys.exit(0)


def answer(asked: dict, made: pathlib.Path) -> int | None:
    """The pid of a new cloud; with ``wait`` the exit status of one, or None while it runs."""
    if "wait" in asked:
        pid, status = system.waitpid(asked["wait"], os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None
    if not (made / "db").exists():
        status = system.waitpid(fork(make_databases, str(made)), 0)[1]
        assert status == 0, status
    return fork(become, asked, made)


def main() -> None:
    for daemon in DAEMONS.values():
        daemon.load()
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory() as home:
        while line := sys.stdin.buffer.readline():
            sys.stdout.write(json.dumps(answer(json.loads(line), pathlib.Path(home))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
