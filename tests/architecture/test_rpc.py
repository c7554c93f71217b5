"""Clients and servers of the bus list the same methods."""

import inspect

import pytest

from common.rpc import Client
from compute_agent.manager import Manager as ComputeAgentManager
from compute_agent.rpcapi import AgentAPI as ComputeAgentAPI
from conductor.manager import Manager as ConductorManager
from conductor.rpcapi import ConductorAPI
from network.agent.service import Manager as NetworkAgentManager
from network.rpcapi import NetworkAgentAPI, NetworkAPI
from network.service import Manager as NetworkManager
from scheduler.rpcapi import SchedulerAPI
from scheduler.service import Manager as SchedulerManager
from volume.manager import Manager as VolumeAgentManager
from volume.rpcapi import AgentAPI as VolumeAgentAPI
from volume.rpcapi import SchedulerAPI as VolumeSchedulerAPI
from volume.service import VolumeScheduler


def public(cls, base=object) -> set[str]:
    return {n for n, f in vars(cls).items() if inspect.isfunction(f) and not n.startswith("_")}


PAIRS = [(ComputeAgentAPI, ComputeAgentManager), (ConductorAPI, ConductorManager), (NetworkAPI, NetworkManager),
         (NetworkAgentAPI, NetworkAgentManager), (SchedulerAPI, SchedulerManager), (VolumeAgentAPI, VolumeAgentManager)]


@pytest.mark.parametrize(("client", "manager"), PAIRS, ids=lambda c: c.__module__)
def test_client_and_manager_list_the_same(client, manager):
    assert public(client, Client) == public(manager)


def test_volume_scheduler_answers_its_client():
    assert public(VolumeSchedulerAPI, Client) <= public(VolumeScheduler)


@pytest.mark.parametrize("client", [c for c, _ in PAIRS], ids=lambda c: c.__module__)
def test_every_client_method_states_call_or_cast(client):
    for name in public(client, Client):
        assert (getattr(client, name).__doc__ or "").startswith(("Call, 1.", "Cast, 1.")), name
