"""The catalog of metadata definitions, standard or an operator's: files with one namespace each, in the API's format."""

import json
import pathlib

import sqlalchemy as sa

from common import conf, errors, schema
from image.db import metadefs
from image.schemas.metadefs import NAMESPACE

STANDARD = conf.etc_dir() / "metadefs"
_CHECK = schema.compiled(NAMESPACE)


def load(connection, directory: pathlib.Path, owner: str) -> tuple[list[str], list[str]]:
    """Add the namespaces in a directory's files; existing ones are unchanged.

    :param owner: id of the project that owns namespaces without an owner
    :returns: (names of added namespaces, names of existing ones)
    :raises BadRequest: a file is not a namespace; none was added
    """
    there = set(connection.execute(sa.select(metadefs.NAMESPACES.c.namespace)).scalars())
    added, kept = [], []
    for path in sorted(directory.glob("*.json")):
        try:
            given = json.loads(path.read_text())
            _CHECK(given)
        except (ValueError, errors.BadRequest) as error:
            raise errors.BadRequest(f"{path} is not a namespace of metadata definitions: {error}") from error
        if given["namespace"] in there:
            kept.append(given["namespace"])
        else:
            metadefs.add(connection, given, owner)
            added.append(given["namespace"])
    return added, kept


def load_standard(database) -> None:
    """Load the catalog into a new cloud, once: namespaces that are deleted later are not added again."""
    with database.writer() as connection:
        if connection.execute(sa.select(metadefs.NAMESPACES.c.id).limit(1)).first() is None:
            load(connection, STANDARD, "admin")
