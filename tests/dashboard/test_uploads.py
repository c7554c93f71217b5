"""Upload of images by web: what is stored, and uploads that lie."""

import hashlib

import pytest
import urllib3

from tests.dashboard.browser import Forms

WHERE = "/project/images/upload/"
DATA = bytes(range(256)) * 40_000


def send(browser, fields: dict, content: bytes | None = DATA, *, end: bytes | None = None, **headers):
    """Post the form as browsers do, with the file last."""
    parts = {**fields, **({"file": ("disk.raw", content, "application/octet-stream")} if content is not None else {})}
    body, kind = urllib3.encode_multipart_formdata(parts, boundary="x" * 20)
    body = body if end is None else body[:-len(end)] + end
    return browser.pool.request("POST", browser.base + WHERE, body=body, redirect=False, headers={
        "Content-Type": kind, "Cookie": "; ".join(f"{k}={v}" for k, v in browser.cookies.items()), **headers})


@pytest.fixture
def form(browser):
    return {**Forms(browser.open(WHERE).text).forms[WHERE], "name": "uploaded", "disk_format": "raw"} | {"file": ""}


def fields(form: dict, **more) -> dict:
    return {k: v for k, v in {**form, **more}.items() if k != "file"}


def test_an_image_is_uploaded(cloud, browser, form):
    assert send(browser, fields(form, properties="os_distro=alpine", min_disk="1")).status == 303
    image = cloud.client.find("image", "images", "uploaded")
    assert image["status"] == "active" and image["size"] == len(DATA) and image["os_distro"] == "alpine"
    assert image["checksum"] == hashlib.md5(DATA).hexdigest()
    cloud.client.call("image", "DELETE", f"/images/{image['id']}")


def test_a_refused_upload_leaves_nothing_and_keeps_what_was_typed(cloud, browser, form):
    answer = send(browser, fields(form, name="lies", disk_format="qcow2"))
    if answer.status != 303:  # the service may inspect the content only later
        assert answer.status == 400 and 'value="lies"' in answer.data.decode()
        assert not cloud.client.find("image", "images", "lies")
    answer = send(browser, fields(form, name="", properties="no sign"))
    assert answer.status == 400 and "This field is required" in answer.data.decode() and "no sign" in answer.data.decode()
    answer = send(browser, fields(form, name="kept", properties="no sign"))
    assert answer.status == 400 and 'value="kept"' in answer.data.decode()
    assert not cloud.client.find("image", "images", "kept")
    assert send(browser, fields(form, name="none"), None).status == 400
    assert not cloud.client.find("image", "images", "none")


def test_uploads_of_other_sites_are_refused(cloud, browser, form):
    for word in ("", "guess", "x" * 32):
        assert send(browser, fields(form, name="evil", csrfmiddlewaretoken=word)).status == 403
    assert send(browser, fields(form, name="evil"), Origin="http://evil.example").status == 403
    # The secret must come before the file.
    late = {k: v for k, v in fields(form, name="evil").items() if k != "csrfmiddlewaretoken"}
    assert send(browser, {**late}).status == 403
    assert not cloud.client.find("image", "images", "evil")


def test_uploads_that_are_no_forms_are_refused(cloud, browser, form):
    good = fields(form, name="broken")
    assert send(browser, good, **{"Content-Type": "text/plain"}).status == 400
    assert send(browser, good, **{"Content-Type": "multipart/form-data"}).status == 400
    assert send(browser, good, **{"Content-Type": "multipart/form-data; boundary=other"}).status == 400
    assert send(browser, {**good, "description": "x" * 100_000}).status == 413
    assert send(browser, {**good, **{f"f{n}": "x" for n in range(80)}}).status == 400
    assert send(browser, good, end=b"\r\n--yyyyyyyyyyyyyyyyyyyy--\r\n").status == 400, "the file has no end"
    assert not cloud.client.find("image", "images", "broken")


def test_an_image_that_was_uploaded_is_launched(cloud, window, tmp_path):
    if not hasattr(window, "page"):
        pytest.skip("needs Chromium")
    (tmp_path / "disk.raw").write_bytes(DATA)
    page, launch = window.open(WHERE).page, "/project/instances/launch/"
    page.fill("#f-name", "of-a-file")
    page.select_option("#f-disk_format", "raw")
    page.set_input_files("#f-file", tmp_path / "disk.raw")
    page.get_by_role("main").get_by_role("button", name="Upload").click()
    page.get_by_text("of-a-file was uploaded").wait_for()
    image = cloud.client.find("image", "images", "of-a-file")
    assert image["checksum"] == hashlib.md5(DATA).hexdigest()
    assert f'{launch}?image={image["id"]}"' in window.open("/project/images/").text
    window.open(f"{launch}?image={image['id']}").post(launch, name="of-a-file", key_name="", floating="", ssh="", step="create")
    server = cloud.client.find("compute", "servers", "of-a-file", "/servers/detail")
    assert server["image"]["id"] == image["id"]
    window.do(f"/project/instances/{server['id']}/delete/")
    cloud.client.call("image", "DELETE", f"/images/{image['id']}")
