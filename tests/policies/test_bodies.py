"""The bodies of compute's requests have the members that OpenStack's have, in some microversion."""

import re

import pytest

from compute_api import image_properties
from compute_api.schemas import actions, attachments, consoles, flavors, keypairs, server_groups, servers
from tests.policies.bodies import reference
from tests.tenancy.frame import properties


def _action(name: str, *more: dict) -> list[dict]:
    return [{"properties": {name: body}} for body in (actions.SCHEMAS[name], *more)]


# The request in OpenStack -> its bodies here.
BODIES: dict[str, list[dict]] = {
    "servers.create": [servers.CREATE], "servers.update": [servers.UPDATE_BODY], "servers.rebuild": _action("rebuild"),
    "servers.resize": _action("resize"), "servers.reboot": _action("reboot"), "servers.create_image": _action("createImage"),
    "evacuate.evacuate": _action("evacuate"), "rescue.rescue": _action("rescue"), "create_backup.create_backup":
    _action("createBackup"), "remote_consoles.create": list(consoles.CREATE.values()), "flavors.create": [flavors.CREATE],
    "flavors.update": [flavors.UPDATE], "volume_attachments.create": [attachments.BODY],
    "volume_attachments.update": [attachments.UPDATE], "keypairs.create": [keypairs.BODY],
    "server_groups.create": [server_groups.OLD, server_groups.NEW],
}
# What differs -> why.
MEANT: dict[str, dict[str, str]] = {"servers.create": {
    "server/(os:|OS-SCH-HNT:)scheduler_hints.*": "clients of OpenStack's first releases put them there",
    "(os:|OS-SCH-HNT:)scheduler_hints/hosts": "checked here, because it is for administrators; there any name is a hint",
    r"server/block_device_mapping(\[\].*)?": "the mapping before block_device_mapping_v2",
    r"server/block_device_mapping_v2\[\]/(connection_info|image_id|snapshot_id|virtual_name)": "its members, without effect",
}}


@pytest.mark.parametrize("name", BODIES)
def test_bodies_have_the_members_of_openstacks(name):
    different = set().union(*map(properties, BODIES[name])) ^ set(reference()["bodies"][name])
    meant = {pattern: {path for path in different if re.fullmatch(pattern, path)} for pattern in MEANT.get(name, {})}
    assert different == set().union(*meant.values())
    assert all(meant.values()), "these do not differ any more"


def test_the_properties_of_images_that_servers_show():
    names = reference()["image_properties"]
    assert len(names) > 100
    assert image_properties.shown({"properties": {**dict.fromkeys(names, "x"), "own": "y"}}) == dict.fromkeys(names, "x")
