"""The steps of an action in time: where each begins and how long it takes, as parts of the whole."""

import dataclasses
import datetime

_LEAST = 0.4  # per cent: what takes no time at all is seen too


@dataclasses.dataclass(frozen=True)
class Step:
    """``x``, ``width``: of its bar, in per cent of the whole; ``seconds``: None while it runs."""

    name: str
    result: str
    begun: str
    seconds: float | None
    x: float
    width: float
    error: str
    host: str


def _moment(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).replace(tzinfo=None) if text else None


def steps(events: list[dict], now: datetime.datetime | None = None) -> tuple[list[Step], float]:
    """(the events of an action in their order, the seconds of the whole)

    :param events: as of the API os-instance-actions
    :param now: UTC without a zone, at which steps without an end still run
    """
    now = now or datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    timed = sorted(((begun, _moment(event["finish_time"]), event) for event in events
                    if (begun := _moment(event["start_time"]))), key=lambda row: row[0])
    if not timed:
        return [], 0
    first = timed[0][0]
    whole = max(max(((end or now) - first).total_seconds() for _, end, _ in timed), 0.001)

    def step(begun: datetime.datetime, end: datetime.datetime | None, event: dict) -> Step:
        took = max(0.0, ((end or now) - begun).total_seconds())
        width = min(100.0, max(_LEAST, 100 * took / whole))
        x = min(max(0.0, 100 * (begun - first).total_seconds() / whole), 100 - width)
        return Step(event["event"], event["result"] or "running", event["start_time"], took if end else None, round(x, 2),
                    round(width, 2), event.get("traceback") or event.get("details") or "", event.get("host") or "")
    return [step(*row) for row in timed], whole
