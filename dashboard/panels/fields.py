"""Fields, values and actions that several panels have in common."""

import typing

from common.rest import Path
from dashboard import forms, session
from dashboard.asks import Ask, do, send
from dashboard.forms import Field
from dashboard.panel import Action, Row
from dashboard.texts import Text

# What the list of all projects says if it has no rows.
NONE_OF_ALL = Text("No project has any yet. What projects create is listed here.")
# The row of a tab that an action is for.
TARGET = Field("target", "Target", "hidden", required=True, preset=True)
DESCRIPTION = Field("description", "Description")
PUBLIC = Field("public", "Public", "check", initial=True,
               help="All projects may use it. Otherwise, only those that are given access.")


def deletion(service: str, where: typing.Callable[[str], Path], *, ask: str, danger: str = "danger",
             done: str = "{name} was deleted.", **more) -> Action:
    """The action that deletes a resource.

    :param where: id -> path
    :param more: as of ``Action``
    """
    return Action("delete", "Delete", lambda req, id, values, row: do(req, "DELETE", service, where(id)),
                  ask=ask, danger=danger, done=done, leaves=True, **more)


def of_project(req, project: str | None) -> dict[str, str]:
    """The query for what a project has, of an API that lists the session's. Administrators may ask for another's."""
    active = session.required(req)
    return {"all_tenants": "1", "project_id": project} if project and project != active.project_id and active.admin else {}


def name_and_description(req, row) -> list[Field]:
    return [Field("name", "Name", required=True, initial=row["name"]),
            Field("description", "Description", initial=row.get("description") or "")]


def enabled(row: Row) -> bool:
    return row["enabled"]


def memory(mib: int) -> str:
    return f"{forms.gib(mib)} GiB"


def link_names(req, rows: list[Row], named: Ask, *, key: str, member: str, pages: str) -> None:
    """Give each row a link to another resource, by its name, or by its id where there is none.

    :param named: asks for those resources
    :param key: of the rows, with the id
    :param member: of the rows, for the link
    :param pages: the path of the panel of those resources
    """
    names = {each["id"]: each["name"] for each in send(req, named)} if rows else {}
    for row in rows:
        row[member] = [(f"{pages}/{row[key]}/", names.get(row[key]) or row[key])]


def sized(rows: typing.Iterable[Row]) -> forms.Options:
    """The options of a choice among volumes or snapshots: by name, with the size."""
    return forms.named({**row, "name": f"{row['name'] or row['id']} ({row['size']} GiB)"} for row in rows)


def shown(values: dict) -> list[str]:
    """A dictionary as lines of a cell."""
    return [f"{k} = {v}" for k, v in sorted(values.items())]


def _is_line(key: str, value) -> bool:
    """Whether an entry can be a line of a form: it is read again as it is. Line breaks and signs of other entries are not."""
    text = f"{key}={value}"
    return bool(key.strip()) and not any(c < " " for c in text) and forms.pairs(text) == {key: value}


def pairs_field(name: str, label: str, values: dict, *, example: str = "", rows: int = 4) -> Field:
    """The field in which a dictionary is edited, one key=value a line. Entries that cannot be lines are left out of it."""
    lines = {k: v for k, v in values.items() if _is_line(k, v)}
    others = len(values) - len(lines)
    help = Text("{what} {others}", what=Text("One key=value per line. What is not listed here is removed."), others=Text(
        "{count} that cannot be written as a line stay as they are.", count=others) if others else example)
    return Field(name, label, "area", help=help, rows=rows, max_length=60000,
                 initial="\n".join(f"{k}={v}" for k, v in sorted(lines.items())))


def edited(values: dict, text: str, field: str = "metadata") -> dict:
    """The dictionary that ``pairs_field`` was changed to, with the entries that it did not show.

    :raises Refused: a line without ``=``
    """
    return {k: v for k, v in values.items() if not _is_line(k, v)} | forms.pairs(text, field)
