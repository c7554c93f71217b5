"""Hypervisor drivers."""

import importlib

_DRIVERS = {"libvirt": "compute_agent.virt.libvirt.driver:LibvirtDriver",
            "lxc": "compute_agent.virt.lxc.driver:LxcDriver",
            "fake": "compute_agent.virt.fake:FakeDriver"}


def load(conf):
    """The driver that the configuration names: libvirt drives virtual machines, or containers."""
    chosen = conf.agent.virt_driver
    containers = chosen == "libvirt" and conf.libvirt.virt_type == "lxc"
    module, _, name = _DRIVERS["lxc" if containers else chosen].partition(":")
    return getattr(importlib.import_module(module), name)(conf)
