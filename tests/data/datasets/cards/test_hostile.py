"""Archives and cards made to harm: nothing lands outside, nothing is half, and each is told in one line."""

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from unetseg.data.datasets.cards.archives import unpack
from unetseg.data.datasets.cards.card import RemoteFile, catalog, read_card
from unetseg.data.datasets.cards.download import fetch
from unetseg.errors import UnetsegError, UsageError

CONTENT = bytes(range(256)) * 40


def tar_of(*members: tuple[str, bytes, str, bytes], end: bool = True) -> bytes:
    """A tar of (name, type, what a link points to, content), without its end mark if ``end`` is false."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, target, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, target, len(content)
            tar.addfile(member, io.BytesIO(content))
        length = tar.offset
    return buffer.getvalue() if end else buffer.getvalue()[:length]


def zip_of(name: str, mode: int = 0, content: bytes = CONTENT) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as bundle:
        member = zipfile.ZipInfo(name)
        member.external_attr = mode << 16
        member.compress_type = zipfile.ZIP_DEFLATED
        bundle.writestr(member, content)
    return buffer.getvalue()


def encrypted(archive: bytes) -> bytes:
    """A zip of one member that says of itself that it is encrypted."""
    changed = bytearray(archive)
    for place in (archive.index(b"PK\x03\x04") + 6, archive.index(b"PK\x01\x02") + 8):
        changed[place] |= 1
    return bytes(changed)


def with_size(archive: bytes, size: int) -> bytes:
    """A zip of one member whose entry in the list of contents claims another size."""
    place = archive.index(b"PK\x01\x02") + 24
    return archive[:place] + size.to_bytes(4, "little") + archive[place + 4 :]


def regular(name: str, content: bytes = CONTENT) -> tuple[str, bytes, str, bytes]:
    return name, tarfile.REGTYPE, "", content


# The links of CVE-2025-4517: folders of the longest name, so that the path that realpath follows is cut
_LONG = "d" * 247
CHAIN = [("/".join("abcdefghijklmnop"[: depth + 1]), tarfile.SYMTYPE, _LONG, b"") for depth in range(3)]

HARMFUL = {
    "member above": (tar_of(regular("../evil")), "'../evil' lies outside"),
    "member above, further down": (tar_of(regular("a/b/../../../evil")), "lies outside"),
    "member above, by backslashes": (tar_of(regular("..\\evil")), "lies outside"),
    "drive": (tar_of(regular("C:evil")), "lies outside"),
    "control character": (tar_of(regular("../e\x1b[31mvil")), r"e\x1b[31mvil' lies outside"),
    "link": (tar_of(("in", tarfile.SYMTYPE, "/etc", b"")), "'in' is a link"),
    "link that stays": (tar_of(regular("a"), ("in", tarfile.SYMTYPE, "a", b"")), "'in' is a link"),
    "link, then a member through it": (
        tar_of(("in", tarfile.SYMTYPE, "..", b""), regular("in/evil")),
        "'in' is a link",
    ),
    "chain of links": (tar_of(*CHAIN, regular("a/evil")), "is a link"),
    "hard link": (tar_of(("in", tarfile.LNKTYPE, "../../secret", b"")), "'in' is a hard link"),
    "pipe": (tar_of(("in", tarfile.FIFOTYPE, "", b"")), "'in' is a pipe"),
    "character device": (tar_of(("in", tarfile.CHRTYPE, "", b"")), "'in' is a device"),
    "block device": (tar_of(("in", tarfile.BLKTYPE, "", b"")), "'in' is a device"),
    "zip: member above": (zip_of("../evil"), "'../evil' lies outside"),
    "absolute": (tar_of(regular("/tmp/evil")), "'/tmp/evil' lies outside"),
    "zip: absolute": (zip_of("/tmp/evil"), "'/tmp/evil' lies outside"),
    "zip: link": (zip_of("in", stat.S_IFLNK | 0o777), "'in' is a link"),
    "zip: pipe": (zip_of("in", stat.S_IFIFO | 0o644), "'in' is a pipe"),
    "tar between two members": (tar_of(regular("a"), end=False), "damaged: it ends before its end"),
    "tar within a member": (tar_of(regular("a"), regular("b"))[:12000], "archive is damaged"),
    "file and folder": (tar_of(regular("a"), regular("a/b")), "'a/b' is a file and a folder at once"),
    "folder and file": (tar_of(regular("a/b"), regular("a")), "'a' is a file and a folder at once"),
    "a name of 5,000 characters": (tar_of(regular("n" * 5000)), "cannot be a path here (File name too long)"),
    "a member twice": (tar_of(regular("a"), regular("./a")), "'./a' is there twice"),
    "a header of 2 MB": (tar_of(regular("a"), regular("n" * 2_000_000)), "a header of 2,000,0"),
    "unknown type": (tar_of(("in", b"Z", "", b"")), "'in' is no regular file"),
    "zip: folder above": (zip_of("../evil/", content=b""), "'../evil/' lies outside"),
    "zip: backslashes": (zip_of("a\\..\\..\\evil"), "lies outside"),
    "zip: device": (zip_of("in", stat.S_IFCHR | 0o644), "'in' is a device"),
    "zip: encrypted": (encrypted(zip_of("a")), "'a' is encrypted; unpack it yourself, with its password"),
    "zip: a larger size than it has": (with_size(zip_of("a"), 20_000), "archive is damaged"),
    "zip: a smaller size than it has": (with_size(zip_of("a"), 500), "archive is damaged"),
    "bzip2 cut off": (bz2.compress(tar_of(regular("a", os.urandom(99_999))))[:-9000], "is cut off"),
    "xz cut off": (lzma.compress(tar_of(regular("a", os.urandom(99_999))))[:-9000], "archive is damaged"),
    "gzip cut off": (gzip.compress(tar_of(regular("a")))[:-200], "archive is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("case", HARMFUL)
def test_a_harmful_or_half_archive_is_one_line_and_nothing_lands_outside(tmp_path, case):
    content, words = HARMFUL[case]
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "set.archive.tar").write_bytes(content)
    with pytest.raises(UnetsegError) as caught:
        unpack(tmp_path / "set.archive.tar", tmp_path / "out/raw")
    line = str(caught.value)
    assert words in line and "set.archive.tar" in line and "\n" not in line and line.isprintable()
    assert sorted(os.listdir(tmp_path)) == ["out", "secret", "set.archive.tar"]
    assert os.listdir(tmp_path / "out") == ["raw"]
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert all(path.is_dir() or path.is_file() for path in (tmp_path / "out").rglob("*"))
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_a_zip_is_compared_with_its_checksums(tmp_path):
    whole = bytearray(zip_of("a.bin", content=os.urandom(5000)))
    whole[2500] ^= 1
    (tmp_path / "a.zip").write_bytes(whole)
    with pytest.raises(UnetsegError, match=r"a\.zip: the archive is damaged"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_an_archive_that_would_fill_the_disk_is_refused_before_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr("unetseg.data.datasets.cards.archives._AND_BYTES", 1000)
    (tmp_path / "a.zip").write_bytes(zip_of("zeros", content=bytes(10_000_000)))
    with pytest.raises(UnetsegError, match="would become more than 200 times as large"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out/zeros").exists()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress], ids=["gz", "bz2", "xz"])
def test_a_packed_tar_is_compared_with_the_checksum_at_its_end(tmp_path, pack):
    whole = bytearray(pack(tar_of(regular("a", os.urandom(30_000)))))
    whole[-8] ^= 1  # of gzip's checksum, bzip2's, and the size of xz's index
    (tmp_path / "a.tar").write_bytes(whole)
    with pytest.raises(UnetsegError, match=r"a\.tar: the archive is damaged: .+; delete it and try again"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_what_follows_the_end_of_a_tar_counts_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr("unetseg.data.datasets.cards.archives._AND_BYTES", 1000)
    (tmp_path / "a.tar").write_bytes(gzip.compress(tar_of(regular("a")) + bytes(10_000_000)))
    with pytest.raises(UnetsegError, match="would become more than 200 times as large"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_whole_tar_of_any_compression_is_unpacked(tmp_path, kind):
    with tarfile.open(tmp_path / "a.tar", mode=kind) as tar:
        for name in ("./images/a.png", "images/b.png", "masks/a.png"):
            member = tarfile.TarInfo(name)
            member.size = len(CONTENT)
            tar.addfile(member, io.BytesIO(CONTENT))
    unpack(tmp_path / "a.tar", tmp_path / "out")
    found = [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")]
    assert sorted(found) == ["images/a.png", "images/b.png", "masks/a.png"]
    assert (tmp_path / "out/images/a.png").read_bytes() == CONTENT


def test_the_size_on_a_card_is_a_limit(server, tmp_path):
    server.files["a.bin"] = bytes(3_000_000)
    with pytest.raises(UnetsegError, match=r"a\.bin: sends more than the 1000 bytes that the card says"):
        fetch(RemoteFile((server.address("a.bin"),), 1000, {}), tmp_path / "a.bin")
    assert os.listdir(tmp_path) == []


# --- cards -----------------------------------------------------------------------------------------

CARD = {
    "name": "mine",
    "aliases": ["m"],
    "title": "My set",
    "licence": "CC0",
    "images": 4,
    "files": [{"addresses": ["http://x.org/a.zip"], "size": 3, "md5": "0" * 32, "into": "a"}],
    "convert": [{"files": "raw/{name}.png", "to": "images/{name}.png"}],
    "layout": {"image": "images/{name}.png", "mask": "masks/{name}.png", "valid": "v/{name}.png"},
    "classes": {"background": {"values": [0], "colour": [0, 0, 0]}, "vessel": {"values": [255]}},
    "variants": {"v": {"classes": ["background", "x"]}},
    "split": {
        "train": {"list": "a.txt", "column": 0, "otherwise": "rest"},
        "val": {"csv": "b.csv", "name": "n", "where": {"a": "b"}, "otherwise": 0.1},
        "test": 0.2,
        "group": {"by": "{name}", "until": "-"},
    },
}  # fmt: skip


def places(value, path=()):
    """Every key and index in nested values."""
    if path:
        yield path
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in below:
        yield from places(item, (*path, key))


def changed(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


PATHS = [
    ("layout", "image"), ("layout", "mask"), ("layout", "valid"), ("split", "train", "list"),
    ("split", "val", "csv"), ("convert", 0, "files"), ("convert", 0, "to"), ("files", 0, "into"),
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("outside", ["../{name}", "a/../../b", "/etc/{name}", "C:\\{name}", "a\\..\\b"])
def test_no_path_of_a_card_leads_out_of_its_set(tmp_path, path, outside):
    outside = outside if path[0] in ("layout", "convert") else outside.replace("{name}", "x")
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(changed(CARD, path, outside)))
    with pytest.raises(UsageError, match=r"c\.yaml.*does not lie below the set's folder"):
        read_card(tmp_path / "c.yaml")


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from(["{0}", "{name.__class__}", "{", "a\nb", "\x1b[31m", 10**30, "x" * 20_000, "**/x"]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(path=st.sampled_from(list(places(CARD))), odd=ODD)
def test_an_odd_value_in_a_card_is_taken_or_refused_in_one_line_that_names_the_card(
    tmp_path_factory, path, odd
):
    card = tmp_path_factory.getbasetemp() / "odd.yaml"
    card.write_text(yaml.safe_dump(changed(CARD, path, odd)), encoding="utf-8")
    try:
        read_card(card)
    except UnetsegError as error:
        assert str(error).startswith(str(card)) and "\n" not in str(error) and "\x1b" not in str(error)


def test_every_card_of_the_catalogue_can_tell_half_an_archive():
    for card in catalog():
        assert all(file.checksums for file in card.files), card.name
        assert card.files or card.images, card.name
