import pytest

from tests.dashboard.browser import Browser


@pytest.fixture
def base(cloud):
    return f"http://127.0.0.1:{8080 + cloud.offset}"


@pytest.fixture
def browser(cloud, base):
    return Browser(base).log_in("admin", cloud.client.password)
