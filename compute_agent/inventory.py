"""The guests, directories and journal of a compute host, for ``pileus audit``."""

import datetime
import os
import time

import psutil

from common.tasks import Journal


def of(driver, journal: Journal) -> dict:
    """{"guests": {uuid: {"power", "volumes": [ids], "owner": [cloud id, host]}}, "directories": [uuids], "journal": as
    ``Journal.inventory``}"""
    owners, guests = driver.owners(), {}
    for uuid, power in driver.power_states().items():
        guests[uuid] = {"power": power, "volumes": driver.attached_volumes(uuid), "owner": list(owners.get(uuid, ("", "")))}
    return {"guests": guests, "directories": driver.directories(), "journal": journal.inventory()}


def uptime() -> str:
    """The host's time, uptime, number of users and load, in the format of ``uptime``."""
    days, seconds = divmod(int(time.time() - psutil.boot_time()), 86400)
    up = f"{f'{days} days, ' if days else ''}{seconds // 3600:2}:{seconds % 3600 // 60:02}"
    load = ", ".join(f"{each:.2f}" for each in os.getloadavg())
    return f" {datetime.datetime.now():%H:%M:%S} up {up},  {len(psutil.users())} users,  load average: {load}"
