"""A browser without scripts: cookies are kept, forms are read from the page and posted."""

import html
import html.parser
import re
import urllib.parse

import urllib3


class Forms(html.parser.HTMLParser):
    """Every posted form of a page: {action: {field: value, or values}}, and the buttons that lead elsewhere.

    ``names``: {action: every field that there is, also unchecked boxes}
    """

    def __init__(self, text: str):
        super().__init__()
        self.forms: dict[str, dict] = {}
        self.names: dict[str, set[str]] = {}
        self.buttons: set[str] = set()
        self._form: dict | None = None
        self._names: set[str] = set()
        self._select = self._area = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag == "form" and given.get("method") == "post":
            self._form = self.forms.setdefault(given.get("action", ""), {})
            self._names = self.names.setdefault(given.get("action", ""), set())
        if "formaction" in given:
            self.buttons.add(given["formaction"])
        if self._form is None or tag not in ("input", "textarea", "select", "option"):
            return
        name = given.get("name", "")
        if tag == "option":
            if self._select not in self._form or "selected" in given:
                self._form[self._select] = given["value"]
        elif tag == "select":
            self._select = name
            self._form.pop(name, None)
        elif tag == "textarea":
            self._area, self._form[name] = name, ""
        elif given.get("type") == "hidden" and name in self._form:
            self._form[name] = [*([old] if isinstance(old := self._form[name], str) else old), given.get("value", "")]
        elif given.get("type") != "checkbox":
            self._form[name] = given.get("value", "")
        elif "checked" in given:
            self._form.setdefault(name, []).append(given["value"])
        self._names.add(name)

    def handle_data(self, data):
        if self._area and self._form is not None:
            self._form[self._area] = (self._form[self._area] + data).removeprefix("\n")

    def handle_endtag(self, tag):
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = ""


class Browser:
    def __init__(self, base: str):
        self.base, self.cookies, self.pool = base, {}, urllib3.PoolManager(retries=False)
        self.status, self.text, self.path, self.headers = 0, "", "/", {}

    def open(self, path: str, fields: dict | None = None, **headers) -> "Browser":
        send = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), **headers}
        if fields is None:
            answer = self.pool.request("GET", self.base + path, headers=send, redirect=False)
        else:
            send["Content-Type"] = "application/x-www-form-urlencoded"
            answer = self.pool.request("POST", self.base + path, body=urllib.parse.urlencode(fields, doseq=True), headers=send,
                                       redirect=False)
        for cookie in answer.headers.getlist("Set-Cookie"):
            name, _, value = cookie.split(";")[0].partition("=")
            assert "HttpOnly" in cookie or not value
            self.cookies[name] = value
            if "Max-Age=0" in cookie:
                del self.cookies[name]
        if answer.status in (302, 303):
            where = urllib.parse.urlsplit(answer.headers["Location"])
            return self.open(where.path + (f"?{where.query}" if where.query else ""))
        self.status, self.text, self.path, self.headers = answer.status, answer.data.decode(), path, answer.headers
        return self

    def post(self, action: str, **values) -> "Browser":
        """Send a form of the page that is open."""
        page = Forms(self.text)
        assert set(values) <= page.names[action] | {"step", "verb"}, (values, page.names[action])
        return self.open(action, {**page.forms[action], **values})

    def do(self, action: str, **values) -> "Browser":
        """Open the dialog of an action, and confirm it with these values. It must be accepted."""
        self.refused(action, **values)
        assert self.status == 200 and "toast good" in self.text, (action, self.status, self.words()[-600:])
        return self

    def refused(self, action: str, **values) -> "Browser":
        """As ``do``, for what is refused."""
        page, _, query = action.partition("?")
        self.open(action)
        assert self.status == 200, (action, self.status, self.words()[-300:])
        return self.post(page, **values)

    def press(self, path: str) -> "Browser":
        """Press a button of a list, or of the menu of one of its rows, that does something at once."""
        def buttons() -> set[str]:
            here = urllib.parse.urlsplit(self.path).path
            return {urllib.parse.urljoin(here, button) for button in Forms(self.text).buttons}
        found = buttons()
        if path not in found:
            self.open(f"{path.rstrip('/').rpartition('/')[0]}/actions/")
            found = buttons()
        assert path in found, (path, found)
        return self.open(path, {"csrfmiddlewaretoken": self.csrf()})

    def choose(self, verb: str, ids: list[str] | None = None) -> "Browser":
        """Press a button of a list for the rows with these ids; None: for all."""
        chosen = [html.unescape(value) for value in re.findall(r'name="id" value="([^"]+)"', self.text)]
        return self.open(urllib.parse.urlsplit(self.path).path, {"csrfmiddlewaretoken": self.csrf(), "verb": verb, "id": [
            value for value in chosen if ids is None or value.partition(" ")[0] in ids]})

    def csrf(self) -> str:
        return next(fields["csrfmiddlewaretoken"] for fields in Forms(self.text).forms.values())

    def log_in(self, user: str, password: str) -> "Browser":
        return self.open("/").post("/auth/login/", username=user, password=password)

    def words(self) -> str:
        return words(self.text)

    def row(self, name: str) -> str:
        """The words of the table's row in which a name stands, or nothing."""
        return next((r for r in map(words, re.split(r"<tr[ >]", self.text)[1:]) if name in r), "")

    def id_of(self, name: str) -> str:
        """The id of the list's row in which a name stands."""
        found = [part for part in self.text.split("<tr role")[1:] if name in words(part)]
        assert found, (name, self.words()[-500:])
        return urllib.parse.unquote(re.search(r'data-id="([^"]+)"', found[0])[1])


def words(text: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.replace("<wbr>", "")))).strip()
