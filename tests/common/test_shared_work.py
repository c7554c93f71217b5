"""Work that ends when nobody waits for it."""

import threading
import time

import pytest

from common import errors
from common.shared_work import SharedWork, attended, never


def always() -> bool:
    return True


def test_result_and_exception_reach_all_waiting_callers():
    go_on, made = threading.Event(), []

    def work(shared):
        made.append(1)
        go_on.wait(10)
        return "done"
    shared, found = SharedWork(work), []
    threads = [threading.Thread(target=lambda: found.append(shared.wait(never))) for _ in range(3)]
    for thread in threads:
        assert shared.join()
        thread.start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert found == ["done"] * 3 and made == [1] and not shared.join()

    def refuse(shared):
        raise errors.StepFailed(reason="no")
    with pytest.raises(errors.StepFailed):
        attended(refuse, never)


def test_who_leaves_leaves_the_others_what_they_wait_for():
    go_on, shut = threading.Event(), []

    def work(shared):
        with shared.reading(lambda: shut.append(1)):
            go_on.wait(10)
        shared.check()
        return "done"
    shared = SharedWork(work)
    assert shared.join() and shared.join()
    with pytest.raises(errors.Superseded):
        shared.wait(always)
    go_on.set()
    assert shared.wait(never) == "done" and not shut


def test_the_last_one_to_leave_shuts_what_is_read():
    shut, reads = threading.Event(), threading.Event()

    def work(shared):
        with shared.reading(shut.set):
            reads.set()
            shut.wait(10)
            shared.check()
    shared = SharedWork(work)
    assert shared.join() and reads.wait(10)
    with pytest.raises(errors.Superseded):
        shared.wait(always)
    assert shut.is_set() and not shared.join()


def test_work_that_reads_nothing_yet_is_taken_over_or_ends_at_its_next_check():
    for again in (True, False):
        go_on, ended = threading.Event(), threading.Event()

        def work(shared, go_on=go_on, ended=ended):
            go_on.wait(10)
            try:
                shared.check()
            finally:
                ended.set()
            return "done"
        shared = SharedWork(work)
        shared.join()
        with pytest.raises(errors.Superseded):
            shared.wait(always)
        if again:
            assert shared.join()
        go_on.set()
        assert ended.wait(10)
        if again:
            assert shared.wait(never) == "done"
        else:
            while not shared.over():
                time.sleep(0.01)
            assert not shared.join()
