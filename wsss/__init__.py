"""Learn semantic segmentation from image-level labels with several seeds per image.

Its names stand in ``__init__.pyi`` and are imported when they are first used: ``wsss --help`` and
the paper's facts need no torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
