"""Lists: search, filters, sorting, pages by marker, and CSV.

APIs that search, sort and page do it themselves, and a page costs one request. Where an API cannot, all its rows are read, at
most ``MOST``, and the page says so if there are more: nothing is left out silently.
"""

import csv
import dataclasses
import io
import re
import typing
import urllib.parse

from common import errors
from dashboard import columns, session
from dashboard.asks import Ask, send
from dashboard.forms import Options
from dashboard.names import KINDS
from dashboard.panel import Column, Filter, Panel, Row

SIZES = (20, 50, 100)
BATCH, MOST = 1000, 10000
# An API may give fewer rows than were asked for, but none has a limit as low as this.
_LEAST = 100


@dataclasses.dataclass(frozen=True)
class View:
    """What the user has chosen, from the query of the page. Unknown values are ignored."""

    panel: Panel
    search: str
    filters: dict[str, str]
    sort: str
    descending: bool
    size: int
    after: str
    before: str
    at: int  # how many rows are before those after ``after`` or before ``before``, as far as the link to the page says
    offered: tuple[tuple[Filter, Options], ...]  # the panel's filters, with their options of now
    columns: tuple[Column, ...]  # those that are shown

    @classmethod
    def of(cls, req, panel: Panel) -> "View":
        given = req.GET
        offered = tuple((f, f.offered(req)) for f in panel.filters)
        filters = {f.name: given[f.name] for f, options in offered if given.get(f.name) in dict(options)}
        sort, direction = panel.source.sort
        if given.get("sort") in {c.sort for c in panel.columns if c.sort}:
            sort, direction = given["sort"], given.get("dir", "asc")
        size = next((n for n in SIZES if str(n) == given.get("size")), SIZES[0])
        return cls(panel, given.get("q", "").strip()[:255], filters, sort, direction == "desc", size, given.get("after", ""),
                   given.get("before", ""), _number(given.get("at", "")), offered, columns.shown(req, panel))

    def link(self, **changes) -> str:
        """The query of another view. A view with another order or size begins at its first page."""
        chosen = {"q": self.search, **self.filters, "sort": self.sort, "dir": "desc" if self.descending else "asc",
                  "size": str(self.size), **{k: str(v) for k, v in changes.items()}}
        usual = {"sort": self.panel.source.sort[0], "dir": self.panel.source.sort[1], "size": str(SIZES[0])}
        same = all(chosen[k] == usual[k] for k in ("sort", "dir"))
        kept = {k: v for k, v in chosen.items() if v and not (same and k in ("sort", "dir")) and v != usual.get(k, "") or (
            v and not same and k in ("sort", "dir"))}
        return "?" + urllib.parse.urlencode(kept, errors="replace") if kept else "?"

    def sort_link(self, column: Column) -> str:
        return self.link(sort=column.sort, dir="desc" if column.sort == self.sort and not self.descending else "asc")

    def order_of(self, column: Column) -> str:
        """The value of ``aria-sort``."""
        return "none" if column.sort != self.sort else "descending" if self.descending else "ascending"


@dataclasses.dataclass(frozen=True)
class Page:
    """Rows of a view. ``previous`` and ``next`` are queries, or "". ``stopped``: rows beyond ``MOST`` were not read."""

    rows: list[Row]
    previous: str = ""
    next: str = ""
    stopped: bool = False
    total: int | None = None
    start: int = 0  # how many rows are before these

    @property
    def last(self) -> int:
        return self.start + len(self.rows)

    @property
    def count(self) -> int | None:
        """How many rows there are on all pages, if that is known."""
        return self.total if self.total is not None else None if self.next else self.last


def _answer(req, panel: Panel, query: dict) -> tuple[list[Row], dict]:
    """(the rows of an answer, the whole answer)"""
    source, active = panel.source, session.required(req)
    own = {source.of_project: active.project_id} if source.of_project else {}
    where = source.where({**source.query, **own, **query}, *((active.user_id,) if source.of_user else ()))
    answer = send(req, Ask(source.service, where, version=source.version))
    return [source.row(row) for row in answer[source.key]], answer


def _rows(req, panel: Panel, query: dict) -> list[Row]:
    return _answer(req, panel, query)[0]


def _all_of(req, panel: Panel, query: dict) -> tuple[list[Row], bool]:
    """(the rows of an API without pages, whether there are more): some of these give a link to what they have left out, some only
    say so, and of some a full answer is all that shows it."""
    found: list[Row] = []
    following = dict(query)
    while len(found) <= MOST:
        batch, answer = _answer(req, panel, following)
        found += batch
        marker = next_marker(answer)
        if not batch or not marker or following.get("marker") == marker:
            return found, bool(answer.get("truncated")) or panel.source.cut and len(batch) >= BATCH
        following["marker"] = marker
    return found[:MOST], True


def next_marker(answer: dict) -> str:
    """Where the next page begins, by an answer's link to it."""
    links = next((links for name, links in answer.items() if name.endswith("_links") and isinstance(links, list)), [])
    href = next((link["href"] for link in links if link.get("rel") == "next"), "")
    return urllib.parse.parse_qs(urllib.parse.urlsplit(href).query).get("marker", [""])[0]


def _order(view: View, *, reverse: bool = False) -> dict[str, str]:
    if not view.panel.source.pages:
        return {}
    direction = "desc" if view.descending is not reverse else "asc"
    if view.panel.source.sorting == "pair":
        return {"sort": f"{view.sort}:{direction}"}
    return {"sort_key": view.sort, "sort_dir": direction}


def read(req, view: View) -> Page:
    """The rows of a page. :raises NotFound: the page began at a row that is gone"""
    source = view.panel.source
    if not source.pages or view.search and not source.search:
        return _searched(req, view)
    reverse = bool(view.before)
    query = {**view.filters, **_order(view, reverse=reverse), "limit": view.size + 1}
    if view.search:
        query[source.search] = view.search
    marker = view.before or view.after
    if marker:
        query["marker"] = marker
    try:
        found = _rows(req, view.panel, query)
    except (errors.BadRequest, errors.NotFound) as error:
        if not marker:
            raise
        raise errors.NotFound("The row where this page began no longer exists. Go back to the first page.") from error
    more, found = len(found) > view.size, found[:view.size]
    if reverse:
        found.reverse()
    id_of, start = view.panel.id_of, view.at if marker else 0
    return Page(found, view.link(before=id_of(found[0]), at=max(0, start - view.size) or "") if found and (
                    more if reverse else view.after) else "",
                view.link(after=id_of(found[-1]), at=start + len(found)) if found and (more or reverse) else "", start=start)


def everything(req, view: View) -> tuple[list[Row], bool]:
    """(all rows of a view, in its order; whether more than ``MOST`` had to be read and were not)"""
    found, stopped = _read_all(req, view)
    if view.search and not view.panel.source.search:
        found = [row for row in found if _matches(view, row)]
    if not view.panel.source.pages:
        found = [row for row in found if all(str(row.get(k)) == v for k, v in view.filters.items())]
        column = next((c for c in view.panel.columns if c.sort == view.sort), None)
        if column:
            found.sort(key=lambda row: _comparable(column.of(row)), reverse=view.descending)
    return found, stopped


def _read_all(req, view: View) -> tuple[list[Row], bool]:
    """(all rows that the API's own search and filters leave, whether there are more than ``MOST``), in batches."""
    source = view.panel.source
    query: dict[str, typing.Any] = {**view.filters, **_order(view)}
    if view.search and source.search:
        query[source.search] = view.search
    if not source.pages:
        return _all_of(req, view.panel, query)
    found: list[Row] = []
    while len(found) <= MOST:
        batch = _rows(req, view.panel, {**query, "limit": BATCH})
        found += batch
        if len(batch) < _LEAST:
            return found, False
        query["marker"] = view.panel.id_of(batch[-1])
    return found[:MOST], True


def _matches(view: View, row: Row) -> bool:
    wanted = view.search.lower()
    shown = [view.panel.id_of(row), view.panel.name_of(row), *(str(c.of(row)) for c in view.panel.columns if c.kind in (
        "text", "code", "link", "lines", *KINDS))]
    return any(wanted in text.lower() for text in shown)


def _searched(req, view: View) -> Page:
    """A page of rows that the dashboard searches, sorts and cuts itself. Its markers are the numbers of rows."""
    found, stopped = everything(req, view)
    at = _number(view.after)
    start = max(0, at if not view.before else _number(view.before) - view.size)
    shown = found[start:start + view.size]
    return Page(shown, view.link(before=start) if start else "",
                view.link(after=start + view.size) if start + view.size < len(found) else "", stopped, len(found), start)


def _number(text: str) -> int:
    return int(text) if text.isascii() and len(text) < 7 and all("0" <= c <= "9" for c in text) and text else 0


def _comparable(value) -> tuple:
    if isinstance(value, (int, float)):
        return 0, value, []
    return 1, 0, natural(str(value or ""))


def natural(text: str) -> list:
    """A key that sorts names as people do: node2 before node10."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split("([0-9]+)", text.lower()))]


def csv_of(header: typing.Sequence[str], rows: typing.Iterable[typing.Iterable]) -> str:
    """CSV (RFC 4180). What a spreadsheet would take for a formula gets an apostrophe in front."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell("" if value is None else str(value)) for value in row])
    return out.getvalue()


def as_csv(view: View, rows: list[Row]) -> str:
    columns = view.panel.columns
    return csv_of(["ID", *(c.title for c in columns)],
                  [[view.panel.id_of(row), *(plain(c, row) for c in columns)] for row in rows])


# What a spreadsheet takes for a formula: at the beginning of a cell, or after what separates cells in other countries' files.
# The signs of East Asian keyboards count too.
_FORMULA = re.compile(r"(^|[;\t\r\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|\A[\t\r])")


def _cell(text: str) -> str:
    return _FORMULA.sub(r"\1'", text)


def plain(column: Column, row: Row) -> str:
    """The text of a cell."""
    value = column.of(row)
    if value is None:
        return ""
    if column.kind == "links":
        return ", ".join(text for _, text in value)
    if column.kind == "bar":
        return f"{value[0]}/{value[1]}"
    return ", ".join(str(part) for part in value if part) if isinstance(value, (list, tuple)) else str(value)
