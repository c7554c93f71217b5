"""Discovery of the placement API, and its range of microversions.

All steps of OpenStack's API are true of what can be read here. Hosts are providers without others beneath or beside them, so
steps about nested providers change the shape of answers only. Steps about requests that write change nothing.
"""

from compute_api.placement.handlers.answers import answer

MINIMUM, MAXIMUM = (1, 0), (1, 39)


def index(req):
    return answer(req, {"versions": [{
        "id": "v1.0", "max_version": "%d.%d" % MAXIMUM, "min_version": "%d.%d" % MINIMUM, "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}]}]})
