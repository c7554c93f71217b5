"""The NUMA topology of a server whose host does not answer."""

import contextlib
import types

import pytest

from common import context, errors
from compute_api.services import topology
from conductor.db import hosts

ROW = {"uuid": "s", "host": "node1", "vcpus": 2, "memory_mb": 64, "project_id": "p", "user_id": "u",
       "flavor": {"extra_specs": {"hw:cpu_policy": "dedicated"}}, "image_meta": {"properties": {}}}


@pytest.mark.parametrize("is_up", [True, False])
def test_what_the_host_would_say_is_left_out(monkeypatch, is_up):
    asked = []

    def placement(ctx, host, uuid):
        asked.append(host)
        raise errors.ServiceUnavailable(part="compute-agent on node1")
    monkeypatch.setattr(topology.servers, "get", lambda call, id, rule: ROW)
    monkeypatch.setattr(hosts, "service_up", lambda connection, host, down_time_s: is_up)
    service = types.SimpleNamespace(
        policy=types.SimpleNamespace(allows=lambda *args: True), agents=types.SimpleNamespace(placement=placement),
        db=types.SimpleNamespace(reader=lambda: contextlib.nullcontext()),
        conf=types.SimpleNamespace(service_down_time=60))
    call = types.SimpleNamespace(ctx=context.Context(), svc=service)
    assert topology.show(call, "s") == {
        "nodes": [{"vcpu_set": [0, 1], "siblings": [], "memory_mb": 64}], "pagesize_kb": None}
    assert asked == (["node1"] if is_up else [])
