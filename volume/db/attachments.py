"""Queries on attachments."""

from volume.db import models, volumes

TABLE = models.attachments


def get(connection, project_id: str | None, attachment_id: str) -> dict:
    """An attachment of a project's volume, or of any (None). :raises NotFound: there is none"""
    return volumes.of_project(connection, project_id, TABLE, attachment_id,
                              f"Volume attachment could not be found with filter: attachment_id = {attachment_id}.")
