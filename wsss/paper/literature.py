"""Tables 6 and 7 of the paper: what other works report on PASCAL VOC 2012 (Sec. 5.5)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """One row of Table 6 or 7.

    Attributes
    ----------
    name : str
        What the method is called.
    key : str
        Its entry in `book/references.bib`.
    venue : str
        Where it was published, as the paper writes it.
    val, test : float
        mIoU in percent on the two splits of VOC 2012, as the paper prints it.

    Examples
    --------
    >>> WORKS["table6"][0]
    Work(name='CCNN', key='pathak2015ccnn', venue='ICCV15', val=35.3, test=35.6)
    """

    name: str
    key: str
    venue: str
    val: float
    test: float


VGG16_WORKS = (
    Work("CCNN", "pathak2015ccnn", "ICCV15", 35.3, 35.6),
    Work("EM-Adapt", "papandreou2015em", "ICCV15", 38.2, 39.6),
    Work("MIL", "pinheiro2015mil", "CVPR15", 42.0, 40.6),
    Work("SEC", "kolesnikov2016sec", "ECCV16", 50.7, 51.7),
    Work("AugFeed", "qi2016augfeed", "ECCV16", 54.3, 55.5),
    Work("STC", "wei2017stc", "PAMI17", 49.8, 51.2),
    Work("AE-PSL", "wei2017aepsl", "CVPR17", 55.0, 55.7),
    Work("DCSP", "chaudhry2017dcsp", "BMVC17", 58.6, 59.2),
    Work("AffinityNet", "ahn2018affinitynet", "CVPR18", 58.4, 60.5),
    Work("GAIN", "li2018gain", "CVPR18", 55.3, 56.8),
    Work("MCOF", "wang2018mcof", "CVPR18", 56.2, 57.6),
    Work("DSRG", "huang2018dsrg", "CVPR18", 59.0, 60.4),
    Work("MDC", "wei2018mdc", "CVPR18", 60.4, 60.8),
    Work("AISI", "fan2018aisi", "ECCV18", 61.9, 63.1),
    Work("SeeNet", "hou2018seenet", "NIPS18", 61.1, 60.7),
    Work("FickleNet", "lee2019ficklenet", "CVPR19", 61.2, 61.9),
    Work("SSNet", "zeng2019ssnet", "ICCV19", 57.1, 58.6),
    Work("OAA", "jiang2019oaa", "ICCV19", 63.1, 62.8),
    Work("The paper", "fan2020employing", "ECCV20", 64.6, 64.2),
)

RESNET101_WORKS = (
    Work("DCSP", "chaudhry2017dcsp", "BMVC17", 60.8, 61.9),
    Work("MCOF", "wang2018mcof", "CVPR18", 60.3, 61.2),
    Work("DSRG", "huang2018dsrg", "CVPR18", 61.4, 63.2),
    Work("AISI", "fan2018aisi", "ECCV18", 64.5, 65.6),
    Work("SeeNet", "hou2018seenet", "NIPS18", 63.1, 62.8),
    Work("FickleNet", "lee2019ficklenet", "CVPR19", 64.9, 65.3),
    Work("OAA", "jiang2019oaa", "ICCV19", 65.2, 66.4),
    Work("The paper", "fan2020employing", "ECCV20", 67.2, 66.7),
)

WORKS = {"table6": VGG16_WORKS, "table7": RESNET101_WORKS}
