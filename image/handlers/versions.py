"""Discovery of the image API."""

_KNOWN = ("2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7")


def index(req):
    known = [(v, "CURRENT" if v == _KNOWN[-1] else "SUPPORTED") for v in reversed(_KNOWN)]
    return {"versions": [{"id": f"v{v}", "status": status, "links": [{"rel": "self", "href": f"{req.base_url()}/v{v[0]}/"}]}
                         for v, status in [*known, ("1.1", "DEPRECATED"), ("1.0", "DEPRECATED")]]}
