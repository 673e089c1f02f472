"""Mirrors, resuming and checksums, against a server of our own."""

import hashlib
import http.server
import io
import logging
import re
import threading
from contextlib import contextmanager

import pytest

from netgaze.download import fetch
from netgaze.errors import NetgazeError

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT).hexdigest()
NOWHERE = "http://127.0.0.1:9/file"


class Handler(http.server.BaseHTTPRequestHandler):
    """/good resumes, /deaf ignores Range, /cut breaks off half way, /wrong has other content."""

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        body = CONTENT[::-1] if self.path == "/wrong" else CONTENT
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.path != "/deaf" else 0
        if self.path == "/gone" or start > len(body):
            self.send_error(404 if self.path == "/gone" else 416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : len(body) // 2] if self.path == "/cut" else body[start:])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        running.url = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


def left_over(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_fetch(server, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        path = fetch([f"{server.url}/good"], tmp_path / "new" / "file", MD5)
    assert path.read_bytes() == CONTENT
    assert left_over(path.parent) == ["file"]
    assert [record.message.split()[0] for record in caplog.records] == ["Downloading", "Downloaded"]


def test_a_partial_file_is_completed(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    assert fetch([f"{server.url}/good"], tmp_path / "file", MD5).read_bytes() == CONTENT
    assert server.asked == [("/good", "bytes=1000-")]


def test_a_server_that_cannot_resume_is_read_from_the_start(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    assert fetch([f"{server.url}/deaf"], tmp_path / "file", MD5).read_bytes() == CONTENT


@pytest.mark.parametrize("start", [b"x" * 1000, b"x" * (len(CONTENT) + 5)], ids=["altered", "too long"])
def test_a_wrong_partial_file_is_fetched_anew(server, tmp_path, start):
    (tmp_path / "file.part").write_bytes(start)
    assert fetch([f"{server.url}/good"], tmp_path / "file", MD5).read_bytes() == CONTENT


def test_the_next_mirror_goes_on_where_one_broke_off(server, tmp_path):
    fetch([f"{server.url}/cut", f"{server.url}/good"], tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [("/cut", None), ("/good", f"bytes={len(CONTENT) // 2}-")]


def test_the_first_digits_of_a_sha256_are_enough(server, tmp_path):
    digits = hashlib.sha256(CONTENT).hexdigest()[:8]
    assert fetch([f"{server.url}/good"], tmp_path / "file", sha256=digits).read_bytes() == CONTENT
    with pytest.raises(NetgazeError, match="a wrong checksum"):
        fetch([f"{server.url}/wrong"], tmp_path / "other", sha256=digits)


def test_bad_mirrors_are_passed_over(server, tmp_path):
    urls = [NOWHERE, "not an address", f"{server.url}/gone", f"{server.url}/wrong", f"{server.url}/good"]
    assert fetch(urls, tmp_path / "file", MD5).read_bytes() == CONTENT


def test_file_addresses(tmp_path):
    (tmp_path / "source").write_bytes(CONTENT)
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    assert fetch([(tmp_path / "source").as_uri()], tmp_path / "file", MD5).read_bytes() == CONTENT


def test_no_mirror_answers(server, tmp_path):
    with pytest.raises(NetgazeError) as said:
        fetch([NOWHERE, f"{server.url}/wrong"], tmp_path / "file", MD5, advice="Or walk there.")
    for words in (NOWHERE, "/wrong", "a wrong checksum", str(tmp_path / "file"), "Or walk there."):
        assert words in str(said.value)
    assert left_over(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "data").write_text("a file in the folder's place")
    with pytest.raises(NetgazeError, match=r"Cannot write .*Choose a folder you may write to"):
        fetch([NOWHERE], tmp_path / "data" / "file")


def test_a_folder_without_permission(server, tmp_path):
    tmp_path.chmod(0o500)
    try:
        with permission_needed(tmp_path), pytest.raises(NetgazeError, match="Permission denied"):
            fetch([f"{server.url}/good"], tmp_path / "file", MD5)
    finally:
        tmp_path.chmod(0o700)


@contextmanager
def permission_needed(folder):
    try:
        (folder / "probe").touch()
    except PermissionError:
        yield
    else:
        pytest.skip("this user may write anywhere")


def test_a_full_disk(server, tmp_path, monkeypatch):
    class Full(io.BytesIO):
        def write(self, _):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("netgaze.download._opened", lambda part, done: Full())
    with pytest.raises(NetgazeError, match="No space left on device"):
        fetch([f"{server.url}/good"], tmp_path / "file", MD5)


def test_a_web_page_in_its_place_is_passed_over(tmp_path):
    """Without a checksum, too; the next mirror is asked."""
    (tmp_path / "page").write_text("\ufeff \n<!DOCTYPE html><title>Log in</title>")
    (tmp_path / "right").write_bytes(CONTENT)
    mirrors = [(tmp_path / name).as_uri() for name in ("page", "right")]
    assert fetch(mirrors, tmp_path / "file").read_bytes() == CONTENT
    with pytest.raises(NetgazeError, match="the download is a web page"):
        fetch(mirrors[:1], tmp_path / "other")
    assert not (tmp_path / "other").exists()
