"""The successor's network: the paper's, with a depth-guided refiner and contrastive projections.

ArthasMil/DGCD, IEEE TGRS 2026, doi 10.1109/TGRS.2026.3701909.
"""

from dataclasses import dataclass

from rdepth_keras.models.dgcd.projections import Contrast
from rdepth_keras.models.dgcd.refiner import Refiner
from rdepth_keras.models.heads import Output
from rdepth_keras.models.twin import Twin, encode


@dataclass(frozen=True)
class DGCD(Twin):
    """The twin network with the successor's two additions; both need a depth encoder.

    With ``taps`` there are two more maps: ``refined``, the logits that prediction uses, and
    ``contrast``, four pairs of maps for the contrastive term, a stage each.

    Attributes:
        refine: adds the depth-guided refiner of the logits.
        contrast: adds the projections of the cross-modal contrastive term.
    """

    refine: bool = True
    contrast: bool = True

    def __post_init__(self):
        super().__post_init__()
        if not self.reads_depth and (self.refine or self.contrast):
            raise ValueError("refine and contrast need a depth encoder; depth_encoder is None.")

    def connect(self, classes, *, dtype, **options):
        inputs, features, pairs = encode(self, dtype=dtype, **options)
        maps = {"image": inputs["image"], **self.decode(features, classes, dtype)}
        if self.refine:
            refiner = Refiner(classes, name="refiner", dtype=dtype)
            maps["refined"] = refiner(maps["logits"], pairs[0][1])
        if self.contrast:
            maps["contrast"] = tuple(
                Contrast(name=f"contrast{stage}", dtype=dtype)(*pair)
                for stage, pair in enumerate(pairs, 1)
            )
        return inputs, maps

    def end(self, taps):
        return Output(taps, "refined" if self.refine else "logits", name="logits")
