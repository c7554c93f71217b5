"""One of two attachments of a volume is ended, and the volume agent is killed in between: the other one keeps what it has."""

import types

import pytest
import sqlalchemy as sa

from common import conf as conf_module
from common import db
from common.db import Database
from common.vault import Vault
from volume import conf, drivers
from volume.db import models
from volume.drivers.tgt import IQN_PREFIX, Tgt, account_of
from volume.exports import Exports

HOST, VOLUME = "node1", "11111111-1111-4111-8111-111111111111"
ONE, TWO, THREE = (f"a{n}111111-1111-4111-8111-111111111111" for n in (1, 2, 3))


class Killed(BaseException):
    pass


class Daemon:
    """What tgtd keeps, and what it answers to the commands that are used here."""

    def __init__(self):
        self.accounts: set[str] = set()
        self.targets: dict[str, dict] = {}  # by their numbers
        self.dropped = 0
        self.left = -1  # commands until the agent is killed

    def run(self, *words: str, absent_ok: bool = False) -> str:
        plain = [w for w in words if w != "--force"]
        given = dict(zip(plain[::2], plain[1::2]))
        what = f"{given['--mode']} {given['--op']}"
        if what != "target show":
            self.left -= 1
            if self.left == -1:
                raise Killed()
        target, user = self.targets.get(given.get("--tid", "")), given.get("--user", "")
        if what == "target show":
            return "\n".join(self._shown(tid, t) for tid, t in self.targets.items())
        if what == "target new":
            self.targets[given["--tid"]] = {"name": given["-T"], "path": "None", "accounts": [], "acl": [], "sessions": {}}
        elif what == "target delete":
            self.dropped += self.targets.pop(given["--tid"], None) is not None
        elif given["--mode"] == "account":
            self._account(given["--op"], target, user)
        elif what == "logicalunit new":
            target["path"] = given["-b"]
        elif what == "conn delete":
            target["sessions"].pop(given["--sid"], None)
        else:
            {"target bind": target["acl"].append, "target unbind": target["acl"].remove}[what](given["--initiator-name"])
        return ""

    def _account(self, what: str, target: dict | None, user: str) -> None:
        if what == "delete":
            self.accounts.discard(user)
        elif what == "unbind":
            assert target["accounts"].pop() == user, "tgtd ends with a fault when it is to show a list with a gap"
        else:
            assert what == "bind" and user in self.accounts
            target["accounts"].append(user)

    def _shown(self, tid: str, target: dict) -> str:
        sessions = [f"I_T nexus: {sid}\nInitiator: {name} alias: none\nConnection: 0" for sid, name in target["sessions"].items()]
        return "\n".join([f"Target {tid}: {target['name']}", "I_T nexus information:", *sessions, "LUN information:",
                          f"Backing store path: {target['path']}", "Account information:", *target["accounts"],
                          "ACL information:", *target["acl"]])


@pytest.fixture
def daemon(monkeypatch):
    made = Daemon()
    monkeypatch.setattr(Tgt, "_run", lambda self, *words, **more: made.run(*words, **more))
    monkeypatch.setattr(Tgt, "_add_account", lambda self, account, secret: made.accounts.add(account))
    return made


@pytest.fixture
def service(tmp_path):
    database = Database("volume", f"sqlite:///{tmp_path}/v.sqlite")
    models.METADATA.create_all(database.engine)
    loaded = conf_module.load("volume", conf.OPTS, str(tmp_path), {"volume.driver": "file", "host": HOST})
    made = types.SimpleNamespace(db=database, conf=loaded, driver=drivers.load(loaded), vault=Vault(f"{tmp_path}/keys"))
    made.exports = Exports(made)
    made.driver.path(VOLUME).touch()
    with database.writer() as connection:
        connection.execute(sa.insert(models.volumes).values(
            id=VOLUME, project_id="p", user_id="u", name="", size=1, status="in-use", host=HOST, bootable=False, readonly=False,
            availability_zone="nova", metadata={}, image_metadata={}, request_id="r", created_at=db.now(), updated_at=db.now()))
    return made


def attach(service, daemon, attachment_id: str) -> None:
    """A host has it, and is logged in."""
    connector = {"host": f"host-{attachment_id}", "initiator": f"iqn.{attachment_id}"}
    with service.db.writer() as connection:
        connection.execute(sa.insert(models.attachments).values(
            id=attachment_id, volume_id=VOLUME, project_id="p", attach_status="attached", attach_mode="rw", connector=connector,
            connection_info={}, created_at=db.now()))
    info = service.exports.connect(VOLUME, attachment_id, connector)
    with service.db.writer() as connection:
        connection.execute(sa.update(models.attachments).where(models.attachments.c.id == attachment_id).values(
            connection_info=info))
    target(daemon)["sessions"][attachment_id] = connector["initiator"]


def target(daemon) -> dict:
    [found] = daemon.targets.values()
    assert found["name"] == IQN_PREFIX + VOLUME
    return found


@pytest.mark.parametrize("then", ["is asked again", "looks at its exports"])
@pytest.mark.parametrize("ended", [ONE, TWO, THREE])
def test_wherever_the_agent_is_killed_the_others_keep_the_volume(service, daemon, ended, then):
    for attachment_id in (ONE, TWO, THREE):
        attach(service, daemon, attachment_id)
    others = [a for a in (ONE, TWO, THREE) if a != ended]
    as_it_was = ({t: {**v, "accounts": [*v["accounts"]], "acl": [*v["acl"]], "sessions": {**v["sessions"]}}
                  for t, v in daemon.targets.items()}, {*daemon.accounts})
    for commands in range(100):
        daemon.targets = {t: {**v, "accounts": [*v["accounts"]], "acl": [*v["acl"]], "sessions": {**v["sessions"]}}
                          for t, v in as_it_was[0].items()}
        daemon.accounts, daemon.left = {*as_it_was[1]}, commands
        service.exports = Exports(service)
        try:
            service.exports.disconnect(VOLUME, ended)
            killed = False
        except Killed:
            killed = True
        daemon.left = -1
        service.exports = Exports(service)  # of the agent that was started again
        if then == "looks at its exports" and killed:
            service.exports.run_once()
            assert {account_of(a) for a in others} <= set(target(daemon)["accounts"]), commands
        service.exports.disconnect(VOLUME, ended)
        left = target(daemon)
        assert set(left["accounts"]) == {account_of(a) for a in others} and not daemon.dropped, commands
        assert set(left["acl"]) == {f"iqn.{a}" for a in others} and set(left["sessions"]) == set(others)
        assert daemon.accounts == set(left["accounts"])
        if not killed:
            assert commands > 5
            return
    raise AssertionError("it never ends")


def test_ending_the_last_attachment_removes_the_target(service, daemon):
    for attachment_id in (ONE, TWO):
        attach(service, daemon, attachment_id)
    for attachment_id in (ONE, TWO):
        service.exports.disconnect(VOLUME, attachment_id)
    assert not daemon.targets and not daemon.accounts


def test_what_is_being_ended_is_not_exported_again(service, daemon):
    """Its row goes a moment after its export, and the agent looks at its exports in between."""
    for attachment_id in (ONE, TWO):
        attach(service, daemon, attachment_id)
    service.exports.disconnect(VOLUME, ONE)
    service.exports.run_once()
    assert target(daemon)["accounts"] == [account_of(TWO)]
    service.exports.disconnect(VOLUME, TWO)
    service.exports.run_once()
    assert not daemon.targets
