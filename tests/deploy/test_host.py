"""What the host's own services are started with."""

import subprocess
from types import SimpleNamespace

from deploy import host


def test_systemds_tgtd_listens_at_the_management_address_only(monkeypatch, tmp_path):
    calls, running = [], []

    def run(*words, check=True, **more):
        calls.append(words)
        if words[:2] == ("systemctl", "start"):
            running.append(words[2])
        return SimpleNamespace(returncode=0 if running or words[0] != "tgtadm" else 107)
    drop_in = tmp_path / "tgt.service.d" / "pileus.conf"
    for name, value in (("run", run), ("systemd", lambda: True), ("TGT_DROP_IN", drop_in), ("answers", lambda *where: True)):
        monkeypatch.setattr(host, name, value)
    host.ensure_tgtd("192.0.2.1")
    assert "ExecStart=\nExecStart=/usr/sbin/tgtd -f --iscsi portal=192.0.2.1:3260\n" in drop_in.read_text()
    assert ("systemctl", "try-restart", "tgt") in calls and running == ["tgt"]
    calls.clear()
    host.ensure_tgtd("192.0.2.1")
    assert [words[0] for words in calls] == ["tgtadm"], "a tgtd that listens where it should is left alone"
    host.stop_target()
    assert not drop_in.exists()


def test_logs_are_rotated(monkeypatch, tmp_path):
    monkeypatch.setattr(host, "ROTATION", tmp_path / "pileus")
    state = tmp_path / "state of a cloud"
    (state / "log").mkdir(parents=True)
    (state / "log" / "volume-api.log").write_text("a line\n")
    host.rotate_logs(str(state), ["volume-api", "scheduler"])

    def rotate() -> list[str]:
        subprocess.run(["/usr/sbin/logrotate", "--state", tmp_path / "known", "--force", host.ROTATION], check=True)
        return sorted(p.name for p in (state / "log").iterdir())
    assert rotate() == ["volume-api.log.1"]
    (state / "log" / "volume-api.log").write_text("another\n")
    assert rotate() == ["volume-api.log.1", "volume-api.log.2.gz"]
