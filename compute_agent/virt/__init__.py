"""Hypervisor drivers."""

import importlib

_DRIVERS = {"libvirt": "compute_agent.virt.libvirt.driver:LibvirtDriver",
            "fake": "compute_agent.virt.fake:FakeDriver"}


def load(conf):
    """The driver that the configuration names."""
    module, _, name = _DRIVERS[conf.agent.virt_driver].partition(":")
    return getattr(importlib.import_module(module), name)(conf)
