"""What of our making is on a compute host, for ``pileus audit``."""

from common.tasks import Journal


def of(driver, journal: Journal) -> dict:
    """{"guests": {uuid: {"power", "volumes": [ids], "owner": [cloud id, host]}}, "directories": [uuids], "journal": see there}"""
    owners, guests = driver.owners(), {}
    for uuid, power in driver.power_states().items():
        guests[uuid] = {"power": power, "volumes": driver.attached_volumes(uuid), "owner": list(owners.get(uuid, ("", "")))}
    return {"guests": guests, "directories": driver.directories(), "journal": journal.inventory()}
