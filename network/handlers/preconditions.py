"""``If-Match: revision_number=5``: change the resource only if it still has that revision."""

import re

from common import errors

_PREFIX = "revision_number="


def revision(req) -> int | None:
    """The revision that a request requires. Other entity tags are ignored, as in OpenStack.

    :raises BadRequest: it contains several revisions, or one that is not a number
    """
    tags = [tag for tag in getattr(req.if_match, "etags", ()) if tag.startswith(_PREFIX)]
    if len(tags) > 1:
        raise _bad("Multiple revision_number etags are not supported.")
    if tags and not re.fullmatch("-?[0-9]{1,18}", tags[0].removeprefix(_PREFIX)):
        raise _bad("Revision number etag must be in the format of revision_number=<int>")
    return int(tags[0].removeprefix(_PREFIX)) if tags else None


def _bad(text: str) -> errors.BadRequest:
    return errors.BadRequest(f"Bad if-match request: {text}.".replace("..", "."), kind="BadRequest")


def of_request(req, resources: frozenset[str]) -> dict:
    """Refuse a required revision on a resource that has none, before any handler runs.

    :param resources: the collections whose rows have revisions, by the names in paths
    :returns: no headers
    :raises BadRequest: the resource has no revisions
    """
    if revision(req) is not None and req.method not in ("GET", "HEAD", "POST"):
        collection = req.path_info.removeprefix("/v2.0/").split("/", 1)[0]
        if collection not in resources:
            raise errors.BadRequest(f"Bad {collection} request: Revision matching not supported for this resource.")
    return {}
