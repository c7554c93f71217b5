"""Discovery of the volume API, and the range of its microversions.

The microversions that change a route of Pileus: 3.12 volume summary; 3.22 snapshots by metadata; 3.27 attachments as
a resource; 3.31 that unknown filters are refused; 3.33 what lists can be filtered by; 3.34 filters by a part of a
value; 3.42 extending volumes in use; 3.44 the completion of attachments as an action; 3.45 counts of lists; 3.48
whether targets are shared; 3.49 the state of backends; 3.52 types by extra specs; 3.54 the mode of an attachment;
3.60 lists by time (as in Cinder they work from 3.31 on); 3.61 clusters' names; 3.63 the type's id; 3.65 what counts
against quotas; 3.66 snapshots of volumes in use without force; 3.67 paths without a project; 3.68 new images on
existing volumes. Microversions of resources that Pileus does not have (groups, backups, clusters, transfers, encryption,
default types of projects) change nothing here.
"""

from common import wsgi

MINIMUM, MAXIMUM = (3, 0), (3, 68)


def _v3(req) -> dict:
    return {"id": "v3.0", "status": "CURRENT", "version": "%d.%d" % MAXIMUM, "min_version": "%d.%d" % MINIMUM,
            "updated": "2018-03-27T00:00:00Z", "links": [{"rel": "self", "href": f"{req.base_url()}/v3/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}]}


def index(req):
    return wsgi.json_response({"versions": [_v3(req)]}, 300)


def show(req):
    return {"versions": [_v3(req)]}
