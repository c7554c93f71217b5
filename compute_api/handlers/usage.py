"""Usage of projects' servers in a period, including deleted servers.

Source: the compute API reference, "Usage reports".
"""

import dataclasses
import datetime

from common import db, errors
from compute_api import access, microversions
from compute_api.handlers import paging
from compute_api.services import usage
from conductor.db.scope import Scope

_FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f")
_PERIOD, _PAGE = ("start", "end"), ("limit", "marker")


@dataclasses.dataclass(frozen=True)
class Period:
    start: datetime.datetime
    stop: datetime.datetime

    def hours_of(self, row: dict) -> float:
        """The hours that a server existed in this period."""
        ended = min(row["deleted_at"] or self.stop, self.stop)
        return max(0.0, (ended - max(row["launched_at"], self.start)).total_seconds() / 3600)


def _moment(req, name: str) -> datetime.datetime:
    """A time in the query, in UTC; by default now."""
    text = req.GET.get(name)
    if not text:
        return db.now()
    for form in _FORMATS:
        try:
            return datetime.datetime.strptime(text, form)
        except ValueError:
            continue
    raise errors.BadRequest("Invalid datetime string: Datetime is in invalid format")


def _period(req) -> Period:
    start, stop = _moment(req, "start"), _moment(req, "end")
    if start >= stop and any(req.GET.get(name) for name in _PERIOD):
        raise errors.BadRequest("Invalid start time. The start time cannot occur after the end time.")
    return Period(start, min(stop, db.now()))


def _text(moment: datetime.datetime | None) -> str | None:
    return db.iso(moment, zulu=False, micro=True)


def _server(row: dict, hours: float, now: datetime.datetime) -> dict:
    flavor, ended = row["flavor"], row["deleted_at"]
    return {"instance_id": row["uuid"], "name": row["display_name"], "tenant_id": row["project_id"], "flavor": flavor["name"],
            "vcpus": flavor["vcpus"], "memory_mb": flavor["ram"], "local_gb": flavor["disk"] + flavor["ephemeral"],
            "hours": hours, "started_at": _text(row["launched_at"]), "ended_at": _text(ended),
            "state": "terminated" if ended else row["vm_state"],
            "uptime": int(((ended or now) - row["launched_at"]).total_seconds())}


def _projects(found: list[dict], period: Period, *, detailed: bool) -> list[dict]:
    """The sums of each project that has any of these servers."""
    sums: dict[str, dict] = {}
    now = db.now()
    for row in found:
        if (total := sums.get(row["project_id"])) is None:
            total = sums[row["project_id"]] = {
                "tenant_id": row["project_id"], **({"server_usages": []} if detailed else {}), "total_local_gb_usage": 0.0,
                "total_vcpus_usage": 0.0, "total_memory_mb_usage": 0.0, "total_hours": 0.0, "start": _text(period.start),
                "stop": _text(period.stop)}
        flavor, hours = row["flavor"], period.hours_of(row)
        total["total_local_gb_usage"] += (flavor["disk"] + flavor["ephemeral"]) * hours
        total["total_vcpus_usage"] += flavor["vcpus"] * hours
        total["total_memory_mb_usage"] += flavor["ram"] * hours
        total["total_hours"] += hours
        if detailed:
            total["server_usages"].append(_server(row, hours, now))
    return list(sums.values())


def _found(req, scope: Scope, period: Period) -> tuple[list[dict], list[dict]]:
    """A page of the servers that existed in a period, and the link to the next (2.40); before, only the first page."""
    paged = req.version >= (2, 40)
    limit, marker = paging.limit(req) if paged else paging.MAX_PAGE, req.GET.get("marker") if paged else None
    found = usage.found(req.call, marker, scope, period, limit)
    return found, paging.next_links(req, found, "uuid") if paged else []


def index(req):
    req.svc.policy.check(req.ctx, "os_compute_api:os-simple-tenant-usage:list", access.own(req.call))
    microversions.check_query(req.call, req.GET, (*_PERIOD, "detailed", *_PAGE))
    period = _period(req)
    found, links = _found(req, Scope(None, everyone=True), period)
    body: dict = {"tenant_usages": _projects(found, period, detailed=req.GET.get("detailed") == "1")}
    return {**body, "tenant_usages_links": links} if links else body


def show(req, target):
    req.svc.policy.check(req.ctx, "os_compute_api:os-simple-tenant-usage:show", {"project_id": target})
    microversions.check_query(req.call, req.GET, (*_PERIOD, *_PAGE))
    period = _period(req)
    found, links = _found(req, Scope(target), period)
    body: dict = {"tenant_usage": next(iter(_projects(found, period, detailed=True)), {})}
    return {**body, "tenant_usage_links": links} if links else body
