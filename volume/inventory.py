"""The volumes, exports and journal of a volume host, for ``pileus audit``."""

from common.tasks import Journal


def of(driver, journal: Journal) -> dict:
    """{"volumes": [ids], "sizes": {id: GiB}, "snapshots": [ids], "exports": [volume ids], "journal": as ``Journal.inventory``}"""
    sizes = driver.sizes()
    return {"volumes": sorted(sizes), "sizes": sizes, "snapshots": driver.snapshots(), "exports": driver.exports(),
            "journal": journal.inventory()}
