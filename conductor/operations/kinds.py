"""All kinds of operations."""

from conductor.operations import shelve
from conductor.operations.evacuate import Evacuate
from conductor.operations.live import LiveMigrate
from conductor.operations.remove import Destroy, Forget, Remove
from conductor.operations.resize import Confirm, Migrate, Revert

KINDS = (Migrate, Confirm, Revert, Evacuate, LiveMigrate, Remove, Destroy, Forget, *shelve.KINDS)
