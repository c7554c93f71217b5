"""What the configuration says of a file that it cannot use."""

import pytest

from common import conf
from compute_api.service import ComputeApi


@pytest.fixture
def read(tmp_path):
    """Write an operator's file for the compute service and read the configuration."""
    path = tmp_path / "etc" / "compute.conf.d" / "own.conf"
    path.parent.mkdir(parents=True)

    def work(text: str):
        path.write_bytes(text.encode("latin-1"))
        return conf.load("compute", ComputeApi.opts, str(tmp_path))
    work.path = path
    return work


@pytest.mark.parametrize(("text", "said"), [
    ("[DEFAULT]\nworkers = many\n", ": [DEFAULT] workers: 'many' is not a whole number"),
    ("[DEFAULT]\nworkers = 100\n", ": [DEFAULT] workers: Should be less than or equal to 64"),
    ("[DEFAULT]\nbind_port = 99999\n", ": [DEFAULT] bind_port: Should be less than or equal to 65535"),
    ("[compute]\n\nmax_attempts = many\n", ": [compute] max_attempts: 'many' is not a whole number"),
    ("[database]\nconnection = mysql+pymysql://u:$w@h\n", ": [database] connection: its value has a dollar sign; write it as $$"),
    ("[DEFAULT\nworkers = 4\n", ":1: Invalid section (must end with ])"),
    ("[DEFAULT]\n\nworkers 4\n", ":3: No ':' or '=' found in assignment"),
    ("workers = 4\n", ":1: Section must be started before assignment"),
    ("[DEFAULT]\nhost = caf\xe9\n", ": this is not text in UTF-8")])
def test_an_error_names_the_file_and_the_option(read, text, said):
    with pytest.raises(conf.ConfigError) as error:
        read(text)
    assert str(error.value) == f"{read.path}{said}"


def test_the_file_that_counts_is_named(read):
    (read.path.parent / "later.conf").write_text("[DEFAULT]\nworkers = 2\n")
    (read.path.parent / "zz.conf").write_text("[DEFAULT]\nworkers = none\n")
    with pytest.raises(conf.ConfigError, match="zz.conf: .DEFAULT. workers"):
        read("[DEFAULT]\nworkers = 3\n")


def test_a_dollar_sign_is_written_twice(read):
    assert read("[database]\nconnection = mysql+pymysql://u:pa$$word@h\n").database.connection == "mysql+pymysql://u:pa$word@h"
