"""Requests that the web page's server answers, and those of other sites that it refuses."""

import asyncio
from typing import Any

import pytest

from emotion_rppg.app.local_requests import LocalRequests

LINK = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
OWN = {"host": "127.0.0.1:7860", "origin": "http://127.0.0.1:7860", "sec-fetch-site": "same-origin"}
ANSWERED: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/", {"host": "127.0.0.1:7860"}),
    ("GET", "/", {"host": "LOCALHOST:7860"}),
    ("GET", "/", {"host": "[::1]:7860"}),
    ("POST", "/read", {"host": "127.0.0.1:7860"}),  # curl
    ("POST", "/read", OWN),
    ("GET", "/", {"host": "localhost:7860", "sec-fetch-site": "none"}),
    ("GET", "/", {"host": "localhost:7860"} | LINK),
]
REFUSED: list[tuple[str, str, dict[str, str]]] = [
    ("GET", "/", {}),
    ("GET", "/", {"host": "evil.example"}),
    ("GET", "/", {"host": "evil.example:7860"}),
    ("GET", "/", {"host": "127.0.0.1.evil.example:7860"}),
    ("GET", "/", {"host": "127.0.0.1"}),
    ("GET", "/", {"host": "127.0.0.1:80"}),
    ("GET", "/", {"host": "0.0.0.0:7860"}),
    ("POST", "/read", OWN | {"origin": "http://evil.example"}),
    ("POST", "/read", OWN | {"origin": "null"}),
    ("POST", "/read", OWN | {"origin": "http://127.0.0.1:8888"}),
    ("POST", "/read", OWN | {"origin": "https://127.0.0.1:7860"}),
    ("POST", "/read", {"host": "127.0.0.1:7860", "sec-fetch-site": "cross-site"}),
    ("POST", "/read", {"host": "127.0.0.1:7860", "sec-fetch-site": "same-site"}),
    ("POST", "/", {"host": "127.0.0.1:7860"} | LINK),
    ("GET", "/file=/a", {"host": "127.0.0.1:7860"} | LINK),
    ("GET", "/", {"host": "127.0.0.1:7860"} | LINK | {"sec-fetch-dest": "iframe"}),
]


def answer(
    kind: str, method: str, path: str, headers: dict[str, str], twice: str = ""
) -> list[dict[str, Any]]:
    """Send one request through the middleware; return the messages of the answer."""
    sent: list[dict[str, Any]] = []

    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "passed on"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    pairs = [*headers.items(), *([(twice, "evil.example")] if twice else [])]
    scope = {
        **{"type": kind, "method": method, "path": path, "server": ("127.0.0.1", 7860)},
        "headers": [(name.encode(), value.encode()) for name, value in pairs],
    }
    asyncio.run(LocalRequests(page)(scope, None, send))  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize(("method", "path", "headers"), ANSWERED)
def test_the_page_and_programs_of_this_machine_are_answered(method, path, headers) -> None:
    assert answer("http", method, path, headers) == [{"type": "passed on"}]


@pytest.mark.parametrize(("method", "path", "headers"), REFUSED)
def test_other_sites_are_refused_in_one_sentence(method, path, headers) -> None:
    start, body = answer("http", method, path, headers)
    assert start["status"] == 403
    text = body["body"].decode()
    assert "http://127.0.0.1:7860" in text
    assert "\n" not in text


def test_a_second_host_or_origin_is_refused() -> None:
    for name in ("host", "origin"):
        assert answer("http", "POST", "/read", OWN, twice=name)[0]["status"] == 403


@pytest.mark.parametrize(
    "headers", [OWN | {"origin": "http://evil.example"}, {"host": "evil:7860"}]
)
def test_a_websocket_of_another_site_is_closed_before_it_opens(headers) -> None:
    assert answer("websocket", "GET", "/ws", headers)[0]["type"] == "websocket.close"
    assert answer("websocket", "GET", "/ws", OWN) == [{"type": "passed on"}]


def test_start_and_end_of_the_server_pass() -> None:
    assert answer("lifespan", "", "", {}) == [{"type": "passed on"}]
