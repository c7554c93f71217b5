"""A process that imports the libraries once and forks daemons from itself.

There are two: one patched by eventlet, for the APIs, and one plain, for
the workers. Daemons share the memory of what was imported, start in
milliseconds, and one that dies is forked again. Listening sockets belong to
the zygote: while an API restarts, its callers wait instead of being refused.
"""

import sys

if "--green" in sys.argv:  # before anything else is imported
    import warnings
    warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")
    import eventlet
    eventlet.monkey_patch()

import argparse  # noqa: E402
import contextlib  # noqa: E402
import ctypes  # noqa: E402
import gc  # noqa: E402
import importlib  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402

from common import conf, files, log, manage, metrics, native, service  # noqa: E402
from deploy.daemons import DAEMONS  # noqa: E402

PR_SET_PDEATHSIG = 1


# Modules that daemons import shortly afterwards, depending on their configuration; here they are shared. Some are
# internal to their libraries; a missing one is just not shared.
LATE = ("oslo_messaging._drivers.impl_rabbit", "kombu.transport.pyamqp", "sqlalchemy.dialects.sqlite.pysqlite",
        "sqlalchemy.dialects.mysql.pymysql", "pymysql", "encodings.idna")


END_S = 15  # a daemon gives its tasks a few seconds to end
# Seconds before a daemon that ended at once is started again: doubled each time, up to the last.
PAUSE_S = (1, 16)
LOG = logging.getLogger("deploy.zygote")  # not by __name__: this is a program


def original(name: str):
    """The unpatched module: a zygote must never start an event loop that its children would share."""
    if "eventlet" in sys.modules:
        from eventlet import patcher
        return patcher.original(name)
    return __import__(name)


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Zygote:
    """Forks and watches ``jobs``: {(daemon name, worker number): pid}."""

    def __init__(self, names: list[str], state: str, green: bool):
        self.state, self.green = state, green
        self.os, self.time = original("os"), original("time")
        self.classes = {n: DAEMONS[n].load() for n in names}
        self.sockets: dict = {}
        self.pids: dict[int, tuple[str, int]] = {}
        self.born: dict[tuple[str, int], float] = {}
        self.pauses: dict[str, int] = {}
        self.stopping = False

    def run(self) -> None:
        logging.getLogger("routes").setLevel(logging.WARNING)
        for name in LATE:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        gc.collect()
        gc.freeze()
        for name in self.classes:
            self._start(name)
        while self.pids:
            try:
                pid, status = self.os.waitpid(-1, 0)
            except InterruptedError:
                continue
            except ChildProcessError:
                break
            job = self.pids.pop(pid, None)
            if job and not self.stopping:
                name, _ = job
                if os.WIFSIGNALED(status):
                    self._tell_signal(name, pid, os.WTERMSIG(status))
                at_once = self.time.monotonic() - self.born[job] < 2 + self.pauses.get(name, 0)
                self.pauses[name] = min(2 * self.pauses.get(name, 0) or PAUSE_S[0], PAUSE_S[1]) if at_once else 0
                if name in self.sockets:
                    self._fork(*job)
                else:
                    self._start(name)

    def _start(self, name: str) -> None:
        """Fork the processes of a daemon. If it cannot start, one is forked that says why and ends."""
        cls = self.classes[name]
        try:
            loaded = conf.load(cls.conf_name, cls.opts, self.state)
            self.sockets[name] = service.listen_all(cls, loaded)
        except (conf.ConfigError, OSError) as error:
            self._fork(name, 0, error)
            return
        for worker in range(loaded.workers if cls.api else 1):
            self._fork(name, worker)

    def _stop(self, signum, frame) -> None:
        self.stopping = True
        self._signal(signal.SIGTERM)
        # A daemon that does not end must not prevent the restart of others.
        signal.signal(signal.SIGALRM, lambda signum, frame: self._signal(signal.SIGKILL))
        signal.alarm(END_S)

    def _signal(self, what: signal.Signals) -> None:
        for pid in list(self.pids):
            try:
                os.kill(pid, what)
            except ProcessLookupError:
                continue

    def _fork(self, name: str, worker: int, failure: Exception | None = None) -> None:
        self.born[name, worker] = self.time.monotonic()
        pid = self.os.fork()
        if pid:
            self.pids[pid] = (name, worker)
            return
        try:
            die_with_parent()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self.time.sleep(self.pauses.get(name, 0))  # here: the zygote must restart other daemons meanwhile
            if failure:
                raise failure
            self._become(name, worker)
        except Exception as error:  # the boundary of the process
            self._explain(name, error)
        finally:
            os._exit(1)

    def _explain(self, name: str, error: Exception) -> None:
        log.to_file(name, self._log_file(name))
        text = str(error) if isinstance(error, OSError) else manage.explain(error)
        LOG.critical("%s cannot start: %s", name, text or repr(error), exc_info=None if text else error)
        logging.shutdown()

    def _tell_signal(self, name: str, pid: int, number: int) -> None:
        """Log the end of a daemon that could not do it itself, as when memory or the disk was full. It is started again also if
        that cannot be logged."""
        try:
            log.to_file(name, self._log_file(name))
            what = signal.strsignal(number)
            LOG.error("%s, pid %d, was ended by signal %d (%s), and is started again", name, pid, number, what)
            logging.shutdown()
        except OSError:
            pass
        finally:
            logging.getLogger().handlers.clear()

    def _log_file(self, name: str) -> str:
        return f"{self.state}/log/{name}.log"

    def _become(self, name: str, worker: int) -> None:
        ctypes.CDLL(None).prctl(15, f"p-{name}"[:15].encode(), 0, 0, 0)  # PR_SET_NAME, as ps shows it
        if self.green:
            import eventlet
            import eventlet.hubs
            import eventlet.tpool
            eventlet.hubs.use_hub()
            native.EXECUTOR = eventlet.tpool.execute
        for other, sockets in self.sockets.items():
            for sock in sockets.values() if other != name else ():
                sock.close()
        metrics.identify(f"{name}-{worker}-{os.getppid()}")  # one of an earlier zygote may be about to end
        service.run(self.classes[name], state=self.state, sockets=self.sockets[name], worker=worker,
                    overrides={"log_file": self._log_file(name)})


def main() -> None:
    parser = argparse.ArgumentParser(prog="deploy.zygote", description=__doc__)
    parser.add_argument("--green", action="store_true", help="patch with eventlet")
    parser.add_argument("--state", required=True, help="state directory of the cloud")
    parser.add_argument("names", nargs="+", help="names of the daemons to fork")
    args = parser.parse_args()
    die_with_parent()
    os.umask(files.UMASK)
    files.private_directory(f"{args.state}/log")
    Zygote(args.names, args.state, args.green).run()


if __name__ == "__main__":
    main()
