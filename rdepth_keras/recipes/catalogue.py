"""All recipes at a glance: what they are, on which network, and what was published of them."""

from dataclasses import dataclass

from rdepth_keras.data.dataset import Direction
from rdepth_keras.evaluate.rows import Row, published_rows
from rdepth_keras.experiment import Experiment
from rdepth_keras.recipes import RECIPES, recipe

PUBLISHED_AS: dict[str, tuple[str, ...]] = {  # recipe -> names in the published tables
    "rdepth_b_s": ("ConvNeXt-B + ConvNeXt-S rDepth",),
    "rdepth_b_b": ("ConvNeXt-B + ConvNeXt-B rDepth",),
    "rdepth_xl_b": ("ConvNeXt-XL + ConvNeXt-B rDepth",),
    "convnext_b": ("ConvNeXt-B",),
    "deeplabv3": ("DeepLabV3",),
    "segformer": ("SegFormer",),
    "adaptsegnet": ("AdaptSegNet",),
    "transnorm": ("TransNorm",),
    "clan": ("CLAN",),
    "fada": ("FADA",),
    "pycda": ("PyCDA",),
    "cbst": ("CBST",),
    "iast": ("IAST",),
    "dca": ("DCA",),
    "daformer": ("DAFormer",),
    "st_dasegnet_deeplabv3": ("ST-DASegNet (DeepLabV3)",),
    "st_dasegnet_segformer": ("ST-DASegNet (SegFormer)", "ST-DASegNet (SegFormer) 2"),
}


@dataclass(frozen=True)
class Entry:
    """A recipe in words.

    Attributes:
        name: of the recipe.
        kind: supervised, AT (adversarial), ST (self-training), AT+ST, or ours.
        network: its encoders and what decodes them.
        published: direction -> mIoU in % on LoveDA's hidden test set, as printed; where the mean of
            the printed classes is another, that in brackets. Empty where nothing was published.
        summary: the first line of its description.
    """

    name: str
    kind: str
    network: str
    published: dict[str, str]
    summary: str


def catalogue() -> list[Entry]:
    """An entry for each recipe, in their order."""
    rows: dict[str, list[Row]] = {}
    for row in published_rows():
        rows.setdefault(row.name.partition(" [")[0], []).append(row)
    return [_entry(name, rows) for name in RECIPES]


def _entry(name: str, rows: dict[str, list[Row]]) -> Entry:
    text = RECIPES[name].__doc__ or ""
    own = [row for published in PUBLISHED_AS.get(name, ()) for row in rows[published]]
    kinds = {row.name.partition(" [")[2].rstrip("]") for row in own}
    kind = "ours" if "Source: this project" in text else "supervised"
    directions: tuple[Direction, ...] = ("u2r", "r2u")
    published = {
        direction: ", ".join(_figure(row) for row in own if row.protocol.direction == direction)
        for direction in directions
    }
    found = next(filter(None, kinds), kind)
    return Entry(name, found, _network(recipe(name)), published, text.splitlines()[0])


def _figure(row: Row) -> str:
    if not row.note:
        return f"{row.miou:.2f}"
    values = [value for value in row.iou.values() if value is not None]
    return f"{row.miou:.2f} ({sum(values) / len(values):.2f})"


def _network(experiment: Experiment) -> str:
    network = experiment.network
    decoder = getattr(network, "decoder", None) or getattr(network, "head", type(network).__name__)
    heads = len(getattr(network, "stages", ()))
    several = f" x {heads}" if heads > 1 else ""
    return f"{' + '.join(map(str, network.encoders.values()))}, {decoder}{several}"
