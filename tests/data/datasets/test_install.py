import hashlib
import io
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml
from PIL import Image

from unetseg.data.datasets.install import describe_catalog, get_dataset
from unetseg.data.datasets.open import open_dataset
from unetseg.errors import UnetsegError, UsageError


def png():
    buffer = io.BytesIO()
    Image.new("L", (4, 4)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def card(server, archive_of, tmp_path):
    """A card of a set of four images in two archives."""
    images = {f"images/{number}.png": png() for number in range(4)}
    masks = {f"{number}.png": png() for number in range(4)}
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


@pytest.fixture
def by_hand(card):
    """The same set, to be fetched by hand; returns how to change its card."""

    def change(**entries):
        entry = yaml.safe_load(Path(card).read_text()) | {"files": [], "manual": "Register."} | entries
        Path(card).write_text(yaml.safe_dump(entry))
        return card

    return change


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


def test_a_set_to_fetch_by_hand_says_how(by_hand, tmp_path):
    expected = "Tiny must be fetched by hand: Register. Then: unetseg data get tiny --from FILE"
    with pytest.raises(UnetsegError, match=expected):
        get_dataset(by_hand(), tmp_path / "data")


def test_where_a_download_fails_the_steps_by_hand_are_named(card, server, tmp_path):
    entry = yaml.safe_load(Path(card).read_text()) | {"manual": "Ask the authors."}
    Path(card).write_text(yaml.safe_dump(entry))
    server.files = {}
    with pytest.raises(UnetsegError, match=r"answers 404 .*; or by hand: Ask the authors\. Then"):
        get_dataset(card, tmp_path / "data")


def test_where_a_card_has_no_steps_its_addresses_are_the_steps(card, server, tmp_path):
    server.files = {}
    with pytest.raises(
        UnetsegError, match=r"or by hand: download http\S+ and http\S+\. Then: .* --from FILE"
    ):
        get_dataset(card, tmp_path / "data")


def test_archives_that_a_person_fetched_are_unpacked_together(by_hand, archive_of, tmp_path):
    images = {f"set/images/{number}.png": png() for number in range(4)}
    masks = {f"set/masks/{number}.png": png() for number in range(4)}
    (tmp_path / "a.zip").write_bytes(archive_of(images, "zip"))
    (tmp_path / "b.tgz").write_bytes(archive_of(masks))
    name = by_hand()
    folder = get_dataset(name, tmp_path / "data", sources=[tmp_path / "a.zip", tmp_path / "b.tgz"])
    assert folder == tmp_path / "data/tiny"
    assert sum(map(len, open_dataset(name, root=tmp_path / "data").splits.values())) == 4


def test_a_folder_that_a_person_fetched_is_copied_and_stays(by_hand, tmp_path):
    for part in ("images", "masks"):
        (tmp_path / "own" / part).mkdir(parents=True)
        for number in range(4):
            (tmp_path / "own" / part / f"{number}.png").write_bytes(png())
    (tmp_path / "own").chmod(0o500)
    name = by_hand()
    get_dataset(name, tmp_path / "data", sources=[tmp_path / "own"])
    (tmp_path / "own").chmod(0o700)
    assert len(list((tmp_path / "own/images").iterdir())) == 4
    assert sum(map(len, open_dataset(name, root=tmp_path / "data").splits.values())) == 4


def test_another_set_is_refused_and_nothing_appears(by_hand, archive_of, tmp_path):
    (tmp_path / "other.zip").write_bytes(archive_of({"photos/1.png": png()}, "zip"))
    with pytest.raises(
        UnetsegError, match=r"Tiny: what was unpacked is another set: no file is called images/"
    ):
        get_dataset(by_hand(), tmp_path / "data", sources=[tmp_path / "other.zip"])
    assert not (tmp_path / "data/tiny").exists()


def test_a_file_that_the_card_knows_is_verified_when_a_person_fetched_it(card, server, tmp_path):
    for name, content in server.files.items():
        (tmp_path / name).write_bytes(content)
    damaged = tmp_path / "masks.zip"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    sources = [tmp_path / "images.tar.gz", damaged]
    with pytest.raises(UnetsegError, match=r"masks.zip: has \d+ bytes instead of"):
        get_dataset(card, tmp_path / "data", sources=sources)
    damaged.write_bytes(server.files["masks.zip"])
    get_dataset(card, tmp_path / "data", sources=sources)
    assert server.ranges == []
    assert sum(map(len, open_dataset(card, root=tmp_path / "data").splits.values())) == 4


def test_an_archive_with_part_of_a_set_is_refused_and_a_folder_is_taken_with_a_warning(
    by_hand, archive_of, tmp_path
):
    members = {f"{part}/{number}.png": png() for part in ("images", "masks") for number in range(3)}
    (tmp_path / "half.zip").write_bytes(archive_of(members, "zip"))
    name = by_hand(images=4)
    with pytest.raises(UnetsegError, match="Tiny: 3 images were found, the whole set has 4"):
        get_dataset(name, tmp_path / "data", sources=[tmp_path / "half.zip"])
    assert not (tmp_path / "data/tiny").exists()
    for member, content in members.items():
        (tmp_path / "own" / member).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "own" / member).write_bytes(content)
    with pytest.warns(UserWarning, match="the whole set has 4; it is taken as it is"):
        get_dataset(name, tmp_path / "data", sources=[tmp_path / "own"])


def test_files_for_a_set_that_is_there_are_not_taken(by_hand, tmp_path):
    (tmp_path / "data/tiny").mkdir(parents=True)
    with pytest.raises(UsageError, match="data/tiny: is there already"):
        get_dataset(by_hand(), tmp_path / "data", sources=[tmp_path])
    assert not any((tmp_path / "data/tiny").iterdir())


def test_a_source_that_is_not_there_is_a_wrong_flag(by_hand, tmp_path):
    with pytest.raises(UsageError, match=r"none\.zip: no such file"):
        get_dataset(by_hand(), tmp_path / "data", sources=[tmp_path / "none.zip"])


def test_what_the_format_forces_is_converted(by_hand, archive_of, tmp_path):
    members = {}
    for name in "abc":
        members[f"stage/{name}/images/{name}.png"] = png()
        members[f"stage/{name}/masks/1.png"] = members[f"stage/{name}/masks/2.png"] = png()
    (tmp_path / "stage.zip").write_bytes(archive_of(members, "zip"))
    name = by_hand(
        convert=[
            {"files": "{id}/images/{id}.png", "to": "images/{id}.png"},
            {"objects": "{id}/masks/{object}.png", "to": "masks/{id}.png"},
        ]
    )
    seen = []
    folder = get_dataset(
        name,
        tmp_path / "data",
        sources=[tmp_path / "stage.zip"],
        converting=lambda done, total: seen.append((done, total)),
    )
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")) == [
        *(f"images/{name}.png" for name in "abc"),
        *(f"masks/{name}.png" for name in "abc"),
    ]
    assert seen == [(number, 3) for number in (1, 2, 3)] + [(number, 6) for number in range(1, 7)]


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


def test_a_source_that_never_ends_is_refused(tmp_path):
    with pytest.raises(UsageError, match="/dev/zero: is a pipe or device; name a file or folder"):
        get_dataset("dsb2018", tmp_path, sources=[Path("/dev/zero")])
    assert not any(tmp_path.iterdir())
