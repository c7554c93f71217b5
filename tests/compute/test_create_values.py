"""What a request for servers may hold: nothing that breaks scheduling later, nothing that is made a million times."""

import base64
import time
import types

import pytest

from common import context, db, errors, schema
from compute_api import create, devices
from compute_api.schemas import servers
from conductor.db import models, quotas

FLAVOR = {"vcpus": 1, "ram": 512}


@pytest.mark.parametrize("given", [
    {"same_host": 5}, {"same_host": [5]}, {"same_host": "x"}, {"different_host": {}}, {"group": []}, {"group": "x"},
    {"x": {"y": []}},
    {"build_near_host_ip": "fe80::1%1"}, {"hosts": 5}, {"hosts": [1]}], ids=str)
def test_hints_that_no_scheduler_can_read_are_refused(given):
    with pytest.raises(errors.BadRequest):
        schema.compiled(servers.HINTS)(given)


def test_hints_that_can_be_read():
    server = context.new_uuid()
    schema.compiled(servers.HINTS)({"same_host": server, "different_host": [server], "group": server, "query": "[\"=\", 1]",
    "own": ["a"]})


@pytest.mark.alone
def test_no_more_names_than_the_quota_has_room_for(tmp_path):
    database = db.Database("compute", f"sqlite:///{tmp_path}/compute.sqlite")
    models.METADATA.create_all(database.engine)
    req = types.SimpleNamespace(ctx=types.SimpleNamespace(project_id="p", user_id="u"),
    svc=types.SimpleNamespace(quota_defaults=quotas.DEFAULTS))
    with database.reader() as connection:
        began = time.monotonic()
        assert create._bounded(connection, req, FLAVOR, 1, 1_000_000_000) == 10
        with pytest.raises(errors.QuotaExceeded):
            create._bounded(connection, req, FLAVOR, 11, 1_000_000_000)
        req.svc.quota_defaults = {**quotas.DEFAULTS, "instances": -1, "cores": -1, "ram": -1}
        with pytest.raises(errors.BadRequest):
            create._bounded(connection, req, FLAVOR, 1, 1_000_000_000)
        assert time.monotonic() - began < 1


def test_user_data_whose_lines_a_tool_broke():
    given = base64.encodebytes(b"x" * 200).decode()
    assert create.user_data_of({"user_data": given}) == given
    for wrong in ("%%%", "a", "YQ==\x00"):
        with pytest.raises(errors.BadRequest):
            create.user_data_of({"user_data": wrong})


def test_an_images_mapping_that_cannot_be_read():
    for wrong in ("[" * 5000 + "]" * 5000, "5", "{", "[NaN]", '["\\ud800"]'):
        with pytest.raises(errors.BadRequest, match="cannot be read"):
            devices.of_image({"properties": {"block_device_mapping": wrong}})
