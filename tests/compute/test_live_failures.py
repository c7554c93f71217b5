"""A live migration that libvirt could not complete: whose fault it was decides whether it is tried again."""

import threading
import types

import libvirt
import pytest

from common import errors
from compute_agent.virt.libvirt.driver import LibvirtDriver
from compute_agent.virt.libvirt.host import guarded
from compute_agent.virt.libvirt.live import _Running


class Lost(libvirt.libvirtError):
    """What libvirt raises where a connection ended, be it that of two hosts' libvirtd."""

    def __init__(self):
        super().__init__("End of file while reading data")

    def get_error_domain(self):
        return libvirt.VIR_FROM_RPC

    def get_error_code(self):
        return libvirt.VIR_ERR_INTERNAL_ERROR


class Domain:
    def __init__(self, own_is_there: bool):
        self._own_is_there = own_is_there

    def migrate(self):
        raise Lost()

    def isActive(self):
        if not self._own_is_there:
            raise Lost()
        return 1


@pytest.mark.parametrize(("own_is_there", "expected"), [(True, errors.StepFailed), (False, errors.ServiceUnavailable)])
def test_only_a_loss_of_the_own_libvirtd_is_tried_again(own_is_there, expected):
    domain = Domain(own_is_there)
    running = _Running(lambda: guarded(domain.migrate))
    assert running.ended.wait(20)
    with pytest.raises(expected):
        LibvirtDriver._follow(types.SimpleNamespace(_failure=LibvirtDriver._failure), domain, running, lambda progress: None)
    assert not [t for t in threading.enumerate() if t.name == "migration"]
