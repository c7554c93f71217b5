"""The status of a volume that a server has on two hosts at once, as while it moves."""

import pytest
import sqlalchemy as sa

from common import db, errors
from common.db import Database
from volume.db import attachments, models, volumes

SERVER, OTHER = "e0000001-0000-4000-8000-000000000000", "e0000002-0000-4000-8000-000000000000"


@pytest.fixture
def connection(tmp_path):
    database = Database("test", f"sqlite:///{tmp_path}/volume.sqlite")
    models.METADATA.create_all(database.engine)
    row = {c.name: None for c in models.volumes.c}
    row.update(id="v", project_id="p", user_id="u", name="", size=1, status="available", bootable=False, readonly=False,
               multiattach=False, metadata={}, image_metadata={}, availability_zone="nova", request_id="r", created_at=db.now(),
               updated_at=db.now())
    with database.writer() as connection:
        connection.execute(sa.insert(models.volumes).values({c.name: row[c.name] for c in models.volumes.c}))
        yield connection


def volume(connection) -> dict:
    return volumes.get(connection, None, "v")


def reserve(connection, name: str, server: str = SERVER, **how) -> dict:
    attachments.reserve(connection, volume(connection), server, **how)
    row = {"id": name, "volume_id": "v", "project_id": "p", "instance_uuid": server, "attach_status": "reserved",
           "connector": {}, "connection_info": {}, "attach_mode": "rw", "created_at": db.now()}
    connection.execute(sa.insert(attachments.TABLE).values(row))
    return row


def attach(connection, name: str) -> dict:
    row = reserve(connection, name)
    attachments.connected(connection, row)
    connection.execute(sa.update(attachments.TABLE).where(attachments.TABLE.c.id == name).values(
        attach_status=attachments.ATTACHED))
    volumes.move(connection, "v", "complete")
    return {**row, "attach_status": attachments.ATTACHED}


def test_it_stays_in_use_while_one_takes_the_place_of_the_other(connection):
    first = attach(connection, "a")
    second = attach(connection, "b")
    assert volume(connection)["status"] == "in-use" and len(volume(connection)["attachments"]) == 2
    attachments.ended(connection, first)
    assert volume(connection)["status"] == "in-use"
    attachments.ended(connection, second)
    assert volume(connection)["status"] == "available"


def test_the_new_one_may_end_before_it_was_used(connection):
    attach(connection, "a")
    second = reserve(connection, "b")
    attachments.connected(connection, second)
    attachments.ended(connection, second)
    assert volume(connection)["status"] == "in-use"


def test_the_former_one_may_end_before_the_new_one_is_complete(connection):
    first = attach(connection, "a")
    second = reserve(connection, "b")
    connection.execute(sa.update(attachments.TABLE).where(attachments.TABLE.c.id == "b").values(attach_status="attaching"))
    attachments.ended(connection, first)
    assert volume(connection)["status"] == "attaching"
    volumes.move(connection, "v", "complete")
    attachments.ended(connection, {**second, "attach_status": attachments.ATTACHED})
    assert volume(connection)["status"] == "available"


def test_another_server_cannot_have_it_meanwhile(connection):
    attach(connection, "a")
    for server in (OTHER, None):
        with pytest.raises(errors.BadRequest, match="status must be available"):
            reserve(connection, "b", server)


def test_nor_can_the_same_server_while_it_is_not_in_use_yet(connection):
    reserve(connection, "a")
    with pytest.raises(errors.BadRequest):
        reserve(connection, "b")


@pytest.fixture
def shared(connection):
    connection.execute(sa.update(models.volumes).values(multiattach=True))
    return connection


def status(connection) -> str:
    return volume(connection)["status"]


def finish(connection, row: dict) -> dict:
    attachments.connected(connection, row)
    attachments.completed(connection, row, {})
    return {**row, "attach_status": attachments.ATTACHED}


def test_servers_get_a_multiattach_volume_one_after_the_other(shared):
    first = finish(shared, reserve(shared, "a"))
    second = reserve(shared, "b", OTHER)
    assert status(shared) == "reserved"
    with pytest.raises(errors.BadRequest):
        reserve(shared, "c", "e0000003-0000-4000-8000-000000000000")
    attachments.connected(shared, second)
    assert status(shared) == "attaching"
    second = finish(shared, second)
    assert status(shared) == "in-use"
    for row, left in ((first, "in-use"), (second, "available")):
        attachments.ended(shared, row)
        assert status(shared) == left


def test_one_that_is_given_up_leaves_the_volume_in_use(shared):
    finish(shared, reserve(shared, "a"))
    for connect in (False, True):
        second = reserve(shared, "b", OTHER)
        if connect:
            attachments.connected(shared, second)
        attachments.ended(shared, second)
        assert status(shared) == "in-use"


def test_a_server_migrates_while_another_one_gets_the_volume(shared):
    former = finish(shared, reserve(shared, "a"))
    other = reserve(shared, "b", OTHER)
    newer = reserve(shared, "c")
    assert status(shared) == "reserved"
    newer = finish(shared, newer)
    assert status(shared) == "reserved"
    attachments.ended(shared, former)
    assert status(shared) == "reserved"
    finish(shared, other)
    assert status(shared) == "in-use" and len(volume(shared)["attachments"]) == 2


def test_the_last_complete_one_may_end_first(shared):
    first = finish(shared, reserve(shared, "a"))
    second = reserve(shared, "b", OTHER)
    attachments.ended(shared, first)
    assert status(shared) == "reserved"
    finish(shared, second)
    assert status(shared) == "in-use"


def test_a_detachment_ends_as_in_use_while_others_are_left(shared):
    first = finish(shared, reserve(shared, "a"))
    finish(shared, reserve(shared, "b", OTHER))
    volumes.move(shared, "v", "begin_detaching")
    attachments.ended(shared, first)
    assert status(shared) == "in-use"


def test_a_reservation_takes_the_place_of_what_is_connected(connection):
    """As when the server leaves its host and no other has it yet."""
    attached = attach(connection, "a")
    reserve(connection, "b", connected=False)
    attachments.ended(connection, attached)
    assert volume(connection)["status"] == "reserved"
    reserve(connection, "c", connected=False)
    attachments.ended(connection, {**attached, "id": "b", "attach_status": "reserved"})
    assert volume(connection)["status"] == "reserved"
    with pytest.raises(errors.BadRequest):
        reserve(connection, "d", OTHER, connected=False)
    attachments.connected(connection, {**attached, "id": "c"})
    volumes.move(connection, "v", "complete")
    assert volume(connection)["status"] == "in-use"
