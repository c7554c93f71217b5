"""Programs of the agent that end in their own time."""

import signal
import subprocess
import sys

from common.periodic import wait_for
from network.agent import processes

# As dnsmasq does: its file goes at once, the process with its sockets a moment later.
LINGERS = """
import pathlib, signal, sys, time
def end(*_):
    pathlib.Path(sys.argv[1]).unlink()
    time.sleep(0.6)
    sys.exit()
signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[1]).write_text(str(__import__("os").getpid()))
while True:
    time.sleep(0.1)
"""


def test_one_that_takes_its_file_away_first_is_waited_for(tmp_path):
    file = tmp_path / "pid"
    child = subprocess.Popen([sys.executable, "-c", LINGERS, str(file)])
    pid = wait_for(lambda: processes.pid_of(file, str(file)), 10)
    assert pid == child.pid and processes.pid_of(file, "something else") is None
    processes.end(pid, str(file))
    assert child.wait(0.2) == 0 and processes.pid_of(file, str(file)) is None


def test_a_file_of_one_that_was_killed(tmp_path):
    file = tmp_path / "pid"
    child = subprocess.Popen([sys.executable, "-c", LINGERS, str(file)])
    wait_for(lambda: processes.pid_of(file, str(file)), 10)
    child.send_signal(signal.SIGKILL)
    wait_for(lambda: processes.pid_of(file, str(file)) is None, 5)
    child.wait()
