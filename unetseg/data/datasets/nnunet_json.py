"""nnU-Net's ``dataset.json`` in the words of ``dataset.yaml``."""

import json
import re
from pathlib import Path
from typing import Any

from unetseg.data.images.find import list_files
from unetseg.errors import UsageError
from unetseg.utilities.files import read_file
from unetseg.utilities.text import decode_text, printable

_CHANNEL = re.compile(r"_(\d{4})$")


def nnunet_settings(folder: Path) -> dict[str, Any]:
    """Return the classes and the ignored value of ``dataset.json``; nothing where there is none.

    Labels are ``{name: value}`` or, in the first version, ``{value: name}``.

    Raises:
        UsageError: It is no such file, its classes overlap, or images have several channels in files each.
    """
    _refuse_channels(folder)
    path = folder / "dataset.json"
    if not path.is_file():
        return {}
    try:
        document = json.loads(decode_text(read_file(path)))
        labels = document["labels"]
        named = {
            str(value) if str(name).isdecimal() else str(name): int(name) if str(name).isdecimal() else value
            for name, value in labels.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{printable(path)}: is no nnU-Net description with 'labels'") from error
    regions = [name for name, value in named.items() if not isinstance(value, int) or isinstance(value, bool)]
    if regions:
        raise UsageError(
            f"{printable(path)}: the label '{printable(regions[0])}' is no single value; regions that "
            "overlap are not read: write 'classes:' with one value each into dataset.yaml"
        )
    ignored = named.pop("ignore", None)
    settings: dict[str, Any] = {"classes": dict(sorted(named.items(), key=lambda entry: entry[1]))}
    if ignored is not None:
        settings["ignore"] = ignored
    return settings


def _refuse_channels(folder: Path) -> None:
    for top in sorted(path for path in folder.iterdir() if path.name.lower() == "imagestr"):
        for _, path in list_files(top):
            channel = _CHANNEL.search(path.name.split(".")[0])
            if channel and int(channel[1]):
                raise UsageError(
                    f"{printable(path)}: is a further channel of an image; images of several channels in "
                    "files each are not read: join them into one RGB file, or keep _0000 alone"
                )
