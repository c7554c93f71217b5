"""Tables of the image database."""

import sqlalchemy as sa

from common.db import MOMENT, NAMING

METADATA = sa.MetaData(naming_convention=NAMING)

images = sa.Table(
    "images", METADATA,
    sa.Column("id", sa.String(36), primary_key=True), sa.Column("name", sa.String(255), index=True),
    sa.Column("status", sa.String(30), nullable=False), sa.Column("visibility", sa.String(12), nullable=False),
    sa.Column("owner", sa.String(64), index=True), sa.Column("disk_format", sa.String(20)),
    sa.Column("container_format", sa.String(20)), sa.Column("size", sa.BigInteger),
    sa.Column("virtual_size", sa.BigInteger), sa.Column("checksum", sa.String(32)),
    sa.Column("os_hash_algo", sa.String(64)), sa.Column("os_hash_value", sa.String(128)),
    sa.Column("min_disk", sa.Integer, nullable=False), sa.Column("min_ram", sa.Integer, nullable=False),
    sa.Column("protected", sa.Boolean, nullable=False), sa.Column("os_hidden", sa.Boolean, nullable=False),
    sa.Column("properties", sa.JSON, nullable=False), sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False, index=True),
    sa.Column("updated_at", MOMENT, nullable=False))
