"""SIGUSR2 shows where a daemon waits, green threads too."""

import subprocess
import sys
import textwrap
import time

from common.periodic import wait_for

PROGRAM = textwrap.dedent("""
    import eventlet
    eventlet.monkey_patch()
    import sys, threading
    from common import stacks
    stacks.install(sys.argv[1])
    def waits_for_ever():
        threading.Event().wait()
    threading.Thread(target=waits_for_ever, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait(30)
""")


def test_a_dump_names_the_function_in_which_a_green_thread_waits(tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", PROGRAM, str(log)], stdout=subprocess.PIPE, text=True) as done:
        assert done.stdout.readline() == "ready\n"
        time.sleep(0.1)
        done.send_signal(12)
        wait_for(lambda: "waits_for_ever" in log.read_text(), 10, what="the dump")
        assert log.read_text().startswith("before\n--- thread")
        assert done.poll() is None, "it goes on"
        done.kill()
