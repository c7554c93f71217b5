"""Random histories of boots, deletes, attachments and crashes on two hosts: nothing is lost, doubled or left over.

``python -m tests.histories.test_histories 2000`` runs as many, from seed 0 or the second argument on, and prints the seeds of
those that fail.
"""

import random
import sys
import time

import pytest

from tests.histories.conftest import made_place
from tests.histories.generator import History
from tests.histories.world import Place

SEEDS = 200
SHARE = 25  # histories in a test


def play(place: Place, seed: int) -> str | None:
    """What went wrong, and the history; None: nothing."""
    random.seed(seed)  # the scheduler chooses among equal hosts
    with place.world() as world:
        history = History(world, seed)
        try:
            history.play()
        except AssertionError as error:
            return f"seed {seed}: {error}\n  " + "\n  ".join(history.told)
    return None


@pytest.mark.parametrize("first", range(0, SEEDS, SHARE))
def test_nothing_is_lost(place, first):
    print(f"seeds {first} to {first + SHARE - 1}")
    for seed in range(first, first + SHARE):
        failure = play(place, seed)
        assert failure is None, failure


def main() -> int:
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began, failed = time.monotonic(), []
    with made_place() as place:
        for seed in range(first, first + count):
            failure = play(place, seed)
            if failure:
                failed.append(seed)
                if len(failed) <= 3:
                    print(failure, flush=True)
            if (seed + 1 - first) % 50 == 0:
                print(f"{seed + 1 - first} in {time.monotonic() - began:.0f} s, {len(failed)} failed", flush=True)
    print(f"{count} histories from seed {first} on in {time.monotonic() - began:.1f} s, {len(failed)} failed: {failed[:30]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
