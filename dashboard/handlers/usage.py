"""What a project, or every project, has used in a period: a chart, tables, and CSV."""

import datetime
import operator
import typing

import webob

from common import errors
from common.rest import Path, path
from dashboard import session, usage
from dashboard.asks import get, send
from dashboard.pages import render
from dashboard.tables import BATCH, MOST, csv_of, next_marker
from dashboard.texts import Text

_DAYS, _SHOWN = 7, 100
_TOTALS = (("VCPU hours", "total_vcpus_usage", 1), ("RAM GiB hours", "total_memory_mb_usage", 1024),
           ("Disk GiB hours", "total_local_gb_usage", 1), ("Instance hours", "total_hours", 1))


def _today() -> datetime.date:
    return _now().date()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def _period(req) -> tuple[usage.Period, str]:
    """(the period that was chosen, what is wrong with the choice)"""
    usual = usage.Period.of_days(_today() - datetime.timedelta(days=_DAYS - 1), _today())
    try:
        first, last = (datetime.date.fromisoformat(req.GET.get(name) or str(day)) for name, day in zip(
            ("from", "to"), usual.days))
        chosen = usage.Period.of_days(first, last)
    except (ValueError, OverflowError):
        return usual, Text("Enter dates as year-month-day, such as 2026-11-28.")
    if first > last:
        return usual, Text("The first day is after the last.")
    return chosen, ""


def _all(req, key: str, period: usage.Period, where: typing.Callable[[dict], Path]) -> tuple[list[dict], bool]:
    """(the answers of all pages of the API, whether there are more than ``MOST`` servers)

    :param where: (query) -> the path
    """
    found: list[dict] = []
    marker = ""
    for _ in range(MOST // BATCH):
        answer = send(req, get("compute", where({**period.query(), **({"marker": marker} if marker else {})})))
        usages = answer[key] if isinstance(answer[key], list) else [answer[key]] if answer[key] else []
        found += usages
        marker = next_marker(answer)
        if not marker or not usages:
            return found, False
    return found, True


def _sums(usages: list[dict]) -> list[tuple[str, float]]:
    return [(text, sum(one[name] for one in usages) / by) for text, name, by in _TOTALS]


def _csv(name: str, header: list[str], rows: list[list]) -> webob.Response:
    response = webob.Response(csv_of(header, rows), content_type="text/csv", charset="UTF-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def of_project(req):
    own = session.required(req).project_id
    period, wrong = _period(req)
    found, cut = _all(req, "tenant_usage", period, lambda query: path(
        "/v2.1/os-simple-tenant-usage/{name}", own, query=query))
    servers = sorted((s for one in found for s in one["server_usages"]), key=operator.itemgetter("hours"), reverse=True)
    if req.GET.get("format") == "csv":
        _whole(cut)
        return _csv("usage", ["ID", "Name", "Flavor", "VCPUs", "RAM MiB", "Disk GiB", "Hours", "Started", "Ended", "State"],
                    [[s[n] for n in ("instance_id", "name", "flavor", "vcpus", "memory_mb", "local_gb", "hours", "started_at",
                                     "ended_at", "state")] for s in servers])
    return _page(req, period, wrong, found, cut, title="Usage", own="/project/usage/", servers=servers[:_SHOWN],
                 more=max(0, len(servers) - _SHOWN), projects=[])


def of_all(req):
    if not session.required(req).admin:
        raise errors.Forbidden("Only administrators may open this page.")
    period, wrong = _period(req)
    names = send(req, get("identity", path("/v3/projects"), "projects", instead=[]))
    by_time = "by_time" in req.GET  # needs every server, which is many times as much as the sums
    found, cut = _all(req, "tenant_usages", period, lambda query: path(
        "/v2.1/os-simple-tenant-usage", query={**query, "detailed": str(int(by_time))}))
    by_project: dict[str, list[dict]] = {}
    for one in found:
        by_project.setdefault(one["tenant_id"], []).append(one)
    known = {project["id"]: project["name"] for project in names}
    projects = sorted(((id, known.get(id, id), [value for _, value in _sums(ones)]) for id, ones in by_project.items()),
                      key=lambda row: row[2][0], reverse=True)
    if req.GET.get("format") == "csv":
        _whole(cut)
        return _csv("usage_of_all", ["ID", "Name", *(text for text, *_ in _TOTALS)], [
            [id, name, *(round(value, 2) for value in sums)] for id, name, sums in projects])
    return _page(req, period, wrong, found, cut, title="Usage of all projects", own="/admin/usage/", servers=[], more=0,
                 projects=projects, later=not by_time)


def _whole(cut: bool) -> None:
    if cut:
        raise errors.BadRequest(Text(
            "There were more than {most} instances. Choose a shorter period, so that nothing is left out.", most=MOST))


def _page(req, period: usage.Period, wrong: str, found: list[dict], cut: bool, **more):
    first, last = (str(day) for day in period.days)
    chosen = {name: req.GET.get(name) or day for name, day in (("from", first), ("to", last))} if wrong else {
        "from": first, "to": last}
    servers = [server for one in found for server in one.get("server_usages", ())]
    return render(req, "usage.html", status=400 if wrong else 200, period=period, chosen=chosen, first=first, last=last,
                  wrong=wrong, cut=cut,
                  sums=_sums(found), headings=[text for text, *_ in _TOTALS], parts=usage.parts(servers, period, _now()),
                  by_day=period.step() >= datetime.timedelta(days=1), **{"later": False, **more})
