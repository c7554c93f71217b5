"""What becomes of ports when the host's packet filter refuses a text."""

import copy

import pytest

from common import errors
from network.agent import connections, parsing
from network.agent.filters import Filters
from tests.network.test_parsing import GROUP, OTHER, PORT, STATE


@pytest.fixture
def filters(monkeypatch):
    """Filters whose programs take a text unless ``bad`` is in it."""
    made = Filters()
    made.bad, made.loaded = "no such text", {}
    monkeypatch.setattr(made, "_accepted", lambda key, text: made.bad not in text)
    monkeypatch.setattr(made, "_load", made.loaded.__setitem__)
    monkeypatch.setattr(made, "_existing_chains", lambda version: {"pileus-FORWARD"})
    for name in ("_load_sets", "_drop_sets", "_forget_changed"):
        monkeypatch.setattr(made, name, lambda: None)
    monkeypatch.setattr(made, "_hook", lambda version: None)
    made.ended, made.ends = [], True

    def forget(ends) -> bool:
        made.ended.extend(ends)
        return made.ends
    monkeypatch.setattr(connections, "forget", forget)
    return made


@pytest.fixture
def state():
    return parsing.Parser().state(copy.deepcopy(STATE))


def test_a_port_that_is_refused_is_closed_and_tried_again(filters, state):
    filters.apply(state)
    filters.bad = f"-A pileus-o{PORT[:11]}"
    assert filters.ended == []
    assert set(filters.apply(state)) == {PORT}
    assert [sorted(end.networks) for end in filters.ended] == [["10.0.0.5", "10.99.0.0/24", "fd00::5"]]
    assert OTHER[:11] in filters.loaded["ip4"] and filters.bad not in filters.loaded["ip4"]
    filters.bad = "no such text"
    assert set(filters.apply(state)) == {PORT}, "not tried at each change"
    assert set(filters.apply(state, check=True)) == set()
    assert PORT[:11] in filters.loaded["ip4"]


def test_no_port_is_closed_where_everything_is_refused(filters, state):
    """As while another program holds the lock of xtables."""
    filters.bad = "COMMIT"
    with pytest.raises(errors.StepFailed):
        filters.apply(state)
    assert filters.loaded == {} and filters._refused == {}


def test_connections_that_could_not_be_ended_are_tried_again(filters, state):
    """And the rules are loaded meanwhile."""
    filters.apply(state)
    fewer = parsing.Parser().state({**copy.deepcopy(STATE), "groups": {GROUP: {"rules": [], "members": []}}})
    filters.ends = False
    assert filters.apply(fewer) == {}
    tried, filters.ended = filters.ended, []
    filters.ends = True
    assert len(tried) == 2 and filters.apply(fewer) == {} and filters.ended == tried
    filters.ended = []
    assert filters.apply(fewer) == {} and filters.ended == []
