"""What a panel declares: where its rows come from, its columns, its actions, its tabs.

A panel is one module below ``dashboard/panels``. ``dashboard.handlers.panels`` serves every panel in the same way, so a new
panel is a declaration.
"""

import dataclasses
import typing

from common.rest import Path
from dashboard.asks import Ask
from dashboard.forms import Field, Options
from dashboard.texts import Text, mark

Row = dict[str, typing.Any]
Value = str | typing.Callable[[Row], typing.Any]


class Partly(Text):
    """A notice of something that was done only in part."""


@dataclasses.dataclass(frozen=True)
class Page:
    """What an action or a form answers instead of a notice on the next page."""

    template: str
    values: dict[str, typing.Any]


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table, or a fact of an overview.

    :param value: a member of the row, or a function of the row
    :param kind: text, link (to the detail), status, code, project, domain or user (an id, which is shown by its name), size
        (bytes), count, gib, mib, hours, duration (seconds), time, yes, lines, links ((path, text) pairs; the path "" leads
        nowhere), states ((status, task) pair), bar ((used, total) pair)
    :param sort: what the API calls it as a sort key; "": not sortable
    """

    title: str
    value: Value
    kind: str = "text"
    sort: str = ""

    def __post_init__(self):
        mark(self, "title")

    def of(self, row: Row):
        return row.get(self.value) if isinstance(self.value, str) else self.value(row)


@dataclasses.dataclass(frozen=True)
class Filter:
    """A filter of a list.

    :param name: the query parameter, of the page and of the API
    :param options: (value, text) pairs; a function (req) where they depend on the cloud's data
    """

    name: str
    title: str
    options: Options | typing.Callable[..., Options]

    def offered(self, req) -> Options:
        return self.options(req) if callable(self.options) else self.options

    def __post_init__(self):
        mark(self, "title")


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the rows of a list come from.

    :param where: (query) -> the path of a list; with ``of_user`` it is (query, id of the user)
    :param key: the list in the answer
    :param search: the query parameter by which the API finds parts of names; "": it cannot, so the dashboard reads the rows
        and searches itself
    :param sort: (sort key, "asc" or "desc") of the list if the user has chosen none
    :param pages: whether the API has ``limit``, ``marker`` and sort keys
    :param sorting: how it wants them: "keys" (sort_key and sort_dir), "pair" (sort=key:dir)
    :param row: what a row of the answer is made of, if it is wrapped
    :param of_project: the query parameter that limits the list to the project, where administrators would get those of all
    :param cut: an API without pages gives at most 1,000 rows and does not say whether there are more
    """

    service: str
    where: typing.Callable[..., Path]
    key: str
    search: str = ""
    sort: tuple[str, str] = ("created_at", "desc")
    pages: bool = True
    sorting: str = "keys"
    row: typing.Callable[[Row], Row] = lambda row: row
    query: typing.Mapping[str, str] = dataclasses.field(default_factory=dict)
    version: str = ""
    of_user: bool = False
    of_project: str = ""
    cut: bool = False


@dataclasses.dataclass(frozen=True)
class Action:
    """Something that can be done with one resource, or with several of a list.

    :param run: (req, id, values of the fields, row) -> a notice, a Response, a ``Page``, or something else that is ignored
    :param title: of its dialog, where the text is too short without the row of a tab beside it
    :param fields: of its dialog; a function (req, row) where they depend on the cloud's data
    :param when: whether a row allows it
    :param ask: the question of the dialog; an action without fields and question is done at once
    :param danger: "" | "danger" | "name": the user must type the name of what is lost
    :param done: the notice; ``{name}`` is the resource's
    :param bulk: whether a list offers it for several rows
    :param hidden: reached from a row of a tab instead of the menu; ``row["target"]`` is that row's value
    """

    verb: str
    text: str
    run: typing.Callable[..., typing.Any]
    fields: tuple[Field, ...] | typing.Callable[..., typing.Sequence[Field]] = ()
    when: typing.Callable[[Row], bool] = lambda row: True
    ask: str = ""
    danger: str = ""
    done: str = ""
    submit: str = ""
    title: str = ""
    bulk: bool = False
    admin: bool = False
    hidden: bool = False
    primary: bool = False
    leaves: bool = False  # the resource is gone afterwards, so the list is shown
    tab: str = ""  # the tab that is shown afterwards
    opens: bool = False  # its answer is shown in a new window

    def __post_init__(self):
        mark(self, "text", "ask", "done", "submit", "title")

    @property
    def dialog(self) -> bool:
        return bool(self.fields or self.ask)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of a tab, with actions of the resource for each row.

    :param rows: (answers of the tab, row of the resource) -> rows
    :param target: the value that identifies a row to the actions
    :param actions: verbs of hidden actions of the panel
    :param empty: what is said if it has no rows, and then what one can do
    """

    title: str
    rows: typing.Callable[[dict, Row], typing.Sequence[Row]]
    columns: tuple[Column, ...]
    empty: str
    target: Value = "id"
    actions: tuple[str, ...] = ()
    add: tuple[str, ...] = ()  # verbs of actions that are offered above the table

    def __post_init__(self):
        mark(self, "title", "empty")

    def target_of(self, row: Row):
        return row.get(self.target) if isinstance(self.target, str) else self.target(row)


@dataclasses.dataclass(frozen=True)
class Tab:
    """A part of a detail page. Only the open tab's requests are sent.

    :param asks: (req, id) -> {name: Ask}
    :param row: (answers of the tab, row of the resource) -> the row of its facts
    :param empty: what is said, once, if none of its tables has rows. "": each table says it
    """

    name: str
    title: str
    asks: typing.Callable[..., dict[str, Ask]] = lambda req, id: {}
    facts: tuple[tuple[str, tuple[Column, ...]], ...] = ()
    row: typing.Callable[[dict, Row], Row] = lambda found, row: row
    tables: tuple[Table, ...] = ()
    template: str = ""
    empty: str = ""

    def __post_init__(self):
        mark(self, "title", "empty")


@dataclasses.dataclass(frozen=True)
class Create:
    """The form of a new resource.

    :param run: (req, values) -> the notice, a ``Page``, or a Response
    :param segment: of the form's path, below the panel's
    :param review: (values) -> (title, text) pairs: the same request for other tools; with it the form has a review
    """

    text: str
    fields: tuple[Field, ...] | typing.Callable[..., typing.Sequence[Field]]
    run: typing.Callable[..., typing.Any]
    segment: str = "create"
    review: typing.Callable[..., typing.Sequence[tuple[str, str]]] | None = None
    max_bytes: int = 65536
    help: str = ""

    def __post_init__(self):
        mark(self, "text", "help")


@dataclasses.dataclass(frozen=True)
class Panel:
    """A noun of the cloud.

    :param noun: what one of them is, for the titles of dialogs
    :param path: of its list, without a slash at the end: /project/instances
    :param menu: the heading under which the menu shows it
    :param item: (req, id) -> the request for one resource, or for the list if the API has none for one. A panel with actions
        or tabs has it
    :param more: (req, rows): adds to rows what other services know, with a constant number of requests
    :param busy: whether a row changes by itself soon, so that the page is refreshed
    :param also: kinds of other things whose changes its pages show, as ``common.changes`` calls them
    :param empty: what is said if it has no rows, and then what one can do
    :param owner: the member of a row with the id of its project, where the list also has what belongs to others: that is shown
        without actions. "": all rows have actions
    """

    path: str
    title: str
    noun: str
    menu: str
    source: Source
    columns: tuple[Column, ...]
    filters: tuple[Filter, ...] = ()
    actions: tuple[Action, ...] = ()
    item: typing.Callable[..., Ask] | None = None
    tabs: tuple[Tab, ...] = ()
    create: Create | None = None
    more: typing.Callable[..., None] | None = None
    busy: typing.Callable[[Row], bool] = lambda row: False
    owner: str = ""
    id: Value = "id"
    name: Value = "name"
    status: Value = ""
    also: tuple[str, ...] = ()
    admin: bool = False
    empty: str = ""
    links: tuple[tuple[str, str], ...] = ()  # (path, text) of other pages, beside the button for a new resource

    def __post_init__(self):
        mark(self, "title", "noun", "menu", "empty")

    @property
    def kinds(self) -> str:
        """The kinds of things whose changes its pages show, separated by blanks."""
        return " ".join([self.source.key, *self.also])

    def id_of(self, row: Row) -> str:
        return str(row.get(self.id) if isinstance(self.id, str) else self.id(row))

    def name_of(self, row: Row) -> str:
        found = row.get(self.name) if isinstance(self.name, str) else self.name(row)
        return found if isinstance(found, str) and found else self.id_of(row)

    def without(self, *verbs: str) -> tuple[Action, ...]:
        """The actions except some, for a panel that is made of this one."""
        return tuple(action for action in self.actions if action.verb not in verbs)

    def is_own(self, row: Row, project: str) -> bool:
        return not self.owner or row.get(self.owner) == project
