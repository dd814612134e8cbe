"""The dense CRF, of the CRF seeds (Sec. 4.2) and after testing."""

from wsss.crf.dense_crf import PRESETS, DenseCRF

__all__ = ["PRESETS", "DenseCRF"]
