"""The interfaces of the bus: what clients send, what managers take, and what each version brought are declared in one place."""

import importlib
import inspect
import pathlib
import typing
from typing import Annotated, Any

import pytest

from common.interface import Method
from common.messages import Added, parse_version
from common.rpc import Client
from common.server_states import POWER
from common.service import Service
from compute_agent.manager import Manager as ComputeAgentManager
from compute_agent.messages import PowerAction
from compute_agent.service import ComputeAgent
from conductor.manager import Manager as ConductorManager
from conductor.service import Conductor
from dashboard.live import Manager as DashboardManager
from dashboard.service import Dashboard
from network.agent.service import Manager as NetworkAgentManager
from network.agent.service import NetworkAgent
from network.service import Manager as NetworkManager
from network.service import NetworkApi
from scheduler.service import Manager as SchedulerManager
from scheduler.service import Scheduler
from volume.manager import Manager as VolumeAgentManager
from volume.service import SchedulerManager as VolumeSchedulerManager
from volume.service import VolumeAgent, VolumeScheduler

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVERS: list[tuple[type[Service], type]] = [
    (ComputeAgent, ComputeAgentManager), (Conductor, ConductorManager), (NetworkApi, NetworkManager),
    (NetworkAgent, NetworkAgentManager), (Scheduler, SchedulerManager), (VolumeAgent, VolumeAgentManager),
    (VolumeScheduler, VolumeSchedulerManager), (Dashboard, DashboardManager)]


def interfaces() -> list[type[Client]]:
    modules = [importlib.import_module(f"{path.parent.name}.rpcapi") for path in sorted(ROOT.glob("*/rpcapi.py"))]
    return [c for m in modules for c in vars(m).values()
            if inspect.isclass(c) and issubclass(c, Client) and c.__module__ == m.__name__]


METHODS: list[tuple[type[Client], Method]] = [(c, m) for c in interfaces() for m in c.methods.values()]
EVERY_METHOD = pytest.mark.parametrize(("interface", "method"), METHODS, ids=[f"{c.topic}-{m.name}" for c, m in METHODS])


def public(cls) -> set[str]:
    return {n for n, f in vars(cls).items() if not n.startswith("_") and (inspect.isroutine(f) or isinstance(f, property))}


def hints(method: Method) -> dict:
    """{argument or "return": type} of a method."""
    function = next(vars(c)[method.name] for c, m in METHODS if m is method)
    return typing.get_type_hints(inspect.unwrap(function), include_extras=True)


def parts(kind):
    """A type and all that it consists of."""
    yield kind
    fields = typing.get_type_hints(kind, include_extras=True).values() if typing.is_typeddict(kind) else typing.get_args(kind)
    if typing.get_origin(kind) is Annotated:
        fields = fields[:1]
    if typing.get_origin(kind) is not typing.Literal:
        for each in fields:
            yield from parts(each)


def test_every_interface_is_answered():
    assert {c for c, _ in METHODS} == {service.interface for service, _ in SERVERS}


@pytest.mark.parametrize(("service", "manager"), SERVERS, ids=lambda c: c.__module__)
def test_managers_have_the_declared_methods_and_no_other_public_ones(service, manager):
    assert public(manager) == set(service.interface.methods)
    for name, method in service.interface.methods.items():
        taken = list(inspect.signature(getattr(manager, name)).parameters)
        assert taken == ["self", "ctx", *method.message_names], name


@pytest.mark.parametrize("interface", interfaces(), ids=lambda c: f"{c.__module__}.{c.__name__}")
def test_every_method_of_a_client_is_declared(interface):
    assert public(interface) == set(interface.methods)


@EVERY_METHOD
def test_methods_say_what_they_are_for_and_how_long_they_wait(interface, method):
    function = inspect.unwrap(vars(interface)[method.name])
    assert (function.__doc__ or "").strip()
    if method.kind == "call" and not isinstance(method.timeout_s, str):
        assert 0 < method.timeout_s <= 60
    if isinstance(method.timeout_s, str):
        assert method.timeout_s in method.signature.parameters
    if method.kind == "cast":
        assert method.timeout_s is None
        assert hints(method)["return"] is type(None)


@EVERY_METHOD
def test_messages_consist_of_declared_fields(interface, method):
    """No bare dict or list; Any only within what another part parses."""
    for name, kind in hints(method).items():
        assert kind is not Any, name
        for part in parts(kind):
            assert part not in (dict, list, object, tuple), (name, kind)


@EVERY_METHOD
def test_what_was_added_is_in_the_history_and_has_a_default(interface, method):
    assert interface.history
    if method.since > (1, 0):
        assert f"{method.since[0]}.{method.since[1]}" in interface.history
    for name, kind in hints(method).items():
        for part in parts(kind):
            for note in getattr(part, "__metadata__", ()):
                if isinstance(note, Added):
                    assert note.version in interface.history, name
        if any(isinstance(n, Added) for n in getattr(kind, "__metadata__", ())):
            assert method.signature.parameters[name].default is not inspect.Parameter.empty, name


@EVERY_METHOD
def test_what_a_method_takes_the_place_of_is_older_and_takes_the_same(interface, method):
    if method.older:
        older = interface.methods[method.older]
        assert older.since < method.since and older.kind == method.kind
        assert set(older.message_names) == set(method.message_names)


def test_every_action_on_a_guest_can_be_asked_for():
    assert set(typing.get_args(PowerAction)) == set(POWER)


@pytest.mark.parametrize("interface", interfaces(), ids=lambda c: f"{c.__module__}.{c.__name__}")
def test_versions_follow_each_other(interface):
    versions = [parse_version(v) for v in interface.history]
    assert versions == [(1, minor) for minor in range(len(versions))]
    assert all(text.endswith(".") for text in interface.history.values())
