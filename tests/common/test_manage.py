"""What the commands print of errors that an operator can mend."""

import pymysql
import pytest
import sqlalchemy as sa

from common import conf, errors, manage


@pytest.mark.parametrize(("error", "said"), [
    (conf.ConfigError("x.conf:1: no"), "x.conf:1: no"),
    (errors.ServiceUnavailable("The message bus is away."), "The message bus is away."),
    (sa.exc.OperationalError("SELECT secret", {}, pymysql.err.OperationalError(1045, "Access denied for user 'u'@'h'")),
     "the database cannot be used: Access denied for user 'u'@'h'"),
    (sa.exc.TimeoutError("QueuePool limit"), "the database cannot be used: QueuePool limit")])
def test_a_known_error_is_a_line_without_a_traceback(capsys, error, said):
    @manage.explained
    def main(argv=None):
        raise error
    assert main() == 1
    assert capsys.readouterr().err == f"{said}\n"


def test_an_error_of_the_program_is_not_hidden():
    @manage.explained
    def main(argv=None):
        raise sa.exc.OperationalError("SELEKT", {}, pymysql.err.OperationalError(1064, "You have an error in your SQL syntax"))
    with pytest.raises(sa.exc.OperationalError):
        main()
