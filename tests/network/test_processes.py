"""Programs of the agent that end in their own time."""

import signal
import socket
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


def test_a_daemon_that_removes_its_pid_file_first_is_waited_for(tmp_path):
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
    wait_for(lambda: processes.pid_of(file, str(file)) is None, 30)
    child.wait()


def test_one_that_is_gone_already_and_one_that_is_another(tmp_path):
    child = subprocess.Popen(["sleep", "60"])
    child.kill()
    child.wait()
    processes.end(child.pid, "sleep")
    other = subprocess.Popen(["sleep", "60"])
    (tmp_path / "pid").write_text(str(other.pid))
    wait_for(lambda: processes.pid_of(tmp_path / "pid", "sleep"), 10)
    processes.end(other.pid, "dnsmasq")
    assert other.poll() is None
    other.kill()
    other.wait()


def test_the_addresses_are_free_after_it(tmp_path):
    """A dnsmasq of ours is started again and again with the address of the one before it."""
    home = tmp_path / "home"
    home.mkdir()
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    words = ["dnsmasq", "--conf-file=", "--no-hosts", "--no-resolv", "--user=root", f"--port={port}", "--bind-interfaces",
             "--listen-address=127.0.0.1", f"--pid-file={home}/pid"]
    for _ in range(30):
        subprocess.run(words, check=True, capture_output=True, timeout=10)
        processes.end(processes.pid_of(home / "pid", str(home)), str(home))
    assert processes.pid_of(home / "pid", str(home)) is None
