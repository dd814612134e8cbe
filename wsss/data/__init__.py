"""Data: folders in the layout of PASCAL VOC and their image-level labels (Sec. 5.1)."""

from wsss.data.check import check_folder
from wsss.data.labels import VOC_CLASSES, read_labels, write_labels_csv
from wsss.data.pictures import voc_palette, write_mask_png
from wsss.data.voc import Subset, VocFolder

__all__ = [
    "VOC_CLASSES",
    "Subset",
    "VocFolder",
    "check_folder",
    "read_labels",
    "voc_palette",
    "write_labels_csv",
    "write_mask_png",
]
