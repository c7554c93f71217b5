"""An attachment that is deleted while its export is made leaves no export."""

import types

import pytest
import sqlalchemy as sa

from common import db, errors
from common.db import Database
from volume.db import models
from volume.services import attachments as service

ROW = {"id": "a", "volume_id": "v", "project_id": "p", "instance_uuid": None, "attach_status": "reserved", "connector": {},
       "connection_info": {}, "attach_mode": "rw", "created_at": db.now()}


class Agents:
    """A volume agent during whose work the attachment is deleted by another request."""

    def __init__(self, database):
        self.database, self.exported = database, set()

    def connect(self, ctx, host, volume_id, attachment_id, connector):
        with self.database.writer() as connection:
            connection.execute(sa.delete(models.attachments))
        self.exported.add(attachment_id)
        return {"driver_volume_type": "fake", "data": {}}

    def disconnect(self, ctx, host, volume_id, attachment_id):
        self.exported.discard(attachment_id)


def test_no_export_is_left(tmp_path):
    database = Database("test", f"sqlite:///{tmp_path}/volume.sqlite")
    models.METADATA.create_all(database.engine)
    agents = Agents(database)
    call = types.SimpleNamespace(ctx=None, svc=types.SimpleNamespace(db=database, agents=agents))
    with pytest.raises(errors.Conflict, match="deleted while"):
        service.connect(call, ROW, {"id": "v", "host": "one", "multiattach": False}, {"host": "two"})
    assert not agents.exported
