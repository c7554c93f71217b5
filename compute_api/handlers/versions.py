"""Discovery of the compute API, and its range of microversions.

``HISTORY`` lists the microversions that change a route of Pileus. Microversions of what it does not have
(accelerators, cells that are down) change nothing here.

Source: the REST API version history of the compute API.
"""

from common import errors
from compute_api import extensions as known

MINIMUM, MAXIMUM = (2, 1), (2, 104)
HISTORY = {
    (2, 2): "key pairs have a type", (2, 3): "admins see more attributes of servers, and delete_on_termination",
    (2, 6): "consoles have a resource of their own", (2, 8): "MKS consoles, which are refused here",
    (2, 9): "servers show whether they are locked", (2, 10): "admins use key pairs of others by user_id",
    (2, 11): "services can be forced down", (2, 13): "server groups show project and user",
    (2, 14): "evacuations do not say whether disks are shared",
    (2, 15): "soft policies of server groups", (2, 16): "servers show their host's status to admins",
    (2, 17): "crash dumps of servers",
    (2, 18): "no project in paths", (2, 19): "servers have a description", (2, 21): "actions of deleted servers",
    (2, 26): "servers have tags", (2, 28): "hypervisors show cpu_info as an object",
    (2, 29): "evacuations can be forced to a host",
    (2, 31): "tokens of consoles are shown", (2, 35): "key pairs are paged",
    (2, 37): "networks of a new server must be named, or auto or none",
    (2, 38): "an unknown status filter is refused", (2, 47): "servers embed their flavor",
    (2, 48): "diagnostics have one format for all hypervisors",
    (2, 51): "events of actions for everybody", (2, 52): "tags when a server is made",
    (2, 53): "services and hypervisors are known by UUID", (2, 54): "rebuild with another key",
    (2, 55): "flavors have a description", (2, 57): "no injected files; rebuild with other user data",
    (2, 58): "actions are paged and tell their update time", (2, 60): "volumes of several servers",
    (2, 61): "flavors embed their extra specs",
    (2, 62): "events of actions tell the host", (2, 63): "trusted image certificates are shown, and refused when given",
    (2, 64): "server groups have one policy, with rules", (2, 66): "lists are filtered by changes-before",
    (2, 67): "new volumes of a server have a type",
    (2, 68): "evacuations are not forced any more", (2, 70): "attachments show their tag",
    (2, 71): "a server shows its groups", (2, 73): "a lock has a reason", (2, 74): "admins choose a new server's host",
    (2, 75): "unknown query parameters are refused; updates answer with the whole server; swap is a number",
    (2, 77): "servers are unshelved to a zone",
    (2, 78): "a server's NUMA topology, which is none here", (2, 79): "attached volumes may go with their server",
    (2, 83): "everybody filters servers by more", (2, 84): "events of actions tell details",
    (2, 85): "whether a volume goes with its server can be changed",
    (2, 86): "extra specs that OpenStack defines are validated",
    (2, 87): "servers that boot from a volume are rescued",
    (2, 88): "hypervisors show their uptime, and no resources", (2, 89): "attachments show the ids of theirs and of their device",
    (2, 90): "servers are given a host name, which everybody sees",
    (2, 91): "servers are unshelved to a host, or unpinned from their zone",
    (2, 92): "key pairs are not generated, and have more characters in their names",
    (2, 93): "the volume of a server that boots from one gets the image when it is rebuilt",
    (2, 94): "a host name may have a domain",
    (2, 95): "evacuated servers are stopped", (2, 96): "servers show the zone that they are pinned to",
    (2, 97): "shared file systems of servers, which are refused here", (2, 98): "servers show properties of their image",
    (2, 99): "direct SPICE consoles, which are refused here", (2, 100): "servers show their scheduler hints",
    (2, 101): "attaching a volume does not wait for a device's name",
    (2, 102): "flavors are filtered by name and have no rxtx_factor; no request takes unknown query parameters",
    (2, 103): "os-volumes_boot ended, which is not here", (2, 104): "servers are pinned to their zone, and unpinned",
}


def _v21(req) -> dict:
    return {"id": "v2.1", "status": "CURRENT", "version": "%d.%d" % MAXIMUM, "min_version": "%d.%d" % MINIMUM,
            "updated": "2013-07-23T11:33:21Z", "links": [{"rel": "self", "href": f"{req.base_url()}/v2.1/"}]}


def _v20(req) -> dict:
    """2.0 is 2.1 without microversions, under a path of its own."""
    return {"id": "v2.0", "status": "SUPPORTED", "version": "", "min_version": "", "updated": "2011-01-21T11:33:21Z",
            "links": [{"rel": "self", "href": f"{req.base_url()}/v2/"}]}


def index(req):
    return {"versions": [_v20(req), _v21(req)]}


def show(req):
    media = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2.1"}]
    return {"version": {**_v21(req), "media-types": media}}


def show_legacy(req):
    media = [{"base": "application/json", "type": "application/vnd.openstack.compute+json;version=2"}]
    return {"version": {**_v20(req), "media-types": media}}


def extensions(req):
    """Those of the time when features were extensions, for clients that look for them."""
    req.svc.policy.check(req.ctx, "os_compute_api:extensions", {})
    return {"extensions": [known.view(alias) for alias in known.NAMES]}


def extension(req, alias):
    req.svc.policy.check(req.ctx, "os_compute_api:extensions", {})
    if alias not in known.NAMES:
        raise errors.NotFound("The resource could not be found.")
    return {"extension": known.view(alias)}
