"""Sets of group members: what is written when one comes or goes."""

import pytest

from network.agent.filters import set_lines

KIND = "hash:ip family inet"


def test_a_new_set_is_filled_aside_and_swapped():
    assert set_lines("s", KIND, ["10.0.0.1"], None) == [
        f"create s {KIND} -exist", f"create pileus-tmp {KIND} -exist", "flush pileus-tmp", "add pileus-tmp 10.0.0.1 -exist",
        "swap pileus-tmp s", "destroy pileus-tmp"]


@pytest.mark.parametrize("size", [5, 500])
def test_one_more_member_is_one_line_whatever_the_size(size):
    old = [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(size)]
    assert set_lines("s", KIND, [*old, "10.9.9.9"], old) == ["add s 10.9.9.9 -exist"]
    assert set_lines("s", KIND, old[1:], old) == [f"del s {old[0]} -exist"]
    assert set_lines("s", KIND, old, old) == []
