"""CHAP secrets: on no command line, in no file that is not encrypted, and still what opens the volume."""

import os
import pathlib
import subprocess
import threading
import types

import pytest
import sqlalchemy as sa

from common import db
from common.db import Database
from common.vault import Vault, open_chap, seal_chap
from compute_agent.virt.libvirt import xml
from compute_agent.volumes import Volumes
from tests.volume.test_driver_contract import PORT, driver, tgtd  # noqa: F401 fixtures
from volume.db import models
from volume.secrets import opened
from volume.service import OldSecrets


@pytest.fixture
def command_lines():
    """Every command line that was there while the test ran, read as fast as can be."""
    seen, stop = set(), threading.Event()

    def watch():
        while not stop.is_set():
            for process in os.listdir("/proc"):
                if process.isdigit():
                    try:
                        seen.add(pathlib.Path(f"/proc/{process}/cmdline").read_bytes())
                    except OSError:
                        continue
    threads = [threading.Thread(target=watch) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield seen
    stop.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("driver", ["file"], indirect=True)  # noqa: F811
def test_tgtd_gets_the_secret_but_no_command_line_contains_it(driver, command_lines, monkeypatch):  # noqa: F811
    ran, run = [], subprocess.run
    monkeypatch.setattr(subprocess, "run", lambda words, **more: (ran.append(words), run(words, **more))[1])
    driver.create("v1", 1)
    data = driver.connect("v1", "a1", {"initiator": "iqn.2012-01.test:me"}, {})["data"]
    secret = data["auth_password"]
    assert not [words for words in ran if any(secret in word for word in words)]
    assert not [line for line in command_lines if secret.encode() in line]
    monkeypatch.undo()

    def opens(password: str) -> bool:
        options = {"driver": "raw", "file.driver": "iscsi", "file.transport": "tcp", "file.portal": f"127.0.0.1:{PORT}",
                   "file.target": data["target_iqn"], "file.lun": 1, "file.user": data["auth_username"],
                   "file.password-secret": "s", "file.initiator-name": "iqn.2012-01.test:me"}
        words = ["qemu-img", "info", "--object", f"secret,id=s,data={password}", "--image-opts",
                 ",".join(f"{k}={v}" for k, v in options.items())]
        done = subprocess.run(words, capture_output=True, text=True, timeout=20)
        return done.returncode == 0
    assert opens(secret) and not opens("0" * 32)


def test_connection_info_is_sealed_and_opened(tmp_path):
    vault = Vault(tmp_path / "keys")
    data = {"target_iqn": "iqn", "auth_username": "a", "auth_password": "of-the-volume"}
    sealed = seal_chap(vault, data)
    assert "of-the-volume" not in str(sealed) and open_chap(Vault(tmp_path / "keys"), sealed) == data
    assert seal_chap(vault, sealed) == sealed and open_chap(vault, data) == data
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o600


def test_what_an_agent_keeps_of_a_connection_is_sealed(tmp_path):
    """It goes into the journals of tasks."""
    class Rest:
        @staticmethod
        def request(method, service, where, **more):
            return {"attachment": {"id": "a1", "connection_info": {"auth_password": "of-the-volume"}}}
    volumes = Volumes(Rest, {}, Vault(tmp_path / "keys"))
    found = [volumes.connect("00000000-0000-4000-8000-000000000001", "v1", "/dev/vdb", again=False, check=None)[1],
             volumes.info("00000000-0000-4000-8000-000000000001", "/dev/vdb")]
    assert "of-the-volume" not in str(found)
    assert [open_chap(volumes.vault, each)["auth_password"] for each in found] == ["of-the-volume"] * 2


def test_libvirt_keeps_the_secret_in_memory_alone(tmp_path):
    made = xml.secret({"volume_id": "v1", "info": {}})
    assert (made.get("ephemeral"), made.get("private")) == ("yes", "yes")
    disk = xml.text_of(xml.volume_disk(None, {"volume_id": "v1", "device_name": "/dev/vdb", "info": {
        "target_iqn": "iqn", "target_lun": 1, "target_portal": "127.0.0.1:3260", "auth_username": "a",
        "auth_password": "of-the-volume"}}, "iqn.me"))
    assert "of-the-volume" not in disk


def test_secrets_that_an_older_version_stored_are_sealed_at_the_start(tmp_path):
    database, vault = Database("volume", f"sqlite:///{tmp_path}/v.sqlite"), Vault(tmp_path / "keys")
    models.METADATA.create_all(database.engine)
    clear = {"driver_volume_type": "iscsi", "data": {"target_iqn": "iqn", "auth_password": "of-the-volume"}}
    table, ids = models.attachments, ["1" * 36, "2" * 36]
    volume = {"project_id": "p", "user_id": "u", "size": 1, "status": "in-use", "availability_zone": "nova", "bootable": False,
              "metadata": {}, "image_metadata": {}, "request_id": "r", "created_at": db.now(), "updated_at": db.now()}
    with database.writer() as connection:
        for each, info in zip(ids, (clear, {})):
            connection.execute(models.volumes.insert().values(id=each, **volume))
            connection.execute(table.insert().values(id=each, volume_id=each, project_id="p", attach_status="attached",
                                                     connector={}, connection_info=info, attach_mode="rw", created_at=db.now()))
    OldSecrets(types.SimpleNamespace(db=database, vault=vault)).run_once()
    with database.reader() as connection:
        stored = connection.execute(sa.select(table.c.connection_info).order_by(table.c.id)).scalars().all()
    assert "of-the-volume" not in str(stored) and stored[1] == {} and opened(vault, stored[0]) == clear


def test_guests_of_one_host_have_secrets_of_their_own_for_a_volume_that_they_share():
    def disk(account: str, **more):
        info = {"target_iqn": "iqn.x:volume-v", "target_lun": 1, "target_portal": "127.0.0.1:3260", "auth_username": account,
                **more}
        made = {"volume_id": "v", "device_name": "/dev/vdb", "info": info}
        return xml.volume_disk(None, made, "iqn.y:host"), xml.secret(made)
    plain = [disk(account) for account in ("a1", "a2")]
    shared = [disk(account, multiattach=True) for account in ("a1", "a2")]
    assert len({xml.secret_of(found) for found, _ in plain}) == 1 and len({xml.secret_of(found) for found, _ in shared}) == 2
    for found, secret in (*plain, *shared):
        assert xml.secret_of(found) == secret.findtext("./usage/target")
        assert found.find("driver").get("cache") == "none"
    assert [found.find("shareable") is not None for found, _ in (*plain, *shared)] == [False, False, True, True]
