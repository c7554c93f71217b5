"""Discovery of the image API."""

_KNOWN = ("2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7")


def index(req):
    return {"versions": [{"id": f"v{v}", "status": "CURRENT" if v == _KNOWN[-1] else "SUPPORTED",
                          "links": [{"rel": "self", "href": f"{req.base_url()}/v2/"}]} for v in reversed(_KNOWN)]}
