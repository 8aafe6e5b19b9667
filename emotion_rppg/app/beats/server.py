"""Serve the page for correcting beats on 127.0.0.1, to this machine's browser alone.

Another web site that is open in the same browser can neither read nor change anything: the address
has a random token; a request must name this server as its host (a foreign name that resolves to
127.0.0.1 is refused) and, if it changes something, as its origin. The page loads nothing from
elsewhere.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from emotion_rppg.app.beats.session import Session
from emotion_rppg.app.beats.views import MOST_BINS
from emotion_rppg.app.local_requests import fault_of
from emotion_rppg.errors import InputError

HOST = "127.0.0.1"
MOST_BODY_BYTES = 20_000
_NONCE = "NONCE"


class BeatsServer:
    """A server of one session, in threads of its own; a context manager that ends it.

    Parameters
    ----------
    session : Session
    port : int
        Port on 127.0.0.1; 0: a free one.

    Raises
    ------
    InputError
        The port is taken or not allowed.
    """

    def __init__(self, session: Session, port: int = 0) -> None:
        self.session, self.token = session, secrets.token_urlsafe(24)
        try:
            self._server = ThreadingHTTPServer((HOST, port), _handler(session, self.token))
        except (OSError, OverflowError) as error:
            raise InputError(f"port {port} cannot be used ({error}): give another --port") from None
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True
        )

    @property
    def address(self) -> str:
        """The address to open in a browser."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    def __enter__(self) -> BeatsServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def wait(self) -> None:
        """Serve until the process is interrupted (Ctrl-C)."""
        try:
            while self._thread.is_alive():
                self._thread.join(0.5)
        except KeyboardInterrupt:
            return


class _Refused(Exception):
    """A request that is not answered, with its status."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


def _handler(session: Session, token: str) -> type[BaseHTTPRequestHandler]:
    """Make the class that answers the requests of one session."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "emotion-rppg", ""
        timeout = 60  # of an idle connection, s

        def do_GET(self) -> None:
            self._answered(self._get)

        def do_POST(self) -> None:
            self._answered(self._post)

        def log_message(self, format: str, *values: object) -> None:
            """Write nothing to standard error."""

        def _answered(self, answer: Callable[[], None]) -> None:
            try:
                self._check()
                answer()
            except _Refused as refused:
                self.close_connection = True  # its body may be unread
                self._send_json({"error": str(refused)}, refused.status)
            except InputError as error:
                self._send_json({"error": str(error)}, HTTPStatus.CONFLICT)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            except OSError as error:  # a full disk
                text = f"cannot write: {error.strerror or error}; nothing was saved"
                self._send_json({"error": text}, HTTPStatus.INTERNAL_SERVER_ERROR)

        def _check(self) -> None:
            """Refuse a request by another name, from another site, or without the token."""
            port = int(self.server.server_address[1])  # type: ignore[index]
            fault = fault_of(
                lambda name: self.headers.get_all(name, []), port, opens_page=self._follows_link()
            )
            if fault is not None:
                raise _Refused(HTTPStatus.FORBIDDEN, fault)
            if self.command == "POST" and "Origin" not in self.headers:
                raise _Refused(HTTPStatus.FORBIDDEN, "a change needs the header Origin")
            given = urlsplit(self.path).path.split("/")[1:2]
            if not hmac.compare_digest((given or [""])[0].encode(), token.encode()):
                raise _Refused(HTTPStatus.NOT_FOUND, "no such page: open the address as printed")

        def _follows_link(self) -> bool:
            """Tell whether a tab opens the page itself, such as from the link of the web page."""
            mode, to = (self.headers.get(f"Sec-Fetch-{name}") for name in ("Mode", "Dest"))
            opens = self.command == "GET" and self._what() == ""
            return opens and mode == "navigate" and to == "document"

        def _what(self) -> str:
            return "/".join(urlsplit(self.path).path.split("/")[2:])

        def _get(self) -> None:
            what, query = self._what(), parse_qs(urlsplit(self.path).query)
            if what == "":
                self._send_page()
            elif what == "info":
                self._send_json(session.info())
            elif what == "state":
                self._send_json(session.state())
            elif what == "view":
                start_s, end_s = _number(query, "start_s"), _number(query, "end_s")
                bins = int(min(max(_number(query, "bins"), 1), MOST_BINS))
                self._send_json(session.view(start_s, end_s, bins))
            elif what == "peak":
                self._send_json({"time_s": session.peak(_number(query, "time_s"))})
            else:
                raise _Refused(HTTPStatus.NOT_FOUND, "no such page")

        def _post(self) -> None:
            content = self._body()
            actions: dict[str, Callable[..., dict[str, Any]]] = {
                "edit": session.edit,
                "undo": session.undo,
                "redo": session.redo,
                "name": session.name,
                "save": session.save,
            }
            if (what := self._what()) not in actions:
                raise _Refused(HTTPStatus.NOT_FOUND, "no such action")
            wanted = {"edit": {"action", "time_s", "to_s", "why"}, "name": {"who"}}.get(what, set())
            if set(content) - wanted or (what == "name" and set(content) != wanted):
                raise _Refused(HTTPStatus.BAD_REQUEST, f"want the names {sorted(wanted)}")
            if what == "edit" and not {"action", "time_s"} <= set(content):
                raise _Refused(HTTPStatus.BAD_REQUEST, "want an action and time_s")
            self._send_json(actions[what](**content))

        def _body(self) -> dict[str, Any]:
            """Read the JSON object of a request, within a limit of size."""
            kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            length = self.headers.get("Content-Length", "")
            if kind != "application/json":
                raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "want application/json")
            if not (length.isascii() and length.isdigit()) or int(length) > MOST_BODY_BYTES:
                raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request is too large")
            try:
                content = json.loads(self.rfile.read(int(length)))
            except (ValueError, RecursionError) as error:
                raise _Refused(HTTPStatus.BAD_REQUEST, "the request is not JSON") from error
            if not isinstance(content, dict):
                raise _Refused(HTTPStatus.BAD_REQUEST, "want a JSON object")
            return content

        def _send_page(self) -> None:
            nonce = secrets.token_urlsafe(16)
            text = files("emotion_rppg.app.beats").joinpath("page.html").read_text("utf-8")
            policy = (
                f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
                "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
                "frame-ancestors 'none'"
            )
            page = text.replace(_NONCE, nonce).encode()
            self._send(page, "text/html; charset=utf-8", {"Content-Security-Policy": policy})

        def _send_json(
            self, content: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK
        ) -> None:
            text = json.dumps(content, allow_nan=False, separators=(",", ":"))
            self._send(text.encode(), "application/json", {}, status)

        def _send(
            self,
            body: bytes,
            kind: str,
            headers: Mapping[str, str],
            status: HTTPStatus = HTTPStatus.OK,
        ) -> None:
            self.send_response(status)
            fixed = {
                "Content-Type": kind,
                "Content-Length": str(len(body)),
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Cross-Origin-Opener-Policy": "same-origin",
            }
            for name, value in {**fixed, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


def _number(query: Mapping[str, list[str]], name: str) -> float:
    """Read a finite number of a query."""
    try:
        value = float(query[name][0])
    except (KeyError, ValueError) as error:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a number") from error
    if not abs(value) < 1e12:
        raise _Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a number")
    return value
