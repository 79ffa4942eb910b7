"""What a methods section cites, as BibTeX."""

# By key: kind, authors, title, where and when.
_SOURCES: dict[str, tuple[str, str, str, str, int]] = {
    "ronneberger2015": (
        "inproceedings", "Ronneberger, Olaf and Fischer, Philipp and Brox, Thomas",
        "{U-Net}: Convolutional Networks for Biomedical Image Segmentation", "MICCAI", 2015,
    ),
    "he2015": (
        "inproceedings", "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
        "Deep Residual Learning for Image Recognition", "CVPR", 2016,
    ),
    "he2016": (
        "inproceedings", "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
        "Identity Mappings in Deep Residual Networks", "ECCV", 2016,
    ),
    "srivastava2015": (
        "misc", "Srivastava, Rupesh Kumar and Greff, Klaus and Schmidhuber, J{\\\"u}rgen",
        "Highway Networks", "arXiv:1505.00387", 2015,
    ),
    "huang2017": (
        "inproceedings", "Huang, Gao and Liu, Zhuang and van der Maaten, Laurens and Weinberger, Kilian Q.",
        "Densely Connected Convolutional Networks", "CVPR", 2017,
    ),
    "oktay2018": (
        "misc", "Oktay, Ozan and others",
        "Attention {U-Net}: Learning Where to Look for the Pancreas", "arXiv:1804.03999", 2018,
    ),
    "vaswani2017": (
        "inproceedings", "Vaswani, Ashish and others", "Attention Is All You Need", "NeurIPS", 2017,
    ),
    "satterthwaite1946": (
        "article", "Satterthwaite, Franklin E.",
        "An Approximate Distribution of Estimates of Variance Components", "Biometrics Bulletin", 1946,
    ),
    "holm1979": (
        "article", "Holm, Sture",
        "A Simple Sequentially Rejective Multiple Test Procedure", "Scandinavian Journal of Statistics", 1979,
    ),
    "schuirmann1987": (
        "article", "Schuirmann, Donald J.",
        "A Comparison of the Two One-Sided Tests Procedure and the Power Approach for Assessing the "
        "Equivalence of Average Bioavailability",
        "Journal of Pharmacokinetics and Biopharmaceutics", 1987,
    ),
    "miller1974": ("article", "Miller, Rupert G.", "The Jackknife---A Review", "Biometrika", 1974),
    "cheng2021": (
        "inproceedings",
        "Cheng, Bowen and Girshick, Ross and Doll{\\'a}r, Piotr and Berg, Alexander C. and Kirillov, "
        "Alexander",
        "Boundary {IoU}: Improving Object-Centric Image Segmentation Evaluation", "CVPR", 2021,
    ),
    "shit2021": (
        "inproceedings", "Shit, Suprosanna and others",
        "{clDice} -- a Novel Topology-Preserving Loss Function for Tubular Structure Segmentation",
        "CVPR", 2021,
    ),
    "kirillov2019": (
        "inproceedings",
        "Kirillov, Alexander and He, Kaiming and Girshick, Ross and Rother, Carsten and Doll{\\'a}r, Piotr",
        "Panoptic Segmentation", "CVPR", 2019,
    ),
    "paszke2019": (
        "inproceedings", "Paszke, Adam and others",
        "{PyTorch}: An Imperative Style, High-Performance Deep Learning Library", "NeurIPS", 2019,
    ),
    "iakubovskii2019": (
        "misc", "Iakubovskii, Pavel", "Segmentation Models {PyTorch}",
        "https://github.com/qubvel-org/segmentation_models.pytorch", 2019,
    ),
    "buslaev2020": (
        "article", "Buslaev, Alexander and others",
        "Albumentations: Fast and Flexible Image Augmentations", "Information", 2020,
    ),
}  # fmt: skip
_WHERE = {"inproceedings": "booktitle", "article": "journal", "misc": "howpublished"}


def bibtex(keys: list[str]) -> str:
    """Return the entries of these keys, in their order.

    Raises:
        KeyError: if one is not known.
    """
    entries = []
    for key in keys:
        kind, authors, title, where, year = _SOURCES[key]
        lines = [f"author = {{{authors}}}", f"title = {{{title}}}", f"{_WHERE[kind]} = {{{where}}}"]
        entries.append(f"@{kind}{{{key},\n  " + ",\n  ".join([*lines, f"year = {{{year}}}"]) + "\n}\n")
    return "\n".join(entries)
