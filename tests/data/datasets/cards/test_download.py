import hashlib
import io
import os
import socket
import stat
import tarfile
import zipfile

import numpy as np
import pytest

from unetseg.data.datasets.cards.archives import unpack
from unetseg.data.datasets.cards.card import RemoteFile
from unetseg.data.datasets.cards.download import fetch
from unetseg.errors import UnetsegError

CONTENT = np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def remote(server):
    """The file as its card describes it."""
    server.files["a.bin"] = CONTENT
    checksums = {"sha256": hashlib.sha256(CONTENT).hexdigest(), "md5": hashlib.md5(CONTENT).hexdigest()}
    return RemoteFile((server.address("a.bin"),), len(CONTENT), checksums)


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
def test_archives_are_unpacked(tmp_path, kind, archive_of):
    (tmp_path / "a").write_bytes(archive_of({"images/a.png": b"1", "b.txt": b"2"}, kind))
    unpack(tmp_path / "a", tmp_path / "out")
    assert (tmp_path / "out/images/a.png").read_bytes() == b"1" and (
        tmp_path / "out/b.txt"
    ).read_bytes() == b"2"


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_member_above_the_folder_is_refused(tmp_path, kind, archive_of):
    (tmp_path / "a").write_bytes(archive_of({"../evil.txt": b"1"}, kind))
    with pytest.raises(UnetsegError, match=r"not safe.*evil.txt"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_absolute_member_is_refused(tmp_path, kind, archive_of):
    (tmp_path / "a").write_bytes(archive_of({f"{tmp_path}/evil.txt": b"1"}, kind))
    with pytest.raises(UnetsegError, match=r"not safe.*lies outside of it"):
        unpack(tmp_path / "a", tmp_path / "out")
    assert not any(tmp_path.rglob("evil.txt"))


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


def test_a_damaged_archive_says_so(tmp_path, archive_of):
    whole = archive_of({"a.bin": CONTENT})
    (tmp_path / "a.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnetsegError, match="the archive is damaged"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.7z"])
def test_an_archive_without_its_end_is_not_taken_for_a_file_of_the_set(tmp_path, archive_of, name):
    whole = archive_of({"a.bin": CONTENT}, "zip")
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnetsegError, match=f"{name}: is cut off, or no tar or zip archive"):
        unpack(tmp_path / name, tmp_path / "out")


def test_an_encrypted_archive_says_so(tmp_path, archive_of):
    encrypted = bytearray(archive_of({"a.bin": b"secret"}, "zip"))
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the bit that says so, in both headers
        encrypted[encrypted.index(header) + flags] |= 1
    (tmp_path / "a.zip").write_bytes(encrypted)
    with pytest.raises(UnetsegError, match=r"a\.zip: cannot be unpacked: .*encrypted"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
