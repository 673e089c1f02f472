"""Downloads a published file from the first mirror that has it: completely or not at all."""

import logging
import os
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO

from tqdm import tqdm

from netgaze.errors import NetgazeError
from netgaze.files import cannot_write, hash_md5, hash_sha256, is_web_page, saying_what_cannot_be_written
from netgaze.locks import one_at_a_time
from netgaze.ranks import shows_progress

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30
CHUNK_BYTES = 1 << 18


def fetch(
    urls: Sequence[str], path: Path | str, md5: str | None = None, sha256: str | None = None, advice: str = ""
) -> Path:
    """Download to `path` from the first of `urls` that answers with the right content.

    What has arrived is kept beside as `<name>.part`, and the next mirror, or the next call, goes on from there.

    Args:
        urls: http, https, ftp or file addresses, the best one first.
        path: where the file shall be; returned.
        md5: of the right content, or its first digits; None takes what comes.
        sha256: likewise.
        advice: a sentence for a person whom no mirror answers.

    Raises:
        NetgazeError: no mirror had the file, or `path` cannot be written.
    """
    path = Path(path)
    failures = []

    def is_right(file: Path) -> bool:
        md5_fits = md5 is None or hash_md5(file).startswith(md5)
        return md5_fits and (sha256 is None or hash_sha256(file).startswith(sha256))

    with saying_what_cannot_be_written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(path) as locked:
        if path.exists():  # another process was quicker
            return path
        part = path.with_name(f"{path.name}.part" if locked else f"{path.name}.{uuid.uuid4().hex[:12]}.part")
        for url in urls:
            try:
                _download(url, part, is_right)
            except (OSError, HTTPException, ValueError) as error:
                failures.append(f"{url} ({getattr(error, 'reason', None) or error})")
            else:
                os.replace(part, path)
                return path
    raise NetgazeError(
        f"Could not download {path.name}: {'; '.join(failures)}. Try again later, or put the file at {path} by hand. "
        f"{advice}".rstrip()
    )


def _download(url: str, part: Path, is_right: Callable[[Path], bool]) -> None:
    """Complete `part` from `url`; a resumed file that turns out wrong is fetched once more from its start."""
    resumed = _receive(url, part)
    is_page = is_web_page(part)
    if is_right(part) and not is_page:
        return
    part.unlink()
    if is_page:
        raise ValueError("the download is a web page")
    if not resumed:
        raise ValueError("the download has a wrong checksum")
    _download(url, part, is_right)


def _receive(url: str, part: Path) -> bool:
    """Append what is missing of `url` to `part`, or write it anew if the server cannot resume; say which."""
    done = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "netgaze"} | ({"Range": f"bytes={done}-"} if done else {})
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not done:
            raise
        part.unlink()  # longer than the file itself: start over
        return _receive(url, part)
    with response:
        resumes = response.headers.get("Content-Range", "").startswith(f"bytes {done}-")
        done = done if resumes else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        received = _write(response, part, done, total, url)
    if total is not None and received != total:
        raise OSError(f"the connection was lost after {received} of {total} bytes")
    return resumes


def _write(response: BinaryIO, part: Path, done: int, total: int | None, url: str) -> int:
    """Write a response's bytes behind the first `done` of `part`; the size that `part` then has."""
    shown = shows_progress()
    if not shown:
        log.info("Downloading %s%s", url, f" ({total / 1e6:.0f} MB)" if total else "")
    with (
        tqdm(desc=part.stem, initial=done, total=total, unit="B", unit_scale=True, disable=not shown) as bar,
        _opened(part, done) as file,
    ):
        while chunk := response.read(CHUNK_BYTES):
            try:
                file.write(chunk)
            except OSError as error:
                raise cannot_write(part, error) from error
            bar.update(len(chunk))
        size = file.tell()
    if not shown:
        log.info("Downloaded %.0f MB", size / 1e6)
    return size


def _opened(part: Path, done: int) -> BinaryIO:
    try:
        return open(part, "ab" if done else "wb")
    except OSError as error:
        raise cannot_write(part, error) from error
