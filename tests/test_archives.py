"""Archives of strangers: what reaches out, grows, repeats or breaks off is refused, and nothing of it is left."""

import gzip
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netgaze import archives
from netgaze.archives import extract, unzip
from netgaze.errors import NetgazeError

CONTENT = bytes(range(256)) * 4000
MANY = 10_000_000


def left_over(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


@pytest.fixture
def archive(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    (source / "inside.bin").write_bytes(CONTENT)
    with tarfile.open(tmp_path / "it.tar.gz", "w:gz") as tar:
        tar.add(source, "wanted")
    return tmp_path / "it.tar.gz"


def test_extract(archive, tmp_path):
    extract(archive, tmp_path / "out" / "wanted", MANY)
    assert (tmp_path / "out" / "wanted" / "inside.bin").read_bytes() == CONTENT
    assert left_over(tmp_path / "out") == ["wanted"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_archive_leaves_nothing(archive, tmp_path, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(NetgazeError, match="broken or incomplete"):
        extract(archive, tmp_path / "wanted", MANY)
    assert left_over(tmp_path) == ["it.tar.gz", "source"]


def test_only_the_folder_asked_for_is_unpacked(tmp_path):
    with tarfile.open(tmp_path / "it.tar", "w") as tar:
        for name in ("./wanted/a", "wanted/deep/b", "other/wanted", "../outside"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    extract(tmp_path / "it.tar", tmp_path / "in" / "wanted", MANY)
    assert left_over(tmp_path / "in") == ["wanted"]
    found = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "in").rglob("*") if path.is_file())
    assert found == ["in/wanted/a", "in/wanted/deep/b"]


def test_another_archive(archive, tmp_path):
    with pytest.raises(NetgazeError, match="has no folder other"):
        extract(archive, tmp_path / "other", MANY)


def test_an_archive_that_reaches_out_is_refused(tmp_path):
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        member = tarfile.TarInfo("wanted/../../outside")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(NetgazeError, match="outside"):
        extract(tmp_path / "bad.tar", tmp_path / "in" / "wanted", MANY)
    assert not (tmp_path / "outside").exists()


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
        with pytest.raises(NetgazeError, match=r"it\.zip holds more than 2 MB\. Replace it with the right archive\."):
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
    with pytest.raises(NetgazeError, match="broken or incomplete"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", 100)
    assert left_over(tmp_path) == ["it.zip"]


@pytest.mark.parametrize(
    "name", ["../outside", "s1/../../outside", "/tmp/netgaze_outside", "s1/../inside", "C:/out", "//host/share/x"]
)
def test_a_zip_that_reaches_out_is_refused(tmp_path, name):
    zipped(tmp_path / "it.zip", {"s1/1.pgm": b"x", name: b"x"})
    with pytest.raises(NetgazeError, match=rf"it\.zip is broken or incomplete \({name} lies outside"):
        unzip(tmp_path / "it.zip", tmp_path / "in" / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_a_link_or_device_in_a_zip(tmp_path, kind):
    link = zipfile.ZipInfo("link")
    link.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        archive.writestr("a", b"x")
        archive.writestr(link, "/etc")
    with pytest.raises(NetgazeError, match="link is a link or a device"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_zip_leaves_nothing(tmp_path, share):
    path = zipped(tmp_path / "it.zip")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(NetgazeError, match=r"it\.zip is broken or incomplete .*Remove it to download it again"):
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
    with pytest.raises(NetgazeError, match=r"it\.zip is broken or incomplete"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


def test_a_locked_zip(tmp_path):
    content = bytearray(zipped(tmp_path / "it.zip", {"a": b"secret"}).read_bytes())
    content[content.index(b"PK\x03\x04") + 6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "it.zip").write_bytes(content)
    with pytest.raises(NetgazeError, match=r"it\.zip is broken or incomplete .*encrypted"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


def test_no_zip(tmp_path):
    with pytest.raises(NetgazeError, match=r"Cannot unpack .*it\.zip to .*No such file"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    (tmp_path / "page.zip").write_text("<html>404</html>")
    with pytest.raises(NetgazeError, match=r"page\.zip is a web page, not an archive\."):
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


def make_tar(path, *members):
    """A tar archive of (name, kind, target or content)."""
    with tarfile.open(path, "w:gz") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.REGTYPE:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
            else:
                member.linkname = content
                tar.addfile(member)
    return path


FILE = ("wanted/a", tarfile.REGTYPE, b"first")


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("wanted/l", tarfile.SYMTYPE, "/etc"), "link or a device"),
        (("wanted/l", tarfile.SYMTYPE, "a"), "link or a device"),
        (("wanted/l", tarfile.LNKTYPE, "../../outside"), "link or a device"),
        (("wanted", tarfile.SYMTYPE, "/tmp"), "link or a device"),
        (("wanted/d", tarfile.CHRTYPE, ""), "link or a device"),
        (("wanted/d", tarfile.FIFOTYPE, ""), "link or a device"),
        (("wanted/../../x", tarfile.REGTYPE, b"x"), "lies outside"),
        (("wanted/b\\..\\..\\x", tarfile.REGTYPE, b"x"), "lies outside"),
        (("wanted/a", tarfile.REGTYPE, b"second"), "comes twice"),
        (("wanted/A", tarfile.REGTYPE, b"second"), "comes twice"),
        (("wanted/./a", tarfile.REGTYPE, b"second"), "comes twice"),
        (("wanted/" + "d/" * 40 + "x", tarfile.REGTYPE, b"x"), "lies outside"),
    ],
    ids=lambda value: None,
)
def test_a_tar_that_is_unsafe_leaves_nothing(tmp_path, member, said):
    make_tar(tmp_path / "it.tar.gz", FILE, member)
    with pytest.raises(NetgazeError, match=said):
        extract(tmp_path / "it.tar.gz", tmp_path / "in" / "wanted", MANY)
    assert left_over(tmp_path / "in") == []
    assert left_over(tmp_path) == ["in", "it.tar.gz"]


@pytest.mark.parametrize("name", ["wanted", "other"])
def test_a_tar_bomb(tmp_path, name):
    """Whichever folder it is in; what is declared counts, before it is written."""
    make_tar(tmp_path / "it.tar.gz", FILE, (f"{name}/zeros", tarfile.REGTYPE, bytes(20_000_000)))
    assert (tmp_path / "it.tar.gz").stat().st_size < 100_000
    with pytest.raises(NetgazeError, match=r"holds more than 10 MB\. Replace it with the right archive"):
        extract(tmp_path / "it.tar.gz", tmp_path / "in" / "wanted", MANY)
    assert left_over(tmp_path / "in") == []


def test_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_FILES", 20)
    make_tar(tmp_path / "it.tar.gz", *((f"wanted/{number}", tarfile.REGTYPE, b"") for number in range(21)))
    zipped(tmp_path / "it.zip", {str(number): b"" for number in range(21)})
    for unpack, path in ((extract, "it.tar.gz"), (unzip, "it.zip")):
        with pytest.raises(NetgazeError, match="holds more than 20 files"):
            unpack(tmp_path / path, tmp_path / "in" / "wanted", MANY)
        assert left_over(tmp_path / "in") == []


def test_a_header_without_end_takes_no_memory(tmp_path):
    """A gigabyte of a long name, packed into a megabyte, in a process that may not have as much."""
    header = tarfile.TarInfo("wanted/a")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    with gzip.open(tmp_path / "it.tar.gz", "wb", 1) as file:
        file.write(header.tobuf(tarfile.GNU_FORMAT))
        for _ in range(64):
            file.write(b"a" * (1 << 24))
    code = (
        "import resource; from netgaze.archives import extract\n"
        "resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))\n"
        f"extract({str(tmp_path / 'it.tar.gz')!r}, {str(tmp_path / 'wanted')!r}, 10_000_000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "a header is too large" in done.stderr


def test_a_table_of_contents_without_end(tmp_path):
    path = zipped(tmp_path / "it.zip")
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\x05\x06")
    content[end + 12 : end + 16] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(NetgazeError, match="holds too many files"):
        unzip(path, tmp_path / "faces", MANY)


@pytest.mark.parametrize("names", [("s1/a", "s1/A"), ("s1/a", "s1/a"), ("a", "./a"), ("ss", "\u00df")])
def test_names_that_some_file_systems_do_not_tell_apart(tmp_path, names):
    with zipfile.ZipFile(tmp_path / "it.zip", "w") as archive:
        for name in names:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("warnings.warn", lambda *rest, **more: None)
                archive.writestr(name, b"x")
    with pytest.raises(NetgazeError, match="comes twice"):
        unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


def test_entries_that_share_their_bytes(tmp_path):
    """Each of two names leads to the same megabytes: a bomb of another make."""
    path = zipped(tmp_path / "it.zip", {"a": bytes(2000), "b": b"x"})
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\x01\x02")
    content[second + 42 : second + 46] = (0).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(NetgazeError, match="broken or incomplete"):
        unzip(path, tmp_path / "faces", MANY)
    assert left_over(tmp_path) == ["it.zip"]


def test_a_control_sequence_does_not_reach_the_screen(tmp_path):
    zipped(tmp_path / "it.zip", {"../\x1b[2J": b"x"})
    with pytest.raises(NetgazeError) as raised:
        unzip(tmp_path / "it.zip", tmp_path / "faces", MANY)
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("unpack", [extract, unzip])
@pytest.mark.parametrize("content", [b"", b"\x00" * 5000, b"PK\x05\x06" + b"\xff" * 18, os.urandom(3000), b"<html>"])
def test_what_is_no_archive(tmp_path, unpack, content):
    (tmp_path / "it").write_bytes(content)
    with pytest.raises(NetgazeError, match=r"it (is|holds|has) "):
        unpack(tmp_path / "it", tmp_path / "wanted", MANY)
    assert left_over(tmp_path) == ["it"]
