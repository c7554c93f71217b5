"""The filters of the lists of this API, from the definitions that the lists use."""

from volume.services import attachments, filters, snapshots, types, volumes

SINCE = (3, 33)
_BY_RESOURCE = {"volume": volumes.FILTERS, "snapshot": snapshots.FILTERS, "attachment": attachments.FILTERS,
                "volume_type": types.FILTERS}


def index(req):
    """One entry per resource, or only that in the query; none for a resource without filters."""
    wanted = req.GET.get("resource")
    return {"resource_filters": [{"resource": resource, "filters": filters.names(req.call, known)}
                                 for resource, known in _BY_RESOURCE.items() if wanted in (None, "", resource)]}
