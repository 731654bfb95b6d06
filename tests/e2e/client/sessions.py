"""A session begun at one replica, used at others and ended at another, as JSON: `sessions.py begin|use|end URL...`.

`begin` logs in at the first and prints the token; `use TOKEN` prints each one's status; `end TOKEN` logs out at the
first and prints each one's status then. The password is in ADMIN_PASSWORD.
"""

import json
import os
import sys

import httpx


def begin(url: str) -> str:
    """Log in; return the token."""
    login = {"username": "admin", "password": os.environ["ADMIN_PASSWORD"]}
    answer = httpx.post(f"{url}/api/v1/auth/login", json=login, timeout=60).raise_for_status()
    return str(answer.json()["token"])


def statuses(token: str, urls: list[str]) -> list[int]:
    """Return what each replica says to the token."""
    headers = {"Authorization": f"Bearer {token}"}
    return [httpx.get(f"{url}/api/v1/auth/me", headers=headers, timeout=60).status_code for url in urls]


def main(what: str, *rest: str) -> None:
    """Do it, and print."""
    if what == "begin":
        sys.stdout.write(json.dumps(begin(rest[0])) + "\n")
        return
    token, *urls = rest
    if what == "end":
        headers = {"Authorization": f"Bearer {token}"}
        httpx.post(f"{urls[0]}/api/v1/auth/logout", headers=headers, timeout=60).raise_for_status()
    sys.stdout.write(json.dumps(statuses(token, urls)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
