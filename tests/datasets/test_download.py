"""Downloads against a real server on this machine: checksums, interruptions, refusals."""

import hashlib
import logging
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from impbench.data.card import Card, CardFile
from impbench.data.download import SUMS, download, recorded_sums
from impbench.data.locate import fetch_files, locate, set_data_folder
from impbench.errors import InputError, UnavailableError

BODY = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(BODY).hexdigest()


class Server:
    """Serves `body` at any path; `cut` breaks the next answers off after so many bytes."""

    def __init__(self):
        self.body, self.etag, self.cuts, self.ranges = BODY, '"v1"', [], []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/data.bin"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request):
        if request.path == "/absent.bin":
            request.send_error(404)
            return
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        self.ranges.append(request.headers.get("Range"))
        if asked and request.headers.get("If-Range") == self.etag:
            start = int(asked[1])
            request.send_response(206)
        else:
            request.send_response(200)
        rest = self.body[start:]
        request.send_header("Content-Length", str(len(rest)))
        request.send_header("ETag", self.etag)
        request.end_headers()
        cut = self.cuts.pop(0) if self.cuts else len(rest)
        request.wfile.write(rest[:cut])
        request.close_connection = True


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture(autouse=True)
def own_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("IMPBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("IMPBENCH_DATA", raising=False)


def card(url, sha256=""):
    return Card(
        name="toy",
        title="Toy",
        organism="Homo sapiens",
        layout="sce-rds",
        labels_from="experimental",
        files=(CardFile(url, sha256),),
    )


def test_file_arrives_whole_and_progress_reaches_the_total(server, tmp_path):
    seen = []
    path = download(CardFile(server.url, SHA256), tmp_path, lambda *bytes_: seen.append(bytes_))
    assert path.read_bytes() == BODY
    assert seen[-1] == (len(BODY), len(BODY))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_file_that_is_here_and_whole_is_not_fetched_again(server, tmp_path):
    download(CardFile(server.url, SHA256), tmp_path)
    download(CardFile(server.url, SHA256), tmp_path)
    assert len(server.ranges) == 1


def test_damaged_file_is_fetched_again(server, tmp_path):
    path = download(CardFile(server.url, SHA256), tmp_path)
    path.write_bytes(b"damaged")
    assert download(CardFile(server.url, SHA256), tmp_path).read_bytes() == BODY


def test_broken_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.cuts = [100_000]
    assert download(CardFile(server.url, SHA256), tmp_path).read_bytes() == BODY
    assert server.ranges[0] is None
    resumed_at = int(server.ranges[1].removeprefix("bytes=").removesuffix("-"))
    assert 0 < resumed_at <= 100_000


def test_later_call_goes_on_where_an_earlier_one_gave_up(server, tmp_path):
    server.cuts = [100_000, 50_000, 50_000]
    with pytest.raises(UnavailableError, match="could not be downloaded"):
        download(CardFile(server.url, SHA256), tmp_path)
    assert not (tmp_path / "data.bin").exists()
    assert download(CardFile(server.url, SHA256), tmp_path).read_bytes() == BODY
    assert int(server.ranges[-1].removeprefix("bytes=").removesuffix("-")) > 100_000


def test_file_that_changed_during_the_interruption_is_not_glued_together(server, tmp_path):
    server.cuts = [100_000, 50_000, 50_000]
    with pytest.raises(UnavailableError):
        download(CardFile(server.url), tmp_path)
    server.body, server.etag = BODY[::-1], '"v2"'
    assert download(CardFile(server.url), tmp_path).read_bytes() == BODY[::-1]


def test_wrong_checksum_is_refused_and_leaves_no_file(server, tmp_path):
    with pytest.raises(InputError, match="does not have the SHA-256 that its card says"):
        download(CardFile(server.url, "0" * 64), tmp_path)
    assert not (tmp_path / "data.bin").exists()


def test_unknown_checksum_is_recorded_once_aloud_and_checked_afterwards(server, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        download(CardFile(server.url), tmp_path)
    assert SHA256 in caplog.text
    assert (tmp_path / SUMS).read_text() == f"{SHA256}  data.bin\n"
    (tmp_path / "data.bin").unlink()
    server.body = BODY[::-1]
    with pytest.raises(InputError, match="SHA256SUMS recorded"):
        download(CardFile(server.url), tmp_path)
    assert recorded_sums(tmp_path) == {"data.bin": SHA256}


def test_absent_file_says_what_the_server_answered(server, tmp_path):
    with pytest.raises(UnavailableError, match="404"):
        download(CardFile(server.url.replace("data", "absent")), tmp_path)


def test_without_network_the_message_says_which_file_to_put_where(server, tmp_path):
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(UnavailableError) as caught:
        fetch_files(card(server.url))
    message = str(caught.value)
    assert "connection refused" in message
    assert f"{server.url} as data.bin" in message
    assert str(tmp_path / "cache" / "data" / "toy") in message
    assert "FOLDER/toy.h5ad" in message
    assert "IMPBENCH_DATA" in message


def test_cache_that_cannot_be_written_says_which_and_what_to_set(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("IMPBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"cannot be written to .*file.*set IMPBENCH_CACHE"):
        fetch_files(card(server.url, SHA256))


def test_fetched_data_set_is_found_in_the_cache(server, tmp_path):
    toy = card(server.url, SHA256)
    with pytest.raises(UnavailableError, match="not on this machine"):
        locate(toy)
    assert fetch_files(toy) == locate(toy) == tmp_path / "cache" / "data" / "toy"


def test_local_folder_comes_before_the_cache_and_the_network(server, tmp_path, monkeypatch):
    toy = card(server.url, SHA256)
    fetch_files(toy)
    folder = tmp_path / "mine"
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / "data.bin").write_bytes(BODY)
    monkeypatch.setenv("IMPBENCH_DATA", str(folder))
    assert fetch_files(toy) == folder / "toy"
    (folder / "toy.h5ad").write_bytes(b"anything")
    assert fetch_files(toy) == folder / "toy.h5ad"
    assert len(server.ranges) == 1


def test_data_folder_that_is_none_is_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="not a folder"):
        set_data_folder(tmp_path / "absent")
    monkeypatch.setenv("IMPBENCH_DATA", str(tmp_path / "absent"))
    with pytest.raises(InputError, match="IMPBENCH_DATA"):
        locate(card("http://127.0.0.1/data.bin"))
