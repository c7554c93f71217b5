"""What instances have used in a period, by parts of it: for charts and tables."""

import dataclasses
import datetime
import typing

HOURS = 48  # up to so many hours, a part is an hour; then a day; then so many days that there are at most MOST_PARTS
MOST_PARTS = 92
WHAT = ("vcpu", "ram", "disk", "instance")


@dataclasses.dataclass(frozen=True)
class Period:
    """From the first moment of a day to the last of another, in UTC, without a zone."""

    start: datetime.datetime
    end: datetime.datetime

    @classmethod
    def of_days(cls, first: datetime.date, last: datetime.date) -> "Period":
        midnight = datetime.time()
        return cls(datetime.datetime.combine(first, midnight),
                   datetime.datetime.combine(last + datetime.timedelta(days=1), midnight))

    @property
    def days(self) -> tuple[datetime.date, datetime.date]:
        return self.start.date(), (self.end - datetime.timedelta(days=1)).date()

    def query(self) -> dict[str, str]:
        """For os-simple-tenant-usage."""
        return {"start": f"{self.start:%Y-%m-%dT%H:%M:%S}", "end": f"{self.end:%Y-%m-%dT%H:%M:%S}"}

    def step(self) -> datetime.timedelta:
        hours = int((self.end - self.start).total_seconds() // 3600)
        return datetime.timedelta(hours=1) if hours <= HOURS else datetime.timedelta(days=-(-hours // 24 // MOST_PARTS) or 1)


@dataclasses.dataclass(frozen=True)
class Part:
    """Hours of use: of VCPUs, GiB of RAM, GiB of disk, and instances."""

    start: datetime.datetime
    vcpu: float
    ram: float
    disk: float
    instance: float

    @property
    def seconds(self) -> int:
        """Since 1970."""
        return int(self.start.replace(tzinfo=datetime.timezone.utc).timestamp())


def _moment(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=None) if text else None


def parts(servers: typing.Iterable[dict], period: Period, now: datetime.datetime) -> list[Part]:
    """The use in each part of the period until now.

    :param servers: "server_usages" of the API
    :param now: UTC, without a zone; servers that still exist have existed until then
    """
    step, until = period.step(), min(period.end, now)
    count = max(0, -(-(until - period.start) // step))
    sums = [[0.0] * len(WHAT) for _ in range(count)]
    for server in servers:
        begun = max(_moment(server["started_at"]) or until, period.start)
        ended = min(_moment(server["ended_at"]) or until, until)
        rates = (server["vcpus"], server["memory_mb"] / 1024, server["local_gb"], 1)
        while begun < ended:
            at = (begun - period.start) // step
            upto = min(ended, period.start + (at + 1) * step)
            hours = (upto - begun).total_seconds() / 3600
            for what, rate in enumerate(rates):
                sums[at][what] += rate * hours
            begun = upto
    return [Part(period.start + at * step, *(round(value, 2) for value in found)) for at, found in enumerate(sums)]
