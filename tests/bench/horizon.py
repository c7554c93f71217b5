"""Horizon from PyPI beside a cloud, for comparison.

    python -m tests.bench.horizon DIRECTORY

makes its virtual environment, with its style sheets compressed as for production; that needs the package index.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import time
import venv

import requests

from common.periodic import wait_for

PORT, START_S, PAGE_S = 18080, 90, 120
SETTINGS = """
import os
DEBUG, ALLOWED_HOSTS, SECRET_KEY, WEBROOT = False, ["*"], "only for a measurement", "/"
COMPRESS_OFFLINE = True
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
OPENSTACK_HOST = "127.0.0.1"
OPENSTACK_KEYSTONE_URL = os.environ.get("KEYSTONE_URL", "http://127.0.0.1:5000/v3")
OPENSTACK_API_VERSIONS = {"identity": 3, "image": 2, "volume": 3}
LOGGING = {"version": 1, "disable_existing_loggers": True}
"""


def _environment(**more: str) -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "openstack_dashboard.settings", **more}


def install(directory: pathlib.Path) -> None:
    venv.create(directory, with_pip=True)
    binaries = directory / "bin"
    subprocess.run([binaries / "pip", "install", "-q", "horizon", "gunicorn"], check=True)
    found = subprocess.run([binaries / "python", "-c", "import openstack_dashboard as o; print(o.__path__[0])"], check=True,
                           capture_output=True, text=True).stdout.strip()
    pathlib.Path(found, "local", "local_settings.py").write_text(SETTINGS)
    for command in (["collectstatic", "--noinput"], ["compress", "--force"]):
        subprocess.run([binaries / "django-admin", *command], check=True, env=_environment(), stdout=subprocess.DEVNULL)


class Horizon:
    def __init__(self, base: str, password: str):
        self.base, self.session = base, requests.Session()
        page = self.session.get(f"{base}/auth/login/", timeout=PAGE_S)
        page.raise_for_status()
        answer = self.session.post(f"{base}/auth/login/", timeout=PAGE_S, headers={"Referer": base}, data={
            "csrfmiddlewaretoken": self.session.cookies["csrftoken"], "username": "admin", "password": password,
            "region": "default", "next": "/project/"})
        assert "/auth/login" not in answer.url, "Horizon refused the login"

    def measure(self, path: str, rounds: int) -> list[float] | str:
        """Times of the whole answer in ms; or why there is none."""
        times = []
        for n in range(rounds + 1):
            began = time.perf_counter()
            try:
                answer = self.session.get(self.base + path, timeout=PAGE_S)
            except requests.RequestException as error:
                return type(error).__name__
            if answer.status_code != 200 or "/auth/login" in answer.url:
                return str(answer.status_code)
            if n:
                times.append((time.perf_counter() - began) * 1000)
        return times


@contextlib.contextmanager
def running(directory: str, cloud):
    """Horizon, logged in as the cloud's administrator, in a process with eight threads."""
    gunicorn = pathlib.Path(directory) / "bin" / "gunicorn"
    process = subprocess.Popen(
        [gunicorn, "-k", "gthread", "--threads", "8", "-t", str(PAGE_S), "-b", f"127.0.0.1:{PORT}", "--log-level", "error",
         "openstack_dashboard.wsgi:application"],
        env=_environment(KEYSTONE_URL=f"http://127.0.0.1:{5000 + cloud.offset}/v3"))
    try:
        base = f"http://127.0.0.1:{PORT}"

        def answers() -> bool:
            with contextlib.suppress(requests.RequestException):
                return requests.get(f"{base}/auth/login/", timeout=PAGE_S).ok
            return False
        wait_for(answers, START_S, every_s=1, what="Horizon")
        yield Horizon(base, cloud.client.password)
    finally:
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    install(pathlib.Path(sys.argv[1]))
