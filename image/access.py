"""Access to images and metadata namespaces: first which of them the caller sees, then the policy rules about them.

As in Glance, a private image of another project does not exist for the caller (404). Then the rules are checked against the
image; a refusal names the rule (403), unless the caller may not even show the image (404).
"""

from common import errors, rows
from image.db import images, metadefs

# Images -------------------------------------------------------------------------

def target(req, row: dict) -> dict:
    """The attributes of an image that rules are checked against."""
    shared = row["visibility"] == "shared" and row["owner"] != req.ctx.project_id
    return {"project_id": row["owner"], "owner": row["owner"], "visibility": row["visibility"],
            "member_id": req.ctx.project_id if shared else None}


def allows(req, rule: str, row: dict) -> bool:
    return req.svc.policy.allows(req.ctx, rule, target(req, row))


def check(req, row: dict, *rules: str) -> None:
    """:raises Forbidden: one of the rules refuses, and the caller may show the image
    :raises NotFound: one of the rules refuses, and the caller may not show the image
    """
    for rule in rules:
        if allows(req, rule, row):
            continue
        if rule == "get_image" or not allows(req, "get_image", row):
            raise errors.NotFound(images.absent(row["id"]))
        req.svc.policy.check(req.ctx, rule, target(req, row))


def image(req, connection, image_id: str, *rules: str) -> dict:
    """An image that the caller sees and that the rules allow. Errors as in ``check``."""
    seen = images.THERE if req.svc.policy.sees_all_projects(req.ctx) else images.visible(req.ctx.project_id)
    row = images.get(connection, image_id, seen)
    check(req, row, *rules)
    return row


# Namespaces of metadata definitions ----------------------------------------------

def visible_namespaces(req):
    """The WHERE of the namespaces that the caller sees."""
    return rows.ALL if req.svc.policy.is_admin(req.ctx) else metadefs.visible(req.ctx.project_id)


def _namespace_target(req, row: dict | None) -> dict:
    if row is None:
        return {"project_id": req.ctx.project_id}
    return {"project_id": row["owner"], "visibility": row["visibility"]}


def allows_of_namespace(req, rule: str, row: dict | None) -> bool:
    """:param row: the namespace; None: the rule is about all of them or about a new one"""
    return req.svc.policy.allows(req.ctx, rule, _namespace_target(req, row))


def check_namespace(req, row: dict | None, *rules: str) -> None:
    """As ``check``, for a namespace."""
    for rule in rules:
        if allows_of_namespace(req, rule, row):
            continue
        if rule == "get_metadef_namespace" or not allows_of_namespace(req, "get_metadef_namespace", row):
            raise errors.NotFound(metadefs.absent(row["namespace"]) if row else "The resource could not be found.")
        req.svc.policy.check(req.ctx, rule, _namespace_target(req, row))


def namespace(req, connection, name: str, *rules: str) -> dict:
    """A namespace that the caller sees and that the rules allow."""
    row = metadefs.get(connection, name, visible_namespaces(req))
    check_namespace(req, row, *rules)
    return row
