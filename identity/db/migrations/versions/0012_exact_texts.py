"""Texts are compared to the letter on every database."""

from alembic import op

from common import migrate

revision = "0012"
down_revision = "0011"


def upgrade():
    migrate.compare_exactly(op)
