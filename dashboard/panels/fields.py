"""Fields and values that several panels have in common."""

from dashboard.forms import Field
from dashboard.panel import Row

# The row of a tab that an action is for.
TARGET = Field("target", "Target", "hidden", required=True)
DESCRIPTION = Field("description", "Description")


def name_and_description(req, row) -> list[Field]:
    return [Field("name", "Name", required=True, initial=row["name"]),
            Field("description", "Description", initial=row.get("description") or "")]


def enabled(row: Row) -> bool:
    return row["enabled"]


def shown(values: dict) -> list[str]:
    """A dictionary as lines of a cell."""
    return [f"{k} = {v}" for k, v in sorted(values.items())]


def typed(values: dict) -> str:
    """A dictionary as one types it into a form: the inverse of ``forms.pairs``."""
    return "\n".join(f"{k}={v}" for k, v in sorted(values.items()))
