"""What instances have used in a period, by parts of it: for charts and tables."""

import dataclasses
import datetime
import itertools
import time
import typing

HOURS = 48  # up to so many hours, a part is an hour; then a day; then so many days that there are at most MOST_PARTS
MOST_PARTS = 92
WHAT = ("vcpu", "ram", "disk", "instance")
_MICROSECOND, _HOUR = datetime.timedelta(microseconds=1), 3600 * 10**6
_BATCH = 500  # servers, some milliseconds


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


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=None)


def _at(text: str | None, start: datetime.datetime, *, otherwise: int) -> int:
    """A time of the API in microseconds after the start."""
    return (_moment(text) - start) // _MICROSECOND if text else otherwise


def parts(servers: typing.Iterable[dict], period: Period, now: datetime.datetime) -> list[Part]:
    """The use in each part of the period until now.

    The work for a server does not depend on the number of parts: it begins in one and ends in one, whose shares are added at
    once; the parts between have all of it, so that only where they begin and end is noted.

    :param servers: "server_usages" of the API
    :param now: UTC, without a zone; servers that still exist have existed until then
    """
    step, until = period.step() // _MICROSECOND, (min(period.end, now) - period.start) // _MICROSECOND
    count = max(0, -(-until // step))
    sums, whole = [[[0] * (count + 1) for _ in WHAT] for _ in range(2)]  # rate * microseconds; changes of the rate
    for number, server in enumerate(servers):
        if number % _BATCH == _BATCH - 1:
            time.sleep(0)  # others' turn
        begun = max(0, _at(server["started_at"], period.start, otherwise=until))
        ended = min(until, _at(server["ended_at"], period.start, otherwise=until))
        if begun >= ended:
            continue
        first, last = begun // step, ended // step
        for what, rate in enumerate((server["vcpus"], server["memory_mb"], server["local_gb"], 1)):
            if first == last:
                sums[what][first] += rate * (ended - begun)
                continue
            sums[what][first] += rate * ((first + 1) * step - begun)
            sums[what][last] += rate * (ended - last * step)
            whole[what][first + 1] += rate
            whole[what][last] -= rate
    rates = [itertools.accumulate(changes) for changes in whole]
    found = zip(*([(used + rate * step) / by for used, rate in zip(of, now_and_then)]
                  for of, now_and_then, by in zip(sums, rates, (_HOUR, 1024 * _HOUR, _HOUR, _HOUR))))
    return [Part(period.start + at * period.step(), *(round(value, 2) for value in values))
            for at, values in enumerate(itertools.islice(found, count))]
