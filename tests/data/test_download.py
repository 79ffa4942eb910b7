import hashlib
import io
import os
import shutil
import socket
import stat
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import yaml
from PIL import Image

from unetseg.data.cards import RemoteFile
from unetseg.data.datasets import open_dataset
from unetseg.data.download import describe_catalog, fetch, get_dataset, unpack
from unetseg.errors import UnetsegError, UsageError

CONTENT = np.random.default_rng(0).bytes(300_000)


class Server:
    """A file server on this machine that can break off, ignore Range, and remembers what it was asked."""

    def __init__(self):
        self.files = {}
        self.ranges = []
        self.break_after = None
        self.honours_range = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def address(self, name):
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def answer(self, request):
        content = self.files.get(request.path[1:])
        if content is None:
            request.send_error(404)
            return
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.honours_range else 0
        if wanted and start >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if wanted and self.honours_range else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        stop = None if self.break_after is None else start + self.break_after
        request.wfile.write(content[start:stop])
        request.wfile.flush()
        if stop is not None:
            request.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def remote(server):
    """The file as its card describes it."""
    server.files["a.bin"] = CONTENT
    checksums = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "md5": hashlib.md5(CONTENT).hexdigest()}
    return RemoteFile((server.address("a.bin"),), len(CONTENT), checksums)


def archive_of(members, kind="tar"):
    """An archive that holds ``members`` (name → bytes), as bytes."""
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as bundle:
            for name, content in members.items():
                bundle.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            for name, content in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_a_file_arrives_whole_and_tells_how_far_it_is(remote, tmp_path):
    seen = []
    path = fetch(remote, tmp_path / "a.bin", lambda *step: seen.append(step))
    assert path.read_bytes() == CONTENT
    assert seen[-1] == ("a.bin", len(CONTENT), len(CONTENT)) and len(seen) > 1
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_file_that_is_there_is_not_fetched_again(remote, server, tmp_path):
    fetch(remote, tmp_path / "a.bin")
    fetch(remote, tmp_path / "a.bin")
    assert server.ranges == [None]


def test_a_broken_transfer_goes_on_where_it_stopped(remote, server, tmp_path):
    server.break_after = 100_000
    with pytest.raises(UnetsegError, match="run the command again to go on"):
        fetch(remote, tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()
    had = (tmp_path / "a.bin.part").stat().st_size
    assert 0 < had < len(CONTENT)
    server.break_after = None
    assert fetch(remote, tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={had}-"]


def test_a_server_without_ranges_starts_over(remote, server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    server.honours_range = False
    assert fetch(remote, tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_resumed_file_that_changed_in_between_is_fetched_once_more_from_the_start(remote, server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"old" * 1000)
    assert fetch(remote, tmp_path / "a.bin").read_bytes() == CONTENT
    assert server.ranges == ["bytes=3000-", None]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(remote, server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
    path = fetch(RemoteFile(remote.addresses, None, remote.checksums), tmp_path / "a.bin")
    assert path.read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_wrong_checksum_is_refused_and_leaves_nothing(remote, server, tmp_path):
    server.files["a.bin"] = CONTENT[:-1] + b"!"
    with pytest.raises(UnetsegError, match=r"has the sha256 checksum .* instead of"):
        fetch(remote, tmp_path / "a.bin")
    assert os.listdir(tmp_path) == []


def test_a_wrong_size_is_refused(remote, server, tmp_path):
    server.files["a.bin"] = CONTENT[:1000]
    with pytest.raises(UnetsegError, match="has 1000 bytes instead of 300000"):
        fetch(remote, tmp_path / "a.bin")


def test_the_mirror_serves_where_the_first_address_does_not(remote, server, tmp_path):
    both = RemoteFile((server.address("gone.bin"), *remote.addresses), remote.size, remote.checksums)
    assert fetch(both, tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_server_that_answers_404_is_quoted(server, tmp_path):
    with pytest.raises(UnetsegError, match=r"none.bin: the server answers 404"):
        fetch(RemoteFile((server.address("none.bin"),), None, {}), tmp_path / "none.bin")


def test_offline_is_one_plain_line(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/a.bin"
        with pytest.raises(UnetsegError, match=r"a.bin could not be downloaded: .*refused") as raised:
            fetch(RemoteFile((address,), None, {}), tmp_path / "a.bin")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archives_are_unpacked(tmp_path, kind):
    (tmp_path / "a").write_bytes(archive_of({"images/a.png": b"1", "b.txt": b"2"}, kind))
    unpack(tmp_path / "a", tmp_path / "out")
    assert (tmp_path / "out/images/a.png").read_bytes() == b"1" and (
        tmp_path / "out/b.txt"
    ).read_bytes() == b"2"


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_above_the_folder_is_refused(tmp_path, kind):
    (tmp_path / "a").write_bytes(archive_of({"../evil.txt": b"1"}, kind))
    with pytest.raises(UnetsegError, match=r"not safe.*evil.txt"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "evil.txt").exists()


def test_an_absolute_member_lands_nowhere_else(tmp_path):
    (tmp_path / "a.zip").write_bytes(archive_of({f"{tmp_path}/evil.txt": b"1"}, "zip"))
    with pytest.raises(UnetsegError, match="not safe"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    (tmp_path / "a.tar").write_bytes(archive_of({f"{tmp_path}/evil.txt": b"1"}, "tar"))
    unpack(tmp_path / "a.tar", tmp_path / "out")  # the data filter strips the leading slash
    assert not (tmp_path / "evil.txt").exists()


def test_a_link_that_leads_outside_is_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        link = tarfile.TarInfo("inside")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(link)
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    with pytest.raises(UnetsegError, match="not safe"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_a_link_in_a_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as bundle:
        link = zipfile.ZipInfo("inside")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        bundle.writestr(link, "/etc")
    with pytest.raises(UnetsegError, match="'inside' is a link"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_damaged_archive_says_so(tmp_path):
    whole = archive_of({"a.bin": CONTENT})
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnetsegError, match="the archive is damaged"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")


@pytest.fixture
def card(server, tmp_path):
    """A card of a set of four images in two archives."""
    images, masks = {}, {}
    for number in range(4):
        buffer = io.BytesIO()
        Image.new("L", (4, 4)).save(buffer, "PNG")
        images[f"images/{number}.png"] = masks[f"{number}.png"] = buffer.getvalue()
    server.files = {"images.tar.gz": archive_of(images), "masks.zip": archive_of(masks, "zip")}
    files = [
        {
            "addresses": [server.address(name)],
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "into": "masks" if name == "masks.zip" else ".",
        }
        for name, content in server.files.items()
    ]
    entry = {
        "name": "tiny",
        "title": "Tiny",
        "licence": "CC0",
        "files": files,
        "layout": {"image": "images/{name}.png", "mask": "masks/{name}.png"},
        "classes": ["background", "cell"],
        "split": {"val": 0.2, "test": 0.2},
    }
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(entry))
    return str(path)


def test_getting_a_set_makes_it_open(card, tmp_path):
    root = tmp_path / "data"
    assert get_dataset(card, root) == root / "tiny"
    assert sum(map(len, open_dataset(card, root=root).splits.values())) == 4
    assert not (root / ".download/tiny").exists()


def test_a_set_that_is_there_is_not_fetched_again(card, server, tmp_path):
    get_dataset(card, tmp_path / "data")
    before = list(server.ranges)
    get_dataset(card, tmp_path / "data")
    assert server.ranges == before


def test_a_set_appears_whole_or_not_at_all_and_keeps_what_was_fetched(card, server, tmp_path):
    masks = server.files.pop("masks.zip")
    with pytest.raises(UnetsegError, match=r"masks.zip could not be downloaded"):
        get_dataset(card, tmp_path / "data")
    assert not (tmp_path / "data/tiny").exists()
    server.files["masks.zip"] = masks
    get_dataset(card, tmp_path / "data")
    assert server.ranges == [None, None]  # the images came once


def test_a_full_disk_is_one_plain_line(card, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    monkeypatch.setattr(tarfile, "copyfileobj", full)
    with pytest.raises(UnetsegError, match="No space left on device"):
        get_dataset(card, tmp_path / "data")
    assert not (tmp_path / "data/tiny").exists()


def test_a_set_to_fetch_by_hand_says_how(card, tmp_path):
    entry = yaml.safe_load((tmp_path / "tiny.yaml").read_text()) | {
        "files": [],
        "manual": "register, then unzip",
    }
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(entry))
    with pytest.raises(UnetsegError, match="Tiny must be fetched by hand: register, then unzip"):
        get_dataset(card, tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "message"), [("pest", "did you mean 'pets'"), ("filaments", "drawn at first use")]
)
def test_a_wrong_name_to_get_is_answered(tmp_path, name, message):
    with pytest.raises(UsageError, match=message):
        get_dataset(name, tmp_path)


def test_the_catalogue_lists_what_can_be_named(tmp_path):
    (tmp_path / "pets").mkdir()
    entries = {entry.name: entry for entry in describe_catalog(tmp_path)}
    assert entries["filaments"].size == 0 and not entries["filaments"].present
    pets = entries["pets [:trimap]"]
    assert pets.present and pets.licence == "CC BY-SA 4.0" and pets.size == 791918971 + 19173078
