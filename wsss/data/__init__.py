"""Data: folders in the layout of PASCAL VOC and their image-level labels (Sec. 5.1)."""
