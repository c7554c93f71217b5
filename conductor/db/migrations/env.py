"""Alembic environment; the work is shared by all services."""

from alembic import context

from common.migrate import run_env

run_env(context)
