"""Every command tells its version and all its options, and has a manual page that is rendered without a warning."""

import argparse
import ast
import errno
import importlib
import os
import pathlib
import shutil
import subprocess
import tomllib

import pytest

from common import version
from deploy import cli, lab, man, statedir
from tests.architecture.test_imports import modules

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PARSERS = man.parsers()
PAGES = man.pages()


def _below(parser: argparse.ArgumentParser):
    """A parser and those of all its verbs."""
    yield parser
    for each in man.verbs(parser).values():
        yield from _below(each)


ALL = {parser.prog: parser for command in cli.COMMANDS for parser in _below(PARSERS[command])}


def test_each_installed_command_is_known():
    assert {name: target.split(":")[0] for name, target in PROJECT["scripts"].items()} == cli.COMMANDS
    assert len(ALL) > 20 and {"pileus up", "identity-manage doctor", "image-manage metadefs load"} <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_help_names_every_option(name):
    parser = ALL[name]
    text = parser.format_help()
    assert parser.description and parser.description.rstrip().endswith(".") and parser.description.isascii()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            assert set(action.choices) == {choice.dest for choice in action._choices_actions}
            assert all(choice.help for choice in action._choices_actions)
            assert all(each in text for each in action.choices)
            continue
        assert action.help and action.help != argparse.SUPPRESS and action.help.isascii(), action
        assert all(word in text for word in action.option_strings or action.choices or [action.dest])


@pytest.mark.parametrize("path", sorted(str(p.relative_to(ROOT)) for p in modules() if "add_argument(" in p.read_text()))
def test_no_option_is_without_help(path):
    """Also those of parsers that only other commands call."""
    calls = [node for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, ast.Call)
             and isinstance(node.func, ast.Attribute) and node.func.attr == "add_argument"]
    for call in calls:
        given = {keyword.arg for keyword in call.keywords}
        tells_itself = any(isinstance(k.value, ast.Name) and k.value.id == "Version" for k in call.keywords)
        assert given & {"help", None} or tells_itself, f"{path}:{call.lineno}"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_version(name, capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(cli.COMMANDS[name]).main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"{name} {version.text()}\n"
    assert version.text() == PROJECT["version"]


@pytest.mark.parametrize("words", ["audit", "trace req-1", "lab", "lab add node2", "lab remove node2", "supervise", "down --yes"])
def test_a_command_without_a_cloud_reports_it_and_creates_nothing(words, tmp_path, capsys):
    assert cli.main([*words.split(), "--state", f"{tmp_path}/none"]) == 1
    assert capsys.readouterr().err == (f"pileus {words.split()[0]}: There is no cloud in {tmp_path}/none. Name the directory of "
                                       "one with --state, or start one with pileus up.\n")
    assert not (tmp_path / "none").exists()


def test_without_a_clone_only_the_fake_cloud_can_be_started(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cli, "CLONE", tmp_path)
    assert cli.main(["up", "--state", f"{tmp_path}/none"]) == 1
    told = capsys.readouterr().err
    assert "from a clone" in told and "--driver fake" in told
    assert not (tmp_path / "none").exists()


def test_a_clone_knows_its_version_too(monkeypatch):
    def not_installed(name):
        raise version.metadata.PackageNotFoundError(name)
    monkeypatch.setattr(version.metadata, "version", not_installed)
    assert version.text.__wrapped__() == PROJECT["version"]


@pytest.mark.parametrize(("script", "words"), [
    ("up", ("--metrics-ip", "--hosts", "--virt-type")), ("down", ("--yes", "--state"))])
def test_scripts_answer_before_anything_is_installed(tmp_path, script, words):
    """With the system's Python and without a state: nothing is made."""
    bare = {"PATH": "/usr/bin:/bin", "PILEUS_STATE": str(tmp_path / "none")}

    def said(*asked: str) -> str:
        done = subprocess.run([str(ROOT / "deploy" / script), *asked], capture_output=True, text=True, env=bare, timeout=180)
        assert done.returncode == 0, done.stderr
        return done.stdout
    assert all(word in said("--help") for word in words)
    assert said("--ip", "192.0.2.1", "--version") == f"pileus {PROJECT['version']}\n"
    assert list(tmp_path.iterdir()) == []


def test_lab_passes_its_arguments_on(monkeypatch):
    asked = []
    monkeypatch.setattr(lab, "main", lambda words: asked.append(words) or 0)
    monkeypatch.setattr(statedir, "require_cloud", lambda state: None)
    assert cli.main(["lab", "--state", "/s"]) == 0 == cli.main(["lab", "add", "node3", "--state", "/s"])
    assert cli.main(["lab", "add", "node3", "--virt-type", "lxc", "--state", "/s"]) == 0
    assert asked == [["--state", "/s", "list"], ["--state", "/s", "add", "node3"],
                     ["--state", "/s", "add", "node3", "--virt-type", "lxc"]]


def test_deploy_test_says_what_it_does():
    done = subprocess.run([str(ROOT / "deploy" / "test"), "--help"], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0 and done.stdout == (
        "Install what the tests need and run them all, the cheap ones first. Words after it go to pytest.\n")


def test_a_user_without_permission_to_read_a_cloud_gets_a_message(tmp_path, monkeypatch, capsys):
    def refused(state):
        raise PermissionError(errno.EACCES, "Permission denied", f"{state}/etc/pileus.conf")
    monkeypatch.setattr(statedir, "require_cloud", refused)
    assert cli.main(["status", "--state", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (f"pileus status: no permission for {tmp_path}/etc/pileus.conf; "
                                       "run this as the user of the cloud\n")


def test_each_command_and_verb_has_a_page():
    assert set(PAGES) == {f"{name}.8" for name in [*cli.COMMANDS, *(f"pileus-{verb}" for verb in man.verbs(cli.build_parser()))]}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_the_help_says(name):
    text = PAGES[name].replace("\\-", "-")
    assert text.isascii() and f".SH NAME\n{name.removesuffix('.8')} - " in text and ".SH SYNOPSIS" in text
    for parser in _below(PARSERS[name.removesuffix(".8")]):
        for action in parser._actions:
            assert all(option in text for option in action.option_strings if option not in ("-h", "--help"))


@pytest.mark.parametrize("command", ["groff -man -ww -Tascii", "mandoc -T lint -W warning"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_rendered_without_a_warning(name, command):
    if not shutil.which(command.split()[0]):
        pytest.skip(f"{command.split()[0]} is not installed (Debian's groff-base, mandoc)")
    done = subprocess.run(command.split(), input=PAGES[name], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    assert (name.removesuffix(".8") in done.stdout) if "lint" not in command else done.stdout == ""


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed (Debian's package man-db has it)")
def test_man_finds_pages_that_were_installed(tmp_path, capsys):
    """With the commands in $PATH it looks beside them."""
    (tmp_path / "bin").mkdir()
    assert cli.main(["man", "--install", str(tmp_path / "share" / "man")]) == 0
    assert capsys.readouterr().out == f"The manual pages are in {tmp_path}/share/man.\n"
    environment = {k: v for k, v in os.environ.items() if k != "MANPATH"} | {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}
    for name in PAGES:
        done = subprocess.run(["man", "-w", "8", name.removesuffix(".8")], capture_output=True, text=True, env=environment)
        assert done.stdout.strip() == f"{tmp_path}/share/man/man8/{name}", done.stderr


def test_pages_can_be_read_without_man(capsys):
    assert cli.main(["man", "pileus-status"]) == 0
    assert capsys.readouterr().out == PAGES["pileus-status.8"]
    assert cli.main(["man", "nothing"]) == 1 and "pileus-status" in capsys.readouterr().err
    assert cli.main(["man", "--install", "/proc/no/such"]) == 1 and "pileus man: " in capsys.readouterr().err
