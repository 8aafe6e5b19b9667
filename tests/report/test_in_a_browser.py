"""The report in headless Chromium: it asks nobody for anything, reports no error, shows all."""

import http.server
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt install chromium"),
]

# written over the page's title, which --dump-dom shows
PROBE = """<script>addEventListener("load", () => {
  const pictures = [...document.images].map(i => i.complete && i.naturalWidth > 100);
  const page = document.documentElement;
  const tables = [...document.querySelectorAll(".scroll")];
  const asked = performance.getEntriesByType("resource").filter(r => r.name.startsWith("http"));
  document.title = ["probe", pictures.length, pictures.filter(x => x).length,
    page.scrollWidth <= page.clientWidth, asked.length,
    tables.filter(x => x.scrollWidth > x.clientWidth).length].join(" ");
});</script></body>"""
# what Chromium asks for on its own account: time, updates, sign-in
ITS_OWN = re.compile(r"(https?://)?[\w.-]*\b(google|gvt1|gstatic|googleapis)\.com\b")


class _Refuses(http.server.BaseHTTPRequestHandler):
    """A proxy that writes down what it is asked for and refuses it."""

    def do_GET(self) -> None:
        self.server.requested.append(self.path)  # type: ignore[attr-defined]
        self.send_error(403)

    do_CONNECT = do_POST = do_GET

    def log_message(self, *args: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def proxy() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refuses)
    server.requested = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def opened(page: Path, profile: Path, proxy: http.server.ThreadingHTTPServer) -> tuple[str, str]:
    """The page's elements after it has run, and what was written to its console."""
    run = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",  # which root cannot have
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            f"--user-data-dir={profile}",
            f"--proxy-server=http://127.0.0.1:{proxy.server_port}",
            "--proxy-bypass-list=<-loopback>",
            "--enable-logging=stderr",
            "--v=0",
            "--window-size=1000,800",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=900,
        check=True,
    )
    return run.stdout, "\n".join(re.findall(r".*CONSOLE.*", run.stderr))


def test_the_report_loads_nothing_and_shows_every_figure(folder, tmp_path, proxy) -> None:
    dom, console = opened(folder / "report.html", tmp_path / "profile", proxy)
    assert "Calibration of probabilities" in dom
    assert console == ""
    assert [url for url in proxy.requested if not ITS_OWN.match(url)] == []
    page = (folder / "report.html").read_text(encoding="utf-8")
    figures = page.count("<figure>")
    assert figures >= 4
    # the page forbids itself scripts; a copy that does not is asked what it shows
    probed = re.sub("<meta http-equiv[^>]*>", "", page).replace("</body>", PROBE)
    (tmp_path / "probed.html").write_text(probed, encoding="utf-8")
    dom, console = opened(tmp_path / "probed.html", tmp_path / "profile", proxy)
    assert f"<title>probe {figures} {figures} true 0 0</title>" in dom
    assert console == ""


def test_a_page_that_loads_something_is_detected(tmp_path, proxy) -> None:
    """The same test on a page with an outside picture and an error: both are seen."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<body><img src='http://example.org/x.png'><script>nobody()</script>"
        f"<p style='width: 2000px'>wide</p><div class='scroll' style='overflow: auto; width: 9px'>"
        f"<p style='width: 99px'>wide</p></div>{PROBE}",
        encoding="utf-8",
    )
    dom, console = opened(page, tmp_path / "profile", proxy)
    assert "<title>probe 1 0 false 1 1</title>" in dom
    assert "nobody is not defined" in console
    assert "http://example.org/x.png" in proxy.requested
