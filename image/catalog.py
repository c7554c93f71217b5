"""The standard catalog of metadata definitions, and an operator's own: files of one namespace each, as the API has it."""

import json
import pathlib

import sqlalchemy as sa

from common import conf, errors, schema
from image.db import metadefs
from image.schemas.metadefs import NAMESPACE

STANDARD = conf.etc_dir() / "metadefs"
_CHECK = schema.compiled(NAMESPACE)


def load(connection, directory: pathlib.Path, owner: str) -> tuple[list[str], list[str]]:
    """Add the namespaces of a directory's files; one that is there stays as it is.

    :param owner: id of the project that they belong to, where they do not say
    :returns: (names that were added, names that were there)
    :raises BadRequest: a file is no namespace; none of them was added
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
    """The catalog of a new cloud. Who took a namespace away later does not get it back."""
    with database.writer() as connection:
        if connection.execute(sa.select(metadefs.NAMESPACES.c.id).limit(1)).first() is None:
            load(connection, STANDARD, "admin")
