"""Where the rescue disk goes, by the properties of the rescue image."""

import pytest

from common import rescue


@pytest.mark.parametrize(("properties", "expected"), [
    ({}, None), ({"hw_disk_bus": "scsi"}, None),
    ({"hw_rescue_device": "disk"}, ("disk", "virtio")), ({"hw_rescue_bus": "usb"}, ("disk", "usb")),
    ({"hw_rescue_device": "cdrom"}, ("cdrom", "ide")),
    ({"hw_rescue_device": "cdrom", "hw_rescue_bus": "sata"}, ("cdrom", "sata"))])
def test_the_image_says_where(properties, expected):
    found = rescue.added({"properties": properties})
    assert (found and (found.device, found.bus)) == expected


@pytest.mark.parametrize("properties", [
    {"hw_rescue_device": "floppy"}, {"hw_rescue_bus": "lxc"}, {"hw_rescue_device": "cdrom", "hw_rescue_bus": "virtio"}])
def test_what_a_rescue_disk_cannot_be(properties):
    with pytest.raises(ValueError, match="cannot be"):
        rescue.added({"properties": properties})


def test_servers_that_are_not_rescued():
    assert rescue.added(None) is None
