"""How a rescued server's disks are arranged, which the properties of the rescue image decide.

Usually the rescue disk takes the place of the root disk, and the guest's own is the second. If the image names a device or a bus
for it, the rescue disk is added: all other disks, volumes too, keep their places.

Source: the compute service's documentation, "Rescue an instance", stable device rescue.
"""

import dataclasses

DEVICE, BUS = "hw_rescue_device", "hw_rescue_bus"
BUSES = {"disk": ("virtio", "scsi", "sata", "usb", "ide"), "cdrom": ("ide", "sata", "scsi", "usb")}


@dataclasses.dataclass(frozen=True)
class Added:
    """A rescue disk beside all others: its device and its bus."""

    device: str
    bus: str


def added(image: dict | None) -> Added | None:
    """:param image: {"properties"}; None: the server is not rescued
    :returns: None: the rescue disk takes the place of the root disk
    :raises ValueError: the image names a device or a bus that rescue disks cannot have
    """
    properties = (image or {}).get("properties") or {}
    if not (properties.get(DEVICE) or properties.get(BUS)):
        return None
    device = properties.get(DEVICE) or "disk"
    buses = BUSES.get(device, ())
    bus = properties.get(BUS) or next(iter(buses), "")
    if bus not in buses:
        raise ValueError(f"a rescue disk cannot be a {device}" + (f" on the bus {bus}" if buses else ""))
    return Added(device, bus)
