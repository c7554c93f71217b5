"""Settings on the command line of a fake cloud."""

import pytest

from deploy import settings


def test_settings_are_of_files_sections_and_options():
    found = settings.parse(["compute.compute.build_resend_s=5", "pileus.DEFAULT.report_interval=2",
                            "identity.oslo_messaging_notifications.driver=messagingv2", "compute.compute.max_attempts=1"])
    assert found == {"compute": {"compute": {"build_resend_s": "5", "max_attempts": "1"}},
                     "pileus": {"DEFAULT": {"report_interval": "2"}},
                     "identity": {"oslo_messaging_notifications": {"driver": "messagingv2"}}}


@pytest.mark.parametrize(("item", "said"), [
    ("compute.compute", "needs FILE.SECTION.OPTION=VALUE"), ("compute.max_attempts=1", "needs FILE.SECTION.OPTION=VALUE"),
    ("nova.compute.max_attempts=1", "there is no file etc/nova.conf, but compute,"),
    ("compute.compute.max_atempts=1", "no daemon that reads compute.conf has this option"),
    ("compute.compote.max_attempts=1", "no daemon that reads compute.conf has this option"),
    ("compute-agent.compute.max_attempts=1", "no daemon that reads compute-agent.conf has this option"),
    ("compute.compute.max_attempts=many", "compute.compute.max_attempts: "),
    ("identity.identity.token_expiration=-1", "identity.identity.token_expiration: ")])
def test_what_no_daemon_reads_is_an_error(item, said):
    with pytest.raises(ValueError, match="--set") as error:
        settings.parse(["compute.compute.build_resend_s=5", item])
    assert said in str(error.value)


def test_options_are_read_once_for_all_settings_of_a_file(monkeypatch):
    read, load = [], settings.conf_module.load
    monkeypatch.setattr(settings.conf_module, "load", lambda name, *args: read.append(name) or load(name, *args))
    settings.parse([f"compute.compute.build_resend_s={n}" for n in range(5, 9)])
    daemons = [daemon.load().conf_name for daemon in settings.DAEMONS.values()]
    assert len(read) == daemons.count("compute") > 0


def test_what_is_wrong_in_an_operators_files(tmp_path):
    etc = tmp_path / "etc"
    texts = {"compute.conf.d/a.conf": "[compute]\nmax_attempts = 2\nmax_atempts = 3\n[oslo_policy]\npolicy_dirs = p\n",
             "image.conf.d/b.conf": "[image]\nenabled_backends = fast:file\n[fast]\npath = /srv\n[faster]\npath = /srv\n",
             "identity.conf": "[DEFAULT]\nworkers = many\n", "network.conf.d/c.conf": "[DEFAULT]\ndebug = perhaps\n"}
    for name, text in texts.items():
        (etc / name).parent.mkdir(parents=True, exist_ok=True)
        (etc / name).write_text(text)
    invalid, unread = settings.problems(str(tmp_path))
    assert invalid == [f"{etc}/identity.conf: [DEFAULT] workers: 'many' is not a whole number",
                       f"{etc}/network.conf.d/c.conf: [DEFAULT] debug: Unexpected boolean value 'perhaps'"]
    unknown = "no daemon that reads this file has this option"
    assert unread == [f"{etc}/image.conf.d/b.conf: [faster] path: {unknown}",
                      f"{etc}/compute.conf.d/a.conf: [compute] max_atempts: {unknown}"]
