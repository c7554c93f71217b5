"""All kinds of operations."""

from conductor.operations import shelve
from conductor.operations.evacuate import DropWaitingImages, Evacuate
from conductor.operations.live import LiveMigrate
from conductor.operations.rebuild import RebuildVolume
from conductor.operations.remove import Destroy, Remove, RemoveKeptDisks
from conductor.operations.resize import Confirm, Migrate, Revert

KINDS = (Migrate, Confirm, Revert, Evacuate, DropWaitingImages, LiveMigrate, Remove, Destroy, RemoveKeptDisks, RebuildVolume,
         *shelve.KINDS)
