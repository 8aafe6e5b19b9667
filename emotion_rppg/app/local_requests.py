"""Refuse requests to the web page that other web sites send through the user's browser.

A server on 127.0.0.1 is reached by every page that is open in a browser of this machine. A foreign
page can post to it (cross-site request forgery), or give a domain name of its own the address
127.0.0.1 and read the answers too (DNS rebinding). A browser states where a request comes from in
the headers Host, Origin and Sec-Fetch-Site; programs such as curl send Host alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

HOSTS = ("127.0.0.1", "localhost", "[::1]")
_OWN_SITES = ("same-origin", "none")  # none: typed in, or opened from a bookmark

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Values = Callable[[str], list[str]]  # name of a header -> its values
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class LocalRequests:
    """ASGI middleware that passes on only requests that the page itself or a local program sent."""

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = foreign(scope) if scope["type"] in ("http", "websocket") else None
        if fault is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": fault})
        else:
            headers = [(b"content-type", b"text/plain; charset=utf-8")]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": fault.encode()})


def foreign(scope: Scope) -> str | None:
    """Explain in one sentence why a request is not from this page; None if it is."""
    port = (scope.get("server") or (None, None))[1]
    return fault_of(lambda name: _values(scope, name), port, opens_page=_opens_page(scope))


def fault_of(values: Values, port: int | None, *, opens_page: bool) -> str | None:
    """Explain in one sentence why a request to a server of this machine is foreign; None if not.

    Parameters
    ----------
    values : function
        All values of the header of a name.
    port : int
        Port of the server.
    opens_page : bool
        Whether the request opens the page in a tab, which a link on another site may do, too.
    """
    hosts = [f"{name}:{port}" for name in HOSTS] + [*HOSTS] * (port == 80)
    want = f"this server answers only its own page, http://{hosts[0]}, and programs on this machine"
    named = values("Host")
    if len(named) != 1 or named[0].lower() not in hosts:
        return f"{want}: the request names the host {', '.join(named) or '(none)'}"
    origins = values("Origin")
    if any(origin.lower() != f"http://{named[0].lower()}" for origin in origins):
        return f"{want}: the request comes from {', '.join(origins)}"
    sites = values("Sec-Fetch-Site")
    if any(site not in _OWN_SITES for site in sites) and not opens_page:
        return f"{want}: the browser marks the request as {', '.join(sites)}"
    return None


def _opens_page(scope: Scope) -> bool:
    """Detect a link that opens the page in a tab; not in a frame, and not an address under it."""
    top = _values(scope, "Sec-Fetch-Dest") == ["document"]
    return top and scope.get("method") == "GET" and scope.get("path") == "/"


def _values(scope: Scope, name: str) -> list[str]:
    wanted = name.lower().encode()
    return [value.decode("latin1") for key, value in scope.get("headers", ()) if key == wanted]
