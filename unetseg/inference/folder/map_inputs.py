"""Which images have outlines on a map, and what masks lose of a map: known before anything is predicted."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from unetseg.data.images.decode import ImageError
from unetseg.data.images.find import FoundImage
from unetseg.data.images.georeference import read_place
from unetseg.errors import UsageError
from unetseg.inference.folder.formats import FORMATS
from unetseg.inference.folder.jobs import require_packages
from unetseg.utilities.current_file import tell
from unetseg.utilities.text import printable


def check_places(found: Iterable[FoundImage], format: str) -> None:
    """Refuse, before anything is predicted, to write outlines on a map that no image has a place on.

    Where some have one, the others fail when their turn comes, as files that cannot be read do.

    Raises:
        UsageError: None has a georeference that outlines can have, or a package is missing.
    """
    if FORMATS[format].place not in ("outlines", "required"):
        return
    from unetseg.inference.folder.maps import require_map  # outlines need more packages than masks

    refused: list[UsageError] = []
    passed = 0
    for image in found:
        with suppress(ImageError):
            place = read_place(image.path)
            if FORMATS[format].place == "required" or (place is not None and place.tags):
                what = f"{printable(image.path)}: has a georeference, and --format {format}"
                require_packages(what, ("rasterio",), "geo")
                try:
                    require_map(image.path, place)
                except UsageError as error:
                    refused.append(error)
                    continue
            passed += 1
    if refused and not passed:
        raise refused[0]


def tell_loss(image: Path, format: str) -> None:
    """Tell what an image says of a map that a mask of that format does not keep."""
    place = read_place(image) if FORMATS[format].place == "lost" else None
    if place is None:
        return
    georeference = "a georeference" if place.tags else ""
    gaps = "a value for no data" if place.no_data else ""
    both = " and ".join(filter(None, (georeference, gaps)))
    background = "; pixels without data are background" if place.no_data else ""
    tell(f"{printable(image)}: has {both}, which its mask does not keep (--format tiff does){background}")
