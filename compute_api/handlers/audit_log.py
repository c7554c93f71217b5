"""os-instance_usage_audit_log: the usage audit of the last month that has ended. Audits need no run: they are counted when asked
for, so each host is always done.
"""

import datetime

from common import db, errors
from compute_api.services import audit_log

_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S.%f")


def _last_month(before: datetime.datetime) -> tuple[datetime.datetime, datetime.datetime]:
    """The last month that had ended before a time."""
    end = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if end == before:
        end = (end - datetime.timedelta(days=1)).replace(day=1)
    return (end - datetime.timedelta(days=1)).replace(day=1), end


def _view(req, rule: str, before: datetime.datetime) -> dict:
    try:
        begin, end = _last_month(before)
    except OverflowError:  # in the year 1
        raise _invalid(str(before)) from None
    counted = audit_log.counted(req.call, rule, begin, end)
    log = {host: {"state": "DONE", "instances": count, "errors": 0,
                  "message": f"Instance usage audit ran for host {host}, {count} instances."} for host, count in counted.items()}
    return {"period_beginning": str(begin), "period_ending": str(end), "num_hosts": len(log), "num_hosts_done": len(log),
            "num_hosts_running": 0, "num_hosts_not_run": 0, "hosts_not_run": [], "total_instances": sum(counted.values()),
            "total_errors": 0, "overall_status": "ALL hosts done. 0 errors.", "log": log}


def _invalid(text: str) -> errors.BadRequest:
    return errors.BadRequest(f"Invalid timestamp for date {text}")


def index(req):
    return {"instance_usage_audit_logs": _view(req, "os_compute_api:os-instance-usage-audit-log:list", db.now())}


def show(req, before):
    """:param before: a time, UTC; the month is the last one that had ended before it"""
    rule = "os_compute_api:os-instance-usage-audit-log:show"
    req.svc.policy.check(req.ctx, rule, {})
    for form in _FORMATS:
        try:
            moment = datetime.datetime.strptime(before, form)
        except ValueError:
            continue
        return {"instance_usage_audit_log": _view(req, rule, moment)}
    raise _invalid(before)
