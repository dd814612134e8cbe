"""The dense CRF, of the CRF seeds (Sec. 4.2) and after testing."""

from wsss.crf.cache import keep_somewhere

keep_somewhere()  # before any kernel is declared

from wsss.crf.dense_crf import PRESETS, DenseCRF  # noqa: E402

__all__ = ["PRESETS", "DenseCRF"]
