"""Finding inputs: folders, globs, lists, links; and outputs that never overwrite each other."""

import io
import os
from pathlib import Path

import pytest

from unetseg.data.images.collisions import check_collisions, set_aside_collisions
from unetseg.data.images.find import find_images, is_beside_masks, list_files
from unetseg.errors import UsageError
from unetseg.utilities.text import printable


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Images in two sub-folders among other files; the working directory is the folder above."""
    for name in ("b.png", "x/a.jpg", "x/deep/c.TIF", "y/a.png", "notes.txt", ".hidden.png", ".cache/d.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"any")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "images"


def relatives(*inputs, **options) -> list[str]:
    return [image.relative.as_posix() for image in find_images(inputs, **options)]


def test_a_folder_gives_its_images_sorted_with_sub_folders_and_without_hidden_ones(folder):
    assert relatives(folder) == ["b.png", "x/a.jpg", "x/deep/c.TIF", "y/a.png"]
    assert [image.path for image in find_images(["images"])][:1] == [Path("images/b.png")]


def test_a_named_file_is_kept_whatever_its_suffix(folder):
    assert relatives("images/notes.txt") == ["notes.txt"]
    assert relatives(folder / ".hidden.png") == [".hidden.png"]


def test_a_folder_named_like_an_image_is_a_folder(folder):
    (folder / "z.png").mkdir()
    (folder / "z.png" / "inner.png").write_bytes(b"any")
    assert relatives(folder / "z.png") == ["inner.png"]
    assert relatives(folder)[-1] == "z.png/inner.png"
    assert "z.png/inner.png" in relatives("images/*.png")


def test_globs_keep_the_folders_below_their_fixed_part(folder):
    assert relatives("images/*/a.*") == ["x/a.jpg", "y/a.png"]
    assert relatives("images/**/*.png") == ["b.png", "y/a.png"]
    assert relatives("images/**") == relatives(folder)


def test_a_name_with_brackets_is_that_file_before_it_is_a_glob(folder):
    (folder / "s[1].png").write_bytes(b"any")
    assert relatives("images/s[1].png") == ["s[1].png"]


def test_inputs_of_several_folders_keep_the_folders_below_the_shared_one(folder):
    assert relatives("images/x/a.jpg", "images/y/a.png") == ["x/a.jpg", "y/a.png"]
    assert relatives("images/x", "images/y") == ["x/a.jpg", "x/deep/c.TIF", "y/a.png"]
    assert relatives("images/b.png") == ["b.png"]


def test_a_file_named_twice_is_found_once(folder):
    assert relatives(folder, "images/b.png", "images/*.png", "images/x/../b.png") == relatives(folder)


def test_a_dash_reads_a_list_of_names(folder):
    lines = io.BytesIO(b"images/b.png\nimages/x\r\n\n")
    assert relatives("-", stdin=lines) == ["b.png", "x/a.jpg", "x/deep/c.TIF"]
    assert relatives("-", stdin=["images/b.png"]) == ["b.png"]


def test_names_that_are_not_utf8_are_found_and_printable(folder):
    name = os.fsdecode(b"images/bad\xff\n.png")
    Path(name).write_bytes(b"any")
    assert relatives("images/bad*") == ["bad\udcff\n.png"]
    assert relatives("-", stdin=io.BytesIO(b"images/b.png\n"))
    assert printable(name) == r"images/bad\xff\n.png"


def test_in_a_symlink_loop_each_real_file_is_found_once(folder):
    (folder / "x" / "loop").symlink_to(folder)
    (folder / "y" / "loop").symlink_to("..")
    expected = ["b.png", "x/a.jpg", "x/deep/c.TIF", "y/a.png"]
    assert relatives(folder) == expected
    assert relatives("images/**/*.*") == expected


def test_a_link_to_a_file_beside_it_yields_to_the_file(folder):
    (folder / "a_link.png").symlink_to("b.png")
    assert relatives(folder) == ["b.png", "x/a.jpg", "x/deep/c.TIF", "y/a.png"]


def test_links_to_elsewhere_are_followed(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "e.png").write_bytes(b"any")
    (folder / "link").symlink_to(tmp_path / "other")
    (folder / "file.png").symlink_to(tmp_path / "other" / "e.png")
    assert relatives(folder) == ["b.png", "link/e.png", "x/a.jpg", "x/deep/c.TIF", "y/a.png"]


def test_a_dangling_link_is_left_for_the_reader_to_name(folder):
    (folder / "gone.png").symlink_to("nowhere.png")
    (folder / "self.png").symlink_to("self.png")
    assert {"gone.png", "self.png"} <= set(relatives(folder))


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (["images/absent.png"], "absent.png: no such file or folder"),
        (["images/*.bmp"], r"images/\*.bmp: no image matches"),
        (["images/b.png", "absent/"], "absent/: no such"),
        (["empty"], "empty: no images in this folder"),
        ([], "no input images"),
        (["-"], "no input images"),
        (["nul\0.png"], r"nul\\x00.png: no such"),
    ],
)
def test_an_input_without_images_is_named_in_one_line(folder, inputs, words):
    Path("empty").mkdir()
    with pytest.raises(UsageError, match=words) as caught:
        find_images(inputs, stdin=[])
    assert str(caught.value).isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_that_may_not_be_opened_is_warned_of(folder):
    (folder / "x").chmod(0)
    with pytest.warns(UserWarning, match="x: left out, Permission denied"):
        assert relatives(folder) == ["b.png", "y/a.png"]
    (folder / "x").chmod(0o755)


def test_two_inputs_with_one_output_are_refused_by_both_names(folder):
    (folder / "b.jpg").write_bytes(b"any")
    with pytest.raises(UsageError, match=r"images/b\.jpg and images/b\.png would both be written to b\.png"):
        check_collisions(find_images(["images"]), ".png")


def test_the_same_name_in_two_folders_is_no_collision(folder):
    check_collisions(find_images([folder]), ".png")
    check_collisions(find_images(["images/x", "images/y"]), ".png")


def test_an_output_that_is_anothers_folder_is_refused(folder):
    (folder / "x.jpg").write_bytes(b"any")
    (folder / "x.png").mkdir()
    (folder / "x.png" / "inner.jpg").write_bytes(b"any")
    with pytest.raises(UsageError, match="is the folder that"):
        check_collisions(find_images([folder]), ".png")


def test_outputs_take_the_suffix_and_nothing_else(folder):
    (folder / "v1.2 scan.png").write_bytes(b"any")
    outputs = [image.output(".geojson").as_posix() for image in find_images([folder])]
    assert outputs == ["b.geojson", "v1.2 scan.geojson", "x/a.geojson", "x/deep/c.geojson", "y/a.geojson"]


def test_many_folders_linked_to_each_other_are_searched_in_no_time(tmp_path):
    folders = [tmp_path / f"f{i}" for i in range(12)]
    for each in folders:
        each.mkdir()
        (each / "a.png").write_bytes(b"any")
    for each in folders:
        for other in folders:
            (each / f"to_{other.name}").symlink_to(other)
    assert relatives(tmp_path) == sorted(f"{each.name}/a.png" for each in folders)


@pytest.fixture
def deep(tmp_path, monkeypatch) -> int:
    """Folders in folders below the working directory, an image in each: how many. No path is long enough."""
    depth = 1200
    monkeypatch.chdir(tmp_path)
    for _ in range(depth):
        Path("a.png").write_bytes(b"")
        os.mkdir("d")
        os.chdir("d")
    os.chdir(tmp_path)
    yield depth
    for _ in range(depth):
        os.chdir("d")
    for _ in range(depth):
        os.chdir("..")
        os.rmdir("d")
        os.unlink("a.png")


def test_a_tree_of_any_depth_is_searched_looking_at_each_folder_but_a_few_times(deep, monkeypatch):
    looked = []
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path, **more: looked.append(path) or real(path, **more))
    apart, refused = set_aside_collisions(find_images(["."]), ".png")
    assert len(apart) == deep and not refused
    assert len(looked) < 10 * deep  # resolving each path part by part looks a thousand times as often
    assert sum(1 for _ in list_files(Path("."))) == deep


def test_files_of_one_content_under_two_names_are_two_images(folder):
    (folder / "one.png").write_bytes(b"")
    os.link(folder / "one.png", folder / "other.png")
    assert {image.relative.name for image in find_images([folder])} >= {"one.png", "other.png"}


def test_names_that_differ_in_case_alone_collide_where_the_file_system_ignores_it(tmp_path, monkeypatch):
    for name in ("a.png", "A.jpg", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    assert not set_aside_collisions(find_images([tmp_path]), ".png")[1]
    monkeypatch.setattr("unetseg.data.images.collisions.IGNORES_CASE", True)
    apart, refused = set_aside_collisions(find_images([tmp_path]), ".png")
    assert [image.path.name for image in apart] == ["b.png"] and len(refused) == 2


@pytest.mark.parametrize(
    "beside", ["overlay.jpg", "probability.png", "probability-2.tif", "objects.tif", "skips.png"]
)
def test_what_predict_writes_beside_a_mask_is_no_mask(beside):
    assert is_beside_masks(Path(f"out/a.{beside}")) and not is_beside_masks(Path("out/a.png"))
