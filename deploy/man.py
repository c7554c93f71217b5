"""Manual pages, generated from the commands' parsers: one for each command, and one for each verb of ``pileus``."""

import argparse
import importlib
import pathlib
import shutil
import subprocess
import sys

from argparse_manpage.manpage import Manpage

from common import version
from deploy.cli import COMMANDS

SECTION = 8  # commands for administrators


def verbs(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """{name: parser} of the sub-commands."""
    return {name: each for action in parser._actions if isinstance(action, argparse._SubParsersAction)
            for name, each in action.choices.items()}


def parsers() -> dict[str, argparse.ArgumentParser]:
    """{name of the page: parser}"""
    found = {}
    for command, module in COMMANDS.items():
        found[command] = importlib.import_module(module).build_parser()
        if command == "pileus":
            found |= {f"{command}-{name}": each for name, each in verbs(found[command]).items()}
    return found


def page(name: str, parser: argparse.ArgumentParser, others: list[str]) -> str:
    """The source of a page, for man or groff."""
    made = Manpage(parser, {
        "project_name": "Pileus", "version": version.text(), "manual_title": "Pileus", "manual_section": SECTION,
        "description": (parser.description or "").partition(". ")[0].rstrip(".")})
    made.prog = name
    made.add_section("see also", "=", ", ".join(f"\\fB{other}\\fR({SECTION})" for other in others).replace("-", "\\-"))
    header, _, rest = str(made).partition("\n")
    return header.replace("\\-", "-") + "\n" + rest  # dates need plain hyphens


def pages() -> dict[str, str]:
    """{file name: source} of all."""
    found = parsers()
    return {f"{name}.{SECTION}": page(name, parser, [other for other in found if other != name])
            for name, parser in found.items()}


def install(directory: str = "") -> pathlib.Path:
    """Write all pages to the directory that man searches for the commands in $PATH; returns it.

    :raises OSError: they cannot be written there
    """
    target = pathlib.Path(directory or f"{sys.prefix}/share/man")
    (target / f"man{SECTION}").mkdir(parents=True, exist_ok=True, mode=0o755)
    for name, text in pages().items():
        (target / f"man{SECTION}" / name).write_text(text)
    return target


def main(name: str, directory: str | None) -> int:
    """Show a page, or install all pages (``directory`` is not None)."""
    if directory is not None:
        try:
            print(f"The manual pages are in {install(directory)}.")
        except OSError as error:
            print(f"pileus man: {error}", file=sys.stderr)
            return 1
        return 0
    text = pages().get(f"{name}.{SECTION}")
    if text is None:
        print(f"pileus man: there is no page {name}; there are {', '.join(parsers())}", file=sys.stderr)
        return 1
    if sys.stdout.isatty() and shutil.which("man"):
        return subprocess.run(["man", "-l", "-"], input=text, text=True).returncode
    print(text, end="")
    return 0
