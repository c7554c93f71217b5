"""Who may reach what: the images and namespaces that a caller may know of, and then the rules about each.

As in Glance the rows come first: a private image of another project does not exist for a caller (404). Then the rules are
asked about the image. Who is refused by one is told its name (403), unless he may not even look at the image (404).
"""

import sqlalchemy as sa

from common import errors
from image.db import images, metadefs


def is_admin(req) -> bool:
    return req.svc.policy.allows(req.ctx, "context_is_admin", {})


def sees_all(req) -> bool:
    """Whether the caller sees the images of every project: an administrator, or a service that works for servers."""
    return is_admin(req) or req.svc.policy.allows(req.ctx, "service_api", {})


# Images -------------------------------------------------------------------------

def target(req, row: dict) -> dict:
    """What rules may ask of an image."""
    shared = row["visibility"] == "shared" and row["owner"] != req.ctx.project_id
    return {"project_id": row["owner"], "owner": row["owner"], "visibility": row["visibility"],
            "member_id": req.ctx.project_id if shared else None}


def allows(req, rule: str, row: dict) -> bool:
    return req.svc.policy.allows(req.ctx, rule, target(req, row))


def check(req, row: dict, *rules: str) -> None:
    """:raises Forbidden: one of the rules does not let the caller do this with an image that he may look at
    :raises NotFound: nor may he look at it
    """
    for rule in rules:
        if allows(req, rule, row):
            continue
        if rule == "get_image" or not allows(req, "get_image", row):
            raise errors.NotFound(images.absent(row["id"]))
        req.svc.policy.check(req.ctx, rule, target(req, row))


def image(req, connection, image_id: str, *rules: str) -> dict:
    """An image that the caller may know of, and do with what the rules are about; errors as of ``check``."""
    row = images.get(connection, image_id, images.THERE if sees_all(req) else images.visible(req.ctx.project_id))
    check(req, row, *rules)
    return row


# Namespaces of metadata definitions ----------------------------------------------

def visible_namespaces(req):
    """The WHERE of the namespaces that the caller may know of."""
    return sa.true() if is_admin(req) else metadefs.visible(req.ctx.project_id)


def _namespace_target(req, row: dict | None) -> dict:
    if row is None:
        return {"project_id": req.ctx.project_id}
    return {"project_id": row["owner"], "visibility": row["visibility"]}


def allows_of_namespace(req, rule: str, row: dict | None) -> bool:
    """:param row: the namespace; None: the rule is of all of them, or of one that is yet to be"""
    return req.svc.policy.allows(req.ctx, rule, _namespace_target(req, row))


def check_namespace(req, row: dict | None, *rules: str) -> None:
    """As ``check``: to whom namespaces are not shown there are none."""
    for rule in rules:
        if allows_of_namespace(req, rule, row):
            continue
        if rule == "get_metadef_namespace" or not allows_of_namespace(req, "get_metadef_namespace", row):
            raise errors.NotFound(metadefs.absent(row["namespace"]) if row else "The resource could not be found.")
        req.svc.policy.check(req.ctx, rule, _namespace_target(req, row))


def namespace(req, connection, name: str, *rules: str) -> dict:
    """A namespace that the caller may know of, and do with what the rules are about."""
    row = metadefs.get(connection, name, visible_namespaces(req))
    check_namespace(req, row, *rules)
    return row
