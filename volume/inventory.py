"""What of our making is on a volume host, for ``pileus audit``."""

from common.tasks import Journal


def of(driver, journal: Journal) -> dict:
    """{"volumes": [ids], "snapshots": [ids], "exports": [volume ids], "journal": see ``Journal.inventory``}"""
    return {"volumes": driver.volumes(), "snapshots": driver.snapshots(), "exports": driver.exports(),
            "journal": journal.inventory()}
