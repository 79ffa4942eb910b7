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
    if not isinstance(document, dict):
        return None
    if "_via_img_metadata" in document or any(_is_via(each) for each in document.values()):
        return f"is of VIA (VGG Image Annotator), {_THROUGH_COCO}"
    if isinstance(document.get("objects"), list) and isinstance(document.get("size"), dict):
        return f"is of Supervisely, {_THROUGH_COCO}"
    if isinstance(document.get("classes"), list) and "tags" in document:
        return f"is of Supervisely, {_THROUGH_COCO}"
    return None


def _is_via(entry: Any) -> bool:
    return isinstance(entry, dict) and "regions" in entry and "filename" in entry
