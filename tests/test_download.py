"""Mirrors, resuming, checksums and broken archives, against a server of our own."""

import hashlib
import http.server
import io
import logging
import re
import shutil
import stat
import tarfile
import threading
import zipfile
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgaze.download import extract, fetch, unzip
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
    with pytest.raises(NetgazeError, match="another checksum"):
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
    for words in (NOWHERE, "/wrong", "another checksum", str(tmp_path / "file"), "Or walk there."):
        assert words in str(said.value)
    assert left_over(tmp_path) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "data").write_text("a file in the folder's place")
    with pytest.raises(NetgazeError, match=r"Cannot write .*Name a folder you may write to"):
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


@pytest.fixture
def archive(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "inside.bin").write_bytes(CONTENT)
    with tarfile.open(tmp_path / "it.tar.gz", "w:gz") as tar:
        tar.add(source, "wanted")
    return tmp_path / "it.tar.gz"


def test_extract(archive, tmp_path):
    extract(archive, tmp_path / "out" / "wanted")
    assert (tmp_path / "out" / "wanted" / "inside.bin").read_bytes() == CONTENT
    assert left_over(tmp_path / "out") == ["wanted"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_archive_leaves_nothing(archive, tmp_path, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(NetgazeError, match="broken or cut short"):
        extract(archive, tmp_path / "wanted")
    assert left_over(tmp_path) == ["it.tar.gz", "source"]


def test_only_the_folder_asked_for_is_unpacked(tmp_path):
    with tarfile.open(tmp_path / "it.tar", "w") as tar:
        for name in ("./wanted/a", "wanted/deep/b", "other/wanted", "../outside"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    extract(tmp_path / "it.tar", tmp_path / "in" / "wanted")
    assert left_over(tmp_path / "in") == ["wanted"]
    found = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "in").rglob("*") if path.is_file())
    assert found == ["in/wanted/a", "in/wanted/deep/b"]


def test_another_archive(archive, tmp_path):
    with pytest.raises(NetgazeError, match="has no folder other"):
        extract(archive, tmp_path / "other")


def test_an_archive_that_reaches_out_is_refused(tmp_path):
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        member = tarfile.TarInfo("wanted/../../outside")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(NetgazeError, match="outside"):
        extract(tmp_path / "bad.tar", tmp_path / "in" / "wanted")
    assert not (tmp_path / "outside").exists()


MANY = 10_000_000
FILES = {"README": b"", "s1/1.pgm": CONTENT, "s1/2.pgm": CONTENT[::-1], "deep/er/s2/1.pgm": b"x"}


def zipped(path, files=FILES, method=zipfile.ZIP_DEFLATED):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def unpacked(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unzip(tmp_path, method):
    unzip(zipped(tmp_path / "it.zip", method=method), tmp_path / "out" / "faces", MANY)
    assert unpacked(tmp_path / "out" / "faces") == FILES
    assert left_over(tmp_path / "out") == ["faces"]


@pytest.mark.parametrize("room", [-1, 0])
def test_a_zip_up_to_the_limit(tmp_path, room):
    size = sum(map(len, FILES.values()))
    zipped(tmp_path / "it.zip")
    if room < 0:
        with pytest.raises(NetgazeError, match=r"it\.zip holds more than 2 MB\. It is another archive: replace it\."):
            unzip(tmp_path / "it.zip", tmp_path / "faces", size - 1)
        assert left_over(tmp_path) == ["it.zip"]
    else:
        unzip(tmp_path / "it.zip", tmp_path / "faces", size)
        assert unpacked(tmp_path / "faces") == FILES


def test_a_zip_that_lies_about_its_size(tmp_path):
    """Its table says ten bytes; no more than those are unpacked before it is found broken."""
    content = bytearray(zipped(tmp_path / "it.zip", {"large.bin": CONTENT}).read_bytes())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = content.index(mark) + place
        assert int.from_bytes(content[start : start + 4], "little") == len(CONTENT)
        content[start : start + 4] = (10).to_bytes(4, "little")
    (tmp_path / "it.zip").write_bytes(content)
    with pytest.raises(NetgazeError, match="broken or cut short"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", 100)
    assert left_over(tmp_path) == ["it.zip"]


@pytest.mark.parametrize("name", ["../outside", "s1/../../outside", "/tmp/netgaze_outside", "s1/../inside"])
def test_a_zip_that_reaches_out_is_refused(tmp_path, name):
    zipped(tmp_path / "it.zip", {"s1/1.pgm": b"x", name: b"x"})
    with pytest.raises(NetgazeError, match=rf"it\.zip is broken or cut short \({name} lies outside"):
        unzip(tmp_path / "it.zip", tmp_path / "in" / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


def test_a_link_in_a_zip_is_no_link(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        archive.writestr(link, "/etc")
    unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    assert not (tmp_path / "faces" / "link").is_symlink()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_zip_leaves_nothing(tmp_path, share):
    path = zipped(tmp_path / "it.zip")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(NetgazeError, match=r"it\.zip is broken or cut short .*Remove it to get it anew"):
        unzip(path, tmp_path / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@given(st.data())
def test_a_zip_with_a_wrong_byte_is_whole_or_not_there(tmp_path_factory, method, data):
    """Any byte of the last file's content changed: files before it are unpacked by then, and gone again."""
    folder = tmp_path_factory.mktemp("wrong")
    files = {"a": b"first", "b": bytes(range(256))}
    path = zipped(folder / "it.zip", files, method)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        last = archive.getinfo("b")
    start = last.header_offset + 30 + len("b")
    place = data.draw(st.integers(start, start + last.compress_size - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        unzip(path, folder / "faces", MANY)
    except NetgazeError:
        assert left_over(folder) == ["it.zip"]
    else:  # a byte that does not matter, such as a block's padding
        assert unpacked(folder / "faces") == files


def test_a_wrong_byte_of_a_zip_that_lzma_packed(tmp_path):
    content = bytearray(zipped(tmp_path / "it.zip", {"a": CONTENT}, zipfile.ZIP_LZMA).read_bytes())
    for place in range(60, 80):
        content[place] ^= 255
    (tmp_path / "it.zip").write_bytes(content)
    with pytest.raises(NetgazeError, match=r"it\.zip is broken or cut short"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


def test_a_locked_zip(tmp_path):
    content = bytearray(zipped(tmp_path / "it.zip", {"a": b"secret"}).read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "it.zip").write_bytes(content)
    with pytest.raises(NetgazeError, match=r"it\.zip is broken or cut short .*encrypted"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


def test_no_zip(tmp_path):
    with pytest.raises(NetgazeError, match=r"Cannot unpack .*it\.zip to .*No such file"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    (tmp_path / "page.zip").write_text("<html>404</html>")
    with pytest.raises(NetgazeError, match=r"page\.zip is broken or cut short"):
        unzip(tmp_path / "page.zip", tmp_path / "faces", MANY)
    assert left_over(tmp_path) == ["page.zip"]


def test_a_folder_that_another_process_unpacked_is_kept(tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "theirs").write_text("first")
    unzip(zipped(tmp_path / "it.zip"), tmp_path / "faces", MANY)
    assert unpacked(tmp_path / "faces") == {"theirs": b"first"}
    assert left_over(tmp_path) == ["faces", "it.zip"]


def test_a_full_disk_while_unpacking(tmp_path, monkeypatch):
    """The second file does not fit: the first is gone, too."""
    copy = shutil.copyfileobj
    done = []

    def full(source, target, *rest):
        if done:
            raise OSError(28, "No space left on device")
        done.append(copy(source, target, *rest))

    monkeypatch.setattr("zipfile.shutil.copyfileobj", full)
    with pytest.raises(NetgazeError, match=r"Cannot unpack .*No space left on device"):
        unzip(zipped(tmp_path / "it.zip"), tmp_path / "faces", MANY)
    assert done
    assert left_over(tmp_path) == ["it.zip"]
