"""``python -m tests.dashboard.texts``: add the dashboard's new texts to the files of translations, and take old ones away.

Texts are found where they are declared: the members of panels, actions, columns and forms that are shown, the arguments of
``Text`` and of errors, and ``_("…")`` in templates.
"""

import ast
import json
import pathlib
import re
import typing

from dashboard import filters, languages

ROOT = pathlib.Path(__file__).resolve().parents[2] / "dashboard"
LOCALE = ROOT / "locale"
# Whose arguments are texts: by position, and by name.
_SHOWN: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "Text": ((0,), ()), "Partly": ((0,), ()), "Column": ((0,), ("title",)), "Filter": ((1, 2), ("title", "options")),
    "Action": ((1,), ("text", "ask", "done", "submit", "title")), "Table": ((0, 3), ("title", "empty")),
    "Tab": ((1,), ("title", "empty")),
    "Field": ((1, 4), ("label", "help", "section", "blank", "options")),
    "Create": ((0,), ("text", "help")),
    "Refused": ((0,), ()),
    "Panel": ((), ("title", "menu", "empty", "links")), "deletion": ((), ("ask", "done")), "pairs_field": ((1,), ()),
    "ValueError": ((0,), ()), "redirect": ((2,), ()), "render": ((), ("wrong", "title", "text")), "_page": ((), ("text",
        "title")),
    "replace": ((), ("title", "menu", "empty", "help", "text", "label")),
    **dict.fromkeys(("BadRequest", "NotFound", "Forbidden", "TooLarge"), ((0,), ()))}
# Tables of texts, by the names of variables.
_TABLES = {"_SOURCES", "SERVICES", "COMPUTE", "VOLUME", "NETWORK", "_COMPUTE", "_VOLUME", "_NETWORK", "text", "title", "message",
           "_TOTALS", "_KINDS", "_WRONG"}
_CODE = re.compile(r"[a-z]+/[a-z+]+|[a-z]+[A-Z]\w*|[a-z0-9_./:#-]*|[A-Z_0-9]+|[\w.-]+@.*|https?://.*|[^a-zA-Z]*")


def _strings(node: ast.AST) -> typing.Iterator[str]:
    """The texts of an argument: also of a tuple, of pairs, and of both ways of a condition; not of calls in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, (ast.Tuple, ast.List)):
        for part in node.elts:
            yield from _strings(part)
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from _strings(value)
    elif isinstance(node, ast.IfExp):
        yield from [*_strings(node.body), *_strings(node.orelse)]
    elif isinstance(node, ast.BinOp):
        yield from [*_strings(node.left), *_strings(node.right)]
    elif isinstance(node, ast.BoolOp):
        for part in node.values:
            yield from _strings(part)


def of_module(text: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            positions, names = _SHOWN.get(name, ((), ()))
            shown = [node.args[at] for at in positions if at < len(node.args)]
            shown += [word.value for word in node.keywords if word.arg in names]
            if name == "Tab":  # (title, columns) pairs
                shown += [pair.elts[0] for word in node.keywords if word.arg == "facts" and isinstance(word.value, ast.Tuple)
                          for pair in word.value.elts if isinstance(pair, ast.Tuple)]
            if name == "Panel":  # a word in small letters, such as names in code are
                found.update(text for word in node.keywords if word.arg == "noun" for text in _strings(word.value))
            for part in shown:
                found.update(text for text in _strings(part) if name in ("Text", "Partly") or not _CODE.fullmatch(text))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and (target.id in _TABLES or target.id.endswith("FACTS")) for target in targets):
                found.update(text for text in _strings(node.value) if not _CODE.fullmatch(text))
    return found


def of_template(text: str) -> set[str]:
    return {ast.literal_eval(f'"{found}"') for found in re.findall(r'\b_\("((?:[^"\\]|\\.)*)"', text)}


def texts() -> list[str]:
    """Every text of the dashboard, in English."""
    found: set[str] = {status for status in filters.STATUSES}
    for path in sorted(ROOT.rglob("*.py")):
        if path.name != "parts.py":  # for those who write panels, as its template
            found |= of_module(path.read_text())
    for path in sorted(ROOT.glob("templates/*.html")):
        if path.name != "design.html":  # for those who write panels
            found |= of_template(path.read_text())
    return sorted(found, key=order)


def order(text: str) -> tuple[str, str]:
    return text.lower(), text


def written(language: str, known: dict[str, str], wanted: typing.Iterable[str]) -> str:
    """A file of translations. Those that are missing are empty."""
    head = f'# Translations of the dashboard: {languages.NAMES[language]}.\nmsgid ""\nmsgstr ""\n' \
           f'"Content-Type: text/plain; charset=UTF-8\\n"\n"Language: {language}\\n"\n'
    entries = [f"msgid {json.dumps(text, ensure_ascii=False)}\nmsgstr {json.dumps(known.get(text, ''), ensure_ascii=False)}\n"
               for text in wanted]
    return "\n".join([head, *entries])


def main() -> None:
    wanted = texts()
    for language, known in languages.CATALOGS.items():
        if language != "en":
            (LOCALE / f"{language}.po").write_text(written(language, known, wanted))
            print(f"{language}: {len([text for text in wanted if text not in known])} of {len(wanted)} are missing")


if __name__ == "__main__":
    main()
