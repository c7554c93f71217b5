"""The fake cloud on a database that gives up every second write transaction at its commit, as Galera does.

Only in units of work, which are to run again; ``<state>/log/pileus.log`` names writers that are in none.
"""

from deploy import local  # isort: skip  (patches eventlet first)

import logging
import random
import sys
import traceback

import pymysql
import sqlalchemy as sa
from sqlalchemy import event

from common import db, units

LOG = logging.getLogger("victims")
CHOICE = random.Random(1)


def give_up(connection) -> None:
    if not db.writes(connection):
        return
    if getattr(units._LOCAL, "unit", None) is None:
        caller = next(f for f in reversed(traceback.extract_stack()) if "/site-packages/" not in f.filename
                      and not f.filename.endswith(("contextlib.py", "aborting_cloud.py", "common/db.py")))
        LOG.warning("no unit: %s:%s", caller.filename, caller.lineno)
    elif CHOICE.random() < 0.5:
        raise sa.exc.OperationalError("COMMIT", {}, pymysql.err.OperationalError(1213, "Deadlock: a test's victim"))


if __name__ == "__main__":
    event.listen(sa.Engine, "commit", give_up)
    sys.exit(local.main())
