"""Access to images and metadata namespaces: first which of them the caller sees, then the policy rules about them.

As in Glance, a private image of another project does not exist for the caller (404). Then the rules are checked against the
image; a refusal names the rule (403), unless the caller may not even show the image (404).
"""

from common import errors, rows
from common.calls import Call
from image.db import images, metadefs

# Images -------------------------------------------------------------------------

def target(call: Call, row: dict) -> dict:
    """The attributes of an image that rules are checked against."""
    shared = row["visibility"] == "shared" and row["owner"] != call.ctx.project_id
    return {"project_id": row["owner"], "owner": row["owner"], "visibility": row["visibility"],
            "member_id": call.ctx.project_id if shared else None}


def allows(call: Call, rule: str, row: dict) -> bool:
    return call.svc.policy.allows(call.ctx, rule, target(call, row))


def check(call: Call, row: dict, *rules: str) -> None:
    """:raises Forbidden: one of the rules refuses, and the caller may show the image
    :raises NotFound: one of the rules refuses, and the caller may not show the image
    """
    for rule in rules:
        if allows(call, rule, row):
            continue
        if rule == "get_image" or not allows(call, "get_image", row):
            raise errors.NotFound(images.absent(row["id"]))
        call.svc.policy.check(call.ctx, rule, target(call, row))


def image(call: Call, connection, image_id: str, *rules: str) -> dict:
    """An image that the caller sees and that the rules allow. Errors as in ``check``."""
    seen = images.THERE if call.svc.policy.sees_all_projects(call.ctx) else images.visible(call.ctx.project_id)
    row = images.get(connection, image_id, seen)
    check(call, row, *rules)
    return row


# Namespaces of metadata definitions ----------------------------------------------

def visible_namespaces(call: Call):
    """The WHERE of the namespaces that the caller sees."""
    return rows.ALL if call.svc.policy.is_admin(call.ctx) else metadefs.visible(call.ctx.project_id)


def _namespace_target(call: Call, row: dict | None) -> dict:
    if row is None:
        return {"project_id": call.ctx.project_id}
    return {"project_id": row["owner"], "visibility": row["visibility"]}


def allows_of_namespace(call: Call, rule: str, row: dict | None) -> bool:
    """:param row: the namespace; None: the rule is about all of them or about a new one"""
    return call.svc.policy.allows(call.ctx, rule, _namespace_target(call, row))


def check_namespace(call: Call, row: dict | None, *rules: str) -> None:
    """As ``check``, for a namespace."""
    for rule in rules:
        if allows_of_namespace(call, rule, row):
            continue
        if rule == "get_metadef_namespace" or not allows_of_namespace(call, "get_metadef_namespace", row):
            raise errors.NotFound(metadefs.absent(row["namespace"]) if row else "The resource could not be found.")
        call.svc.policy.check(call.ctx, rule, _namespace_target(call, row))


def namespace(call: Call, connection, name: str, *rules: str) -> dict:
    """A namespace that the caller sees and that the rules allow."""
    row = metadefs.get(connection, name, visible_namespaces(call))
    check_namespace(call, row, *rules)
    return row
