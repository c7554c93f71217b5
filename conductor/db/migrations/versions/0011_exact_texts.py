"""Texts are compared to the letter on every database."""

from alembic import op

from common import migrate

revision = "0011"
down_revision = "0010"


def upgrade():
    migrate.compare_exactly(op)
