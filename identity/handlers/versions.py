"""Discovery of the identity API."""


def _v3(req) -> dict:
    return {"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{req.base_url()}/v3/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}]}


def _v2(req) -> dict:
    return {"id": "v2.0", "status": "deprecated", "updated": "2016-08-04T00:00:00Z",
            "links": [{"rel": "self", "href": f"{req.base_url()}/v2.0/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v2.0+json"}]}


def index(req) -> dict:
    return {"versions": {"values": [_v3(req), _v2(req)]}}


def show_v2(req) -> dict:
    return {"version": _v2(req)}


def show(req) -> dict:
    return {"version": _v3(req)}
