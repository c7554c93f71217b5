"""Reports of many senders are written together, and one sender among few waits for nothing."""

import threading
import time

from common import batches
from common.periodic import wait_for


def test_the_first_report_is_written_at_once_and_those_that_follow_together():
    written: list[dict] = []
    batch = batches.Batch(written.append, interval_s=0.2)
    batch.put("a", 1)
    assert written == [{"a": 1}]
    for name in "bcd":
        batch.put(name, 2)
    batch.put("b", 3)
    assert written == [{"a": 1}]
    wait_for(lambda: len(written) > 1, 30)
    assert written[1:] == [{"b": 3, "c": 2, "d": 2}]


def test_reports_of_one_sender_can_be_merged():
    written: list[dict] = []
    batch = batches.Batch(written.append, merge=lambda earlier, later: earlier + later, interval_s=0.1)
    for report in ([1], [2], [3]):
        batch.put("a", report)
    wait_for(lambda: len(written) > 1, 30)
    assert written == [{"a": [1]}, {"a": [2, 3]}]


def test_items_that_arrive_during_a_slow_write_are_not_lost():
    written: list[dict] = []
    begun, go_on = threading.Event(), threading.Event()

    def write(reports):
        written.append(reports)
        begun.set()
        go_on.wait(5)
    batch = batches.Batch(write, interval_s=0.05, at_once=False)
    batch.put("a", 1)
    begun.wait(5)
    batch.put("b", 2)
    go_on.set()
    wait_for(lambda: {"b": 2} in written, 30)


def test_a_write_that_fails_loses_its_reports_and_no_others():
    written: list[dict] = []

    def write(reports):
        if "bad" in reports:
            raise ValueError("bad")
        written.append(reports)
    batch = batches.Batch(write, interval_s=0.05, at_once=False)
    batch.put("bad", 1)
    time.sleep(0.2)
    batch.put("good", 1)
    wait_for(lambda: written == [{"good": 1}], 30)


def test_a_thousand_senders_cost_as_many_writes_as_one():
    counts = []
    for senders in (1, 1000):
        written: list[dict] = []
        batch = batches.Batch(written.append, interval_s=0.3, at_once=False)
        for number in range(senders):
            batch.put(str(number), number)
        wait_for(lambda: sum(map(len, written)) == senders, 30)  # noqa: B023
        counts.append(len(written))
    assert counts[0] == 1 and counts[1] <= 2
