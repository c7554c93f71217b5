"""The page that shows every part of the design system in every state, for those who write panels."""

from dashboard import session
from dashboard.forms import Field, Fields
from dashboard.pages import render
from dashboard.panel import Action, Column

_OPTIONS = (("a", "The first"), ("b", "The second"))
_FIELDS = (Field("text", "Text", required=True, help="What it is for.", initial="typed"), Field("area", "Several lines", "area"),
           Field("number", "Number", "number", low=1, high=10, initial=3), Field("choice", "Choice", "choice", options=_OPTIONS),
           Field("many", "Several of many", "many", options=_OPTIONS, initial=["b"]), Field("check", "Yes or no", "check"),
           Field("password", "Password", "password"), Field("none", "Several of none", "many"))
_WRONG = Field("wrong", "Text with a mistake", help="One to ten.")
_KINDS = ("text", "link", "status", "code", "size", "gib", "mib", "time", "yes", "lines", "links", "states", "bar")
_COLUMNS = tuple(Column(kind, kind, kind) for kind in _KINDS)
_TABLES = (_COLUMNS[:6], _COLUMNS[6:])
_ROW = {"text": "Text", "link": "Link", "status": "ACTIVE", "code": "0f3a", "size": 5_368_709_120, "gib": 20, "mib": 512,
        "time": "2026-11-28T11:00:00Z", "yes": True, "lines": ["10.0.0.4", "fd00::4"], "links": [("/about/parts/", "One")],
        "bar": (3, 4), "states": ("ACTIVE", "rebooting")}
_LONG = {**_ROW, "text": "A name of great length, " * 8, "link": "x" * 120, "status": "ERROR", "lines": [], "links": []}
_STATUSES = ("ACTIVE", "BUILD", "ERROR", "SHUTOFF")
_ACTIONS = [Action("vnc", "Usual", lambda *_: None, primary=True), Action("edit", "Ordinary", lambda *_: None, ask="?"),
            Action("delete", "Dangerous", lambda *_: None, ask="?", danger="danger")]


def show(req):
    session.required(req)
    return render(req, "design.html", fields=_FIELDS, wrong_field=_WRONG, wrong={"wrong": "This is wrong."}, given=Fields([]),
                  tables=_TABLES, rows=(_ROW, _LONG), statuses=_STATUSES, actions=_ACTIONS)
