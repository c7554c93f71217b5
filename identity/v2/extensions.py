"""The supported extensions of v2.0."""

from common import errors

_TEXTS = {
    "OS-KSADM": ("OpenStack Keystone Admin", "OpenStack extensions to Identity v2.0 API enabling Administrative Operations."),
    "OS-KSCRUD": ("OpenStack Keystone User CRUD", "OpenStack extensions to Identity v2.0 API enabling User Operations."),
    "OS-EC2": ("OpenStack EC2 API", "OpenStack EC2 Credentials backend."),
}
_ALL = {alias: {"alias": alias, "name": name, "description": text, "links": [], "updated": "2013-07-11T17:14:00-00:00",
                "namespace": f"https://docs.openstack.org/identity/api/ext/{alias}/v1.0"}
        for alias, (name, text) in _TEXTS.items()}


def index(req):
    return {"extensions": {"values": list(_ALL.values())}}


def show(req, alias):
    if alias not in _ALL:
        raise errors.NotFound(f"Could not find extension: {alias}.")
    return {"extension": _ALL[alias]}
