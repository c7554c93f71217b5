"""What `up` writes before the first daemon starts."""

from concurrent.futures import ProcessPoolExecutor

from deploy.prepare import ensure_secrets, write_config


def _both(state: str) -> dict:
    write_config(state, transport_url="fake://", host="h", my_ip="127.0.0.1")
    return ensure_secrets(state)


def test_everyone_who_starts_at_once_gets_the_same_secrets(tmp_path):
    """A start that read a half-written file once made new passwords, and nobody could log in any more."""
    with ProcessPoolExecutor(8) as pool:
        found = list(pool.map(_both, [str(tmp_path)] * 200))
    assert all(f == found[0] for f in found)
    assert (tmp_path / "etc" / "secrets.ini").stat().st_mode & 0o777 == 0o600
