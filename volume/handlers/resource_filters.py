"""What the lists of this API can be filtered by, as the lists themselves have it."""

from volume.services import attachments, filters, snapshots, types, volumes

SINCE = (3, 33)
_BY_RESOURCE = {"volume": volumes.FILTERS, "snapshot": snapshots.FILTERS, "attachment": attachments.FILTERS,
                "volume_type": types.FILTERS}


def index(req):
    """One entry for each resource, or for that of the query; none for a resource that has no filters."""
    wanted = req.GET.get("resource")
    return {"resource_filters": [{"resource": resource, "filters": filters.names(req.call, known)}
                                 for resource, known in _BY_RESOURCE.items() if wanted in (None, "", resource)]}
