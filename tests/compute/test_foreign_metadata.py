"""A host starts whatever the definitions of guests say that it finds."""

import types

import pytest

from compute_agent.virt.libvirt import capabilities
from compute_agent.virt.libvirt import driver as driver_module
from compute_agent.virt.libvirt.driver import LibvirtDriver
from compute_agent.virt.libvirt.pinning import Pinning

KNOWN = capabilities.Capabilities((), (), (), frozenset(range(8)))


class Domain:
    def __init__(self, uuid: str, metadata: str):
        self.UUIDString = lambda: uuid
        self.metadata = lambda kind, uri: metadata


@pytest.mark.parametrize("wrong", ["<x reserved='all'/>", "<x memory='all'/>", "<x memory='0:1,'/>", "<x"])
def test_what_cannot_be_read_is_left_out(monkeypatch, wrong):
    domains = [Domain("one", wrong), Domain("two", "<x reserved='2,3'/>")]
    monkeypatch.setattr(driver_module.capabilities, "read", lambda *about, **more: KNOWN)
    driver = types.SimpleNamespace(
        _capabilities=("", None), generation=lambda: "1", users=types.SimpleNamespace(on=True), virt_type="qemu",
        dedicated=KNOWN.dedicated, pinning=Pinning(),
        watched=types.SimpleNamespace(call=lambda method, *arguments: domains))
    assert LibvirtDriver._read(driver) is KNOWN and driver.pinning.free(KNOWN.dedicated) == {0, 1, 4, 5, 6, 7}
