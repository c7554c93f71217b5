"""Injection of files, a key and a password into a new disk, by a helper that runs as the guest's user (``injection_helper``).

Nothing of the image is mounted, and nothing that it has is read with this process's rights.
"""

import contextlib
import dataclasses
import json
import logging
import pathlib
import shutil
import subprocess
import threading

from common import errors
from compute_agent.virt.base import Injection

LOG = logging.getLogger(__name__)
LIMIT_S, MOST_MEMORY, MOST_ANSWER = 300, 4 << 30, 1 << 16
_PYTHON = "/usr/bin/python3"  # which guests' users may run, unlike that of this process
_HELPER = pathlib.Path(__file__).with_name("injection_helper.py")


def inject(disk: pathlib.Path, user: tuple[int, int] | None, wanted: Injection) -> None:
    """Write into a disk that no guest has used yet; ``user`` is its owner.

    :raises StepFailed: files could not be injected. A key or a password that could not is logged, as in Nova: most images take
        these from the metadata service
    """
    if user is None:
        raise errors.StepFailed(reason="Nothing can be injected into images on a host whose guests have no users of their own.")
    home = disk.with_name("injection")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o700)
    shutil.chown(home, *user)
    try:
        answer = _ask(home, user, {"disk": str(disk), **dataclasses.asdict(wanted)})
        failed = answer["failed"]
        reasons = {name: str(failed[name])[:300] for name in ("files", "key", "password") if name in failed}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise errors.StepFailed(reason="Nothing could be injected into the image.", internal=str(error)) from error
    finally:
        shutil.rmtree(home, ignore_errors=True)
    for name in reasons.keys() - {"files"}:
        LOG.warning("the %s was not injected into %s: %s", name, disk, reasons[name])
    if "files" in reasons:
        raise errors.StepFailed(reason=f"The files could not be injected into the image: {reasons['files']}.")


def _ask(home: pathlib.Path, user: tuple[int, int], wanted: dict) -> dict:
    """The helper's answer. An image may have made it anything else, of any length.

    :raises OSError, ValueError, KeyError, TypeError: there is none
    """
    words = ["unshare", "--net", "--ipc", "--mount", "--pid", "--fork", "--kill-child", "prlimit", f"--cpu={LIMIT_S}", "--core=0",
             f"--as={MOST_MEMORY}", "setpriv", "--reuid", str(user[0]), "--regid", str(user[1]), "--clear-groups",
             "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", _PYTHON, "-I", "-c", _HELPER.read_text()]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=home) as helper:
        assert helper.stdin and helper.stdout
        limit = threading.Timer(LIMIT_S, helper.kill)
        limit.start()
        try:
            with contextlib.closing(helper.stdin):
                helper.stdin.write(json.dumps(wanted).encode())
            answer = json.loads(helper.stdout.read(MOST_ANSWER))
        finally:
            limit.cancel()
            helper.kill()
    if "broken" in answer:
        raise ValueError(str(answer["broken"])[:500])
    return answer
