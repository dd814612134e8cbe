"""Data: folders in the layout of PASCAL VOC and their image-level labels (Sec. 5.1)."""

from wsss.data.labels import (
    VOC_CLASSES,
    read_labels,
    read_labels_csv,
    read_labels_npy,
    read_labels_xml,
    write_labels_csv,
)
from wsss.data.voc import VocFolder, check_folder, voc_palette, write_mask_png

__all__ = [
    "VOC_CLASSES",
    "VocFolder",
    "check_folder",
    "read_labels",
    "read_labels_csv",
    "read_labels_npy",
    "read_labels_xml",
    "voc_palette",
    "write_labels_csv",
    "write_mask_png",
]
