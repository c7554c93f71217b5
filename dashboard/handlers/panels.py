"""The pages of every panel: list, CSV, detail with tabs, dialogs of actions, bulk actions, and the form of a new resource."""

import typing
import urllib.parse

import webob

from common import errors
from common.wsgi import Route
from dashboard import columns, forms, session, tables
from dashboard.asks import attempts, send, together
from dashboard.forms import Field, Fields
from dashboard.pages import BAD, GOOD, kind_of, redirect, render
from dashboard.panel import Action, Page, Panel, Row, Table
from dashboard.texts import Text

CONFIRM = "confirm_name"
_MOST_AT_ONCE = 100
_PROJECTS = ("project_id", "tenant_id", "os-vol-tenant-attr:tenant_id", "os-extended-snapshot-attributes:project_id", "owner")


def _own(req) -> str:
    """The path of a page, quoted as links to it are."""
    return urllib.parse.quote(req.path_info.rstrip("/"), safe="/", errors="replace")


class Handlers:
    """The handlers of one panel."""

    def __init__(self, panel: Panel):
        self.panel = panel

    def routes(self) -> list[Route]:
        path, panel = self.panel.path, self.panel
        found = [Route("GET", path, self.index), Route("POST", path, self.bulk)]
        if panel.create:
            found += [Route("GET", f"{path}/{panel.create.segment}", self.ask_new),
                      Route("POST", f"{path}/{panel.create.segment}", self.create)]
        if panel.tabs:
            found.append(Route("GET", path + "/{id}", self.show))
        if panel.actions:
            found += [Route("GET", path + "/{id}/actions", self.menu), Route("GET", path + "/{id}/{verb}", self.ask),
                      Route("POST", path + "/{id}/{verb}", self.act)]
        return found

    def _check(self, req) -> session.Session:
        active = session.required(req)
        if self.panel.admin and not active.admin:
            raise errors.Forbidden("Only administrators may open this page.")
        return active

    def _usable(self, active: session.Session) -> list[Action]:
        return [a for a in self.panel.actions if active.admin or not a.admin]

    def _offered(self, active: session.Session) -> typing.Callable[[Row], list[Action]]:
        """The function that tells which actions a row's state allows."""
        usable, panel = [a for a in self._usable(active) if not a.hidden], self.panel
        return lambda row: [a for a in usable if a.when(row)] if panel.is_own(row, active.project_id) else []

    def _changed(self, req, row: Row) -> None:
        """Tell the pages of this kind in the row's project, which may be of others: services do not tell of every change."""
        project = next((row[name] for name in _PROJECTS if row.get(name)), session.required(req).project_id)
        req.svc.changes.note(self.panel.source.key, project)

    # Lists

    def index(self, req):
        active, panel = self._check(req), self.panel
        view = tables.View.of(req, panel)
        if req.GET.get("format") == "csv":
            return self._csv(req, view)
        page = tables.read(req, view)
        if panel.more:
            panel.more(req, page.rows)
        usable = self._usable(active)
        bulk = [a for a in usable if a.bulk]
        return render(req, "list.html", panel=panel, view=view, page=page, sizes=tables.SIZES, most=tables.MOST,
                      actions=any(not a.hidden for a in usable), offered=self._offered(active),
                      bulk=bulk, busy=any(panel.busy(row) for row in page.rows),
                      choosable=lambda row: panel.is_own(row, active.project_id) and any(a.when(row) for a in bulk))

    def _csv(self, req, view: tables.View):
        rows, stopped = tables.everything(req, view)
        if stopped:
            raise errors.BadRequest(Text("This list has more than {most} rows. Choose a filter, so that nothing is left out.",
                                         most=tables.MOST))
        if self.panel.more:
            self.panel.more(req, rows)
        response = webob.Response(tables.as_csv(view, rows), content_type="text/csv", charset="UTF-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{self.panel.path.rsplit("/", 1)[-1]}.csv"'
        return response

    def bulk(self, req):
        """Do an action with the chosen rows. Dangerous ones are confirmed on a page of their own first."""
        active, panel, given = self._check(req), self.panel, session.form(req)
        if given.get("verb") == "columns":
            return self._choose_columns(req, given)
        action = next((a for a in self._usable(active) if a.bulk and a.verb == given.get("verb")), None)
        # Each is the id, quoted, and the name that the list showed.
        chosen = {urllib.parse.unquote(id, errors="replace"): name for id, _, name in (
            text.partition(" ") for text in given.all("id"))}
        if action is None:
            raise errors.NotFound("There is no such action.")
        if not chosen or len(chosen) > _MOST_AT_ONCE:
            return redirect(req, f"{panel.path}/", Text("Choose at least one row, and at most {most}.", most=_MOST_AT_ONCE), BAD)
        count = str(len(chosen)) if action.danger == "name" else "1"  # what must be typed, or is sent by the button
        if action.ask and given.get("confirmed") != count:
            return render(req, "bulk.html", panel=panel, action=action, chosen=chosen, count=count,
                          wrong="This is not the number of items." if given.get("confirmed") else "")
        done, refused = 0, []
        for id, name in chosen.items():
            try:
                action.run(req, id, {}, {})
                done += 1
            except errors.Unauthorized:
                raise
            except errors.Error as error:  # also a failure, so that it is told how many were done
                refused.append(f"{name or id}: {error}")
        self._changed(req, {})
        text = Text("{action}: {done} of {all} accepted.", action=action.text, done=done, all=len(chosen))
        return redirect(req, f"{panel.path}/", Text("{done} {refused}", done=text,
                                                    refused=" ".join(refused[:5])) if refused else text, BAD if refused else GOOD)

    def _choose_columns(self, req, given: Fields) -> webob.Response:
        view = urllib.parse.parse_qsl(given.get("view", "").removeprefix("?"))
        response = redirect(req, f"{self.panel.path}/" + (f"?{urllib.parse.urlencode(view)}" if view else ""))
        session.set_cookie(req, response, columns.COOKIE, columns.chosen(req, self.panel, given.all("show")), columns.KEPT_S)
        return response

    # One resource

    def _row(self, req, id: str) -> Row:
        assert self.panel.item is not None, "a panel with actions says how to read one resource"
        found = send(req, self.panel.item(req, id))
        if isinstance(found, list):  # the API has no request for one
            found = next((row for row in found if self.panel.id_of(row) == id), None)
            if found is None:
                raise errors.NotFound("The resource could not be found.")
        return self.panel.source.row(found)

    def show(self, req, id):
        active, panel = self._check(req), self.panel
        tab = next((t for t in panel.tabs if t.name == req.GET.get("tab")), panel.tabs[0])
        assert panel.item is not None
        found = together(req, item=panel.item(req, id), **tab.asks(req, id))
        row = panel.source.row(found.pop("item"))
        if panel.more:
            panel.more(req, [row])
        own = panel.is_own(row, active.project_id)
        actions = {a.verb: a for a in self._usable(active) if own and a.when(row)}
        tables = [(table, table.rows(found, row)) for table in tab.tables]
        below = {verb for table in tab.tables for verb in table.add}  # a second button for the same would only be confusing
        offered = [a for a in actions.values() if not a.hidden and a.verb not in below]
        facts = tab.row(found, row)
        known = [(title, columns) for title, columns in tab.facts if any(c.of(facts) not in (None, "", []) for c in columns)]
        return render(req, "detail.html", panel=panel, row=row, tabs=panel.tabs, tab=tab, tables=tables, found=found,
                      facts=facts, known=known, actions=actions, offered=offered, busy=panel.busy(row), own=_own(req),
                      query=req.query_string, asked=req.GET)

    def menu(self, req, id):
        """The actions of one row: for the menu in a list, or as a page of its own."""
        offered, row = self._offered(self._check(req)), self._row(req, id)
        if self.panel.more:
            self.panel.more(req, [row])
        return render(req, "menu.html", panel=self.panel, row=row, actions=offered(row), part="HX-Request" in req.headers)

    def _action(self, req, verb: str) -> Action:
        action = next((a for a in self._usable(self._check(req)) if a.verb == verb), None)
        if action is None:
            raise errors.NotFound("There is no such action.")
        return action

    def _fields(self, req, action: Action, row: Row) -> list[Field]:
        fields = list(action.fields if isinstance(action.fields, tuple) else action.fields(req, row))
        if action.danger == "name":
            fields.append(Field(CONFIRM, Text("Type “{name}” to confirm", name=self.panel.name_of(row)), required=True))
        return fields

    def _part(self, req, action: Action, row: Row) -> tuple[Table, Row] | None:
        """The row of a tab that an action is for, and its table; None if it is not there, or cannot be read."""
        place = next(((tab, table) for tab in self.panel.tabs for table in tab.tables if action.verb in table.actions), None)
        if place is None:
            return None
        tab, table = place
        found = attempts(req, **tab.asks(req, self.panel.id_of(row)))
        if any(isinstance(answer, errors.Error) for answer in found.values()):
            return None
        part = next((part for part in table.rows(found, row) if str(table.target_of(part)) == row["target"]), None)
        return (table, part) if part else None

    def _dialog(self, req, action: Action, row: Row, fields, given: Fields | None = None, error: errors.Error | None = None):
        return render(req, "dialog.html", status=error.status if error else 200, panel=self.panel, action=action, row=row,
                      fields=fields, given=given, text=error.public if error else "", wrong=getattr(error, "at", {}),
                      preset=req.GET, request_id=req.ctx.request_id, own=_own(req),
                      part=self._part(req, action, row) if action.hidden else None)

    def ask(self, req, id, verb):
        action = self._action(req, verb)
        if action.opens:
            raise errors.MethodNotAllowed()  # it has no dialog: browsers may follow links before anybody clicks them
        row = self._row(req, id) | ({"target": req.GET.get("target", "")} if action.hidden else {})
        return self._dialog(req, action, row, self._fields(req, action, row))

    def act(self, req, id, verb):
        given = session.form(req)
        action = self._action(req, verb)
        row = self._row(req, id) | ({"target": given.get("target", "")} if action.hidden else {})
        fields = self._fields(req, action, row)
        try:
            values = forms.read(fields, given)
            if values.pop(CONFIRM, None) not in (None, self.panel.name_of(row)):
                raise forms.Refused({CONFIRM: "This is not the name."})
            done = action.run(req, id, values, row)
        except errors.Unauthorized:
            raise
        except errors.Error as error:  # also a failure, so that what was typed is not lost
            if action.dialog:
                return self._dialog(req, action, row, fields, given, error)
            return redirect(req, self._after(action, req, given), Text("{action}: {error}", action=action.text,
                                                                       error=error.public), BAD)
        self._changed(req, row)
        if isinstance(done, webob.Response):
            return redirect(req, done.location) if done.location else done
        if isinstance(done, Page):
            return render(req, done.template, **done.values)
        said = done if isinstance(done, str) else ""
        return redirect(req, self._after(action, req, given), said or (Text(str(action.done),
                                                                            name=self.panel.name_of(row)) if action.done else "")
                        or Text("{action}: accepted.", action=action.text), kind_of(said))

    def _after(self, action: Action, req, given: Fields) -> str:
        """The page that is shown after an action: the list, or the detail if the action was chosen there."""
        if given.get("back") == "topology":
            return "/project/network_topology/"
        if action.leaves or not self.panel.tabs or not (given.get("back") == "detail" or action.hidden or action.tab):
            return f"{self.panel.path}/"
        own = _own(req).rsplit("/", 1)[0]
        return f"{own}/?tab={action.tab}" if action.tab else f"{own}/"

    # A new resource

    def _new_fields(self, req) -> list[Field]:
        create = self.panel.create
        assert create is not None
        return list(create.fields if isinstance(create.fields, tuple) else create.fields(req))

    def _new(self, req, fields, given: Fields | None = None, error: errors.Error | None = None, review=()):
        return render(req, "create.html", status=error.status if error else 200, panel=self.panel, create=self.panel.create,
                      fields=fields, given=given, text=error.public if error else "", wrong=getattr(error, "at", {}),
                      preset=req.GET, review=review, request_id=req.ctx.request_id)

    def ask_new(self, req):
        self._check(req)
        return self._new(req, self._new_fields(req))

    def create(self, req):
        create = self.panel.create
        assert create is not None
        given = session.form(req, create.max_bytes)
        self._check(req)
        fields = self._new_fields(req)
        try:
            values = forms.read(fields, given)
            if create.review and given.get("step") == "review":
                return self._new(req, fields, given, review=create.review(values))
            done = create.run(req, values)
        except errors.Unauthorized:
            raise
        except errors.Error as error:  # also a failure, so that what was typed is not lost
            return self._new(req, fields, given, error)
        self._changed(req, {})
        if isinstance(done, Page):
            return render(req, done.template, **done.values)
        return done if isinstance(done, webob.Response) else redirect(req, f"{self.panel.path}/", done, kind_of(done))
