"""How values are shown."""

import datetime
import re
import urllib.parse

import jinja2
import markupsafe

from dashboard import forms, languages, waterfall
from dashboard.texts import Text

# The tone of a status, by its first word in lower case. Others are neutral.
_TONES = {
    **dict.fromkeys(("active", "available", "in-use", "up", "enabled", "completed", "finished", "confirmed", "success",
                     "accepted", "attached", "done"), "good"),
    **dict.fromkeys(("error", "down", "error_deleting", "error_extending", "failed", "killed", "crashed"), "bad"),
    **dict.fromkeys(("build", "reboot", "hard_reboot", "resize", "verify_resize", "revert_resize", "migrating", "rebuild",
                     "creating", "deleting", "attaching", "detaching", "downloading", "uploading", "extending", "queued",
                     "saving", "importing", "running", "password", "pending", "reserved", "retyping", "reverting",
                     "maintenance", "backing-up", "restoring-backup", "pending_delete", "error_restoring"), "wait")}


# Statuses are translated, so what is said of them is in the language of the page.
STATUSES = tuple(_TONES) + (
    "shutoff", "paused", "suspended", "shelved", "shelved_offloaded", "rescue",
    "soft_deleted", "deleted", "deactivated", "disabled",
    "unknown", "none", "n/a", "router", "instance", "user", "group", "project", "domain", "migration",
    "live-migration", "evacuation")


def is_status(text) -> bool:
    return str(text).lower() in STATUSES


def tone(status) -> str:
    return _TONES.get(str(status).lower(), "calm")


@jinja2.pass_context
def moment(context, text) -> str:
    """A time of an API, to the minute, in UTC."""
    try:
        return languages.moment(datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00")), context["language"])
    except ValueError:
        return str(text or "")


def iso(text) -> str:
    """The value of a ``datetime`` attribute."""
    try:
        return datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00")).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""


@jinja2.pass_context
def size(context, count) -> str:
    """Bytes, in binary units."""
    if not isinstance(count, (int, float)):
        return ""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if count < 1024 or unit == "TiB":
            return f"{count:.0f} {unit}" if count == int(count) or unit == "bytes" else (
                f"{languages.decimal(count, context['language'])} {unit}")
        count /= 1024
    return ""


@jinja2.pass_context
def gib(context, mib: float) -> str:
    """MiB of memory, in GiB."""
    return f"{forms.gib(round(mib)).replace('.', languages.POINTS[context['language']])} GiB"


SHORT = 15  # as many characters as need not be broken in a table
# After what a long name may be broken, rather than in the middle of a word.
_JOINTS = re.compile(r"(?<=[:/_.=@,])(?=[^:/_.=@,\s])")


@jinja2.pass_context
def breakable(context, text) -> markupsafe.Markup:
    """A value that may be broken where its words are joined. What is short is not broken."""
    said = languages.translated(text, context["language"]) if isinstance(text, Text) else str(text)
    return markupsafe.Markup("<wbr>").join(_JOINTS.split(said) if len(said) > SHORT else [said])


@jinja2.pass_context
def amount(context, number) -> str:
    """A number, with one digit after the point if it is not whole."""
    return languages.decimal(number, context["language"], 1 if isinstance(number, float) and number % 1 else 0)


@jinja2.pass_context
def fixed(context, number: float) -> str:
    """A number with two digits after the point, so that those of a column stand beneath each other."""
    return languages.decimal(number, context["language"], 2)


@jinja2.pass_context
def duration(context, seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{languages.decimal(seconds, context['language'], 2)} s"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"


@jinja2.pass_context
def day(context, date) -> str:
    return languages.day(date, context["language"])


def segment(text) -> str:
    """A value as one segment of a path."""
    return urllib.parse.quote(str(text), safe="", errors="replace")


def share(pair) -> int:
    """The percentage that is used, of (used, total); a total of -1 is unlimited."""
    used, total = pair
    return max(0, min(100, round(100 * used / total))) if total and total > 0 else 0


FILTERS = {"is_status": is_status, "tone": tone,
           "moment": moment, "iso": iso, "size": size, "segment": segment, "share": share, "amount": amount,
           "fixed": fixed, "gib": gib, "breakable": breakable, "duration": duration, "day": day,
           "sections": forms.sections, "steps": waterfall.steps}
