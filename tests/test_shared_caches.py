"""Eight processes that start at once decode, download and unpack once; on a disk without locks all is whole too."""

import errno
import http.server
import io
import multiprocessing
import os
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NUM = 8


def decode(folder: Path) -> str:
    """The digest of a folder's images, by way of the cache."""
    from netgaze.data import cache
    from netgaze.data.decode import Form

    counted(cache, "_fill")
    files = sorted((folder / "pictures").glob("*.png"))
    return cache.digest(cache.decode_cached(folder, files, Form(16, 3, "squash")).images.numpy())


def download(folder: Path) -> str:
    """A file that a server sends."""
    from netgaze import download

    counted(download, "_download")
    return download.fetch([os.environ["ADDRESS"]], folder / "deep" / "file").read_bytes().decode()


def unpack(folder: Path) -> str:
    """A file of an archive."""
    from netgaze import archives

    counted(archives, "_unpack_beside")
    archives.extract(folder / "archive.tar", folder / "words", 10**6)
    return (folder / "words" / "a.txt").read_text()


def say(line: str) -> None:
    """Write a line in one piece."""
    os.write(1, f"{line}\n".encode())


def counted(module, name: str) -> None:
    """Let a function say that it is called."""
    whole = getattr(module, name)

    def say_and_call(*args):
        say("worked")
        return whole(*args)

    setattr(module, name, say_and_call)


def refuse_locks() -> None:
    """As a disk in a network may."""
    import fcntl

    def refuse(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    fcntl.flock = refuse


def work(name: str, folder: Path, start) -> None:
    start.wait()
    say(f"found {globals()[name](folder)}")


def main(name: str, folder: str, locks: str) -> None:
    """Become eight processes, which all do one thing."""
    import netgaze.archives
    import netgaze.data.cache  # noqa: F401  # once, before they part

    if locks == "without":
        refuse_locks()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(NUM)
    processes = [context.Process(target=work, args=(name, Path(folder), start)) for _ in range(NUM)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    sys.exit(any(process.exitcode for process in processes))


@pytest.fixture
def address():
    """Where a server waits for somebody."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = b"whole" * 1000
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args): ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/file"
    server.shutdown()


def fill(folder: Path) -> None:
    (folder / "pictures").mkdir()
    random = np.random.default_rng(0)
    for number in range(20):
        pixels = random.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
    with tarfile.open(folder / "archive.tar", "w") as tar:
        member = tarfile.TarInfo("words/a.txt")
        member.size = 5
        tar.addfile(member, io.BytesIO(b"words"))


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are made by fork")
@pytest.mark.parametrize("locks", ["with", "without"])
@pytest.mark.parametrize("name", ["decode", "download", "unpack"])
def test_eight_at_once_make_it_once(name, locks, address, tmp_path):
    fill(tmp_path)
    env = {**os.environ, "NETGAZE_CACHE": str(tmp_path / "cache"), "ADDRESS": address}
    command = [sys.executable, __file__, name, str(tmp_path), locks]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    found = [line for line in done.stdout.splitlines() if line.startswith("found")]
    assert len(found) == NUM
    assert len(set(found)) == 1
    if locks == "with":
        assert done.stdout.count("worked") == 1
    assert not [path.name for path in tmp_path.rglob("*.part")]


if __name__ == "__main__":
    main(*sys.argv[1:])
