"""Discovery of the image API."""

# 2.8 to 2.17: several stores, hidden, import into stores, delete from a store, tasks, usage, cache, quotas, locations.
_KNOWN = tuple(f"2.{minor}" for minor in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17))


def index(req):
    known = [(v, "CURRENT" if v == _KNOWN[-1] else "SUPPORTED") for v in reversed(_KNOWN)]
    return {"versions": [{"id": f"v{v}", "status": status, "links": [{"rel": "self", "href": f"{req.base_url()}/v{v[0]}/"}]}
                         for v, status in [*known, ("1.1", "DEPRECATED"), ("1.0", "DEPRECATED")]]}
