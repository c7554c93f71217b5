import pytest
from playwright.sync_api import sync_playwright

from tests.dashboard import chromium as chromiums
from tests.dashboard.browser import Browser


@pytest.fixture
def base(cloud):
    return f"http://127.0.0.1:{8080 + cloud.offset}"


@pytest.fixture
def scriptless(cloud, base):
    """A browser without scripts, which has logged in as the administrator."""
    return Browser(base).log_in("admin", cloud.client.password)


@pytest.fixture
def browser(scriptless):
    """Modules whose tests are for Chromium replace it by ``window``."""
    return scriptless


@pytest.fixture(scope="module")
def chromium(cloud):
    port = 8080 + cloud.offset
    with sync_playwright() as playwright:
        # Some of the ports that tests use are on Chromium's list of those of other protocols.
        made = playwright.chromium.launch(executable_path=chromiums.PATH, args=[
            "--no-sandbox", f"--explicitly-allowed-ports={port}"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def window(cloud, request):
    """Chromium, which has logged in as the administrator; on machines without it, the browser without scripts."""
    base = f"http://127.0.0.1:{8080 + cloud.offset}"
    if not chromiums.is_there():
        return Browser(base).log_in("admin", cloud.client.password)
    return chromiums.Chromium(base, request.getfixturevalue("chromium").new_context()).log_in("admin", cloud.client.password)
