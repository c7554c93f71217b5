"""Discovery of the identity API."""

import json

from common import wsgi


def _v3(req) -> dict:
    return {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{req.base_url()}/v3/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]}


def _v2(req) -> dict:
    return {"id": "v2.0", "status": "deprecated", "updated": "2016-08-04T00:00:00Z",
            "links": [{"rel": "self", "href": f"{req.base_url()}/v2.0/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v2.0+json"}]}


# The resources in JSON Home: clients find the path of "rel/user" there, and replace "user_id".
_NOUNS = {"domain": "domains", "project": "projects", "user": "users", "group": "groups", "role": "roles", "region": "regions",
          "service": "services", "endpoint": "endpoints", "policy": "policies", "credential": "credentials", "limit": "limits",
          "registered_limit": "registered_limits"}
_REL, _PARAM = ("https://docs.openstack.org/api/openstack-identity/3/rel/", "https://docs.openstack.org/api/openstack-identity/3/param/")


def home(prefix: str) -> dict:
    """The resources in the form of JSON Home (draft-nottingham-json-home-03), their paths below ``prefix``."""
    found: dict = {}
    for name in ("tokens", "catalog", "projects", "domains", "system"):
        found[f"{_REL}auth_{name}"] = {"href": f"{prefix}/auth/{name}"}
    for noun, plural in _NOUNS.items():
        found[_REL + plural] = {"href": f"{prefix}/{plural}"}
        found[_REL + noun] = {"href-template": f"{prefix}/{plural}/{{{noun}_id}}",
                              "href-vars": {f"{noun}_id": f"{_PARAM}{noun}_id"}}
    found[f"{_REL}role_assignments"] = {"href": f"{prefix}/role_assignments"}
    return {"resources": found}


def _as_home(req, prefix: str) -> wsgi.Response | None:
    """JSON Home, if the header Accept asks for it."""
    if "application/json-home" not in req.headers.get("Accept", ""):
        return None
    return wsgi.Response(body=json.dumps(home(prefix)).encode(), content_type="application/json-home")


def index(req):
    wanted = _as_home(req, "/v3")
    if wanted is not None:
        return wanted
    return {"versions": {"values": [_v3(req), _v2(req)]}}


def show_v2(req) -> dict:
    return {"version": _v2(req)}


def show(req):
    wanted = _as_home(req, "")
    if wanted is not None:
        return wanted
    return {"version": _v3(req)}
