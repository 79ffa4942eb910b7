"""Files of annotation programs that are not read: whose they are, and the way to files that are."""

from typing import Any
from xml.etree.ElementTree import Element

_THROUGH_COCO = "which is not read; export the labels from there as COCO"


def whose(document: Any) -> str | None:
    """Return what to say of a JSON or XML document of such a program, None of any other."""
    if isinstance(document, Element):
        boxes = document.tag == "annotation" and document.find("object/bndbox") is not None
        return (
            "holds boxes without outlines (Pascal VOC's detection); segmentation needs outlines"
            if boxes
            else None
        )
    return _of_json(document) if isinstance(document, dict) else None


def _of_json(document: dict[str, Any]) -> str | None:
    if document.get("type") == "FeatureCollection":
        return (
            "is GeoJSON of a map, whose coordinates are no pixels; write masks with "
            "'unetseg predict --format tiff', or outlines in pixels with --format qupath"
        )
    if "_via_img_metadata" in document or any(_is_via(each) for each in document.values()):
        return f"is of VIA (VGG Image Annotator), {_THROUGH_COCO}"
    of_file = isinstance(document.get("objects"), list) and isinstance(document.get("size"), dict)
    of_project = isinstance(document.get("classes"), list) and "tags" in document
    return f"is of Supervisely, {_THROUGH_COCO}" if of_file or of_project else None


def _is_via(entry: Any) -> bool:
    return isinstance(entry, dict) and "regions" in entry and "filename" in entry
