"""What happens inside a network, as outputs of a second model over the same variables."""

import keras

from rdepth_keras.models.fusion import GATE


def inspection(model: keras.Model) -> keras.Model:
    """A model with the inputs of ``model`` and a dict of what it does in between.

    ``features``: the four maps that the decoder sees, fused where there is depth, (B, h, w, C) at
    the strides of the stages. ``gates``: with gated fusion, four maps (B, h, w, C) in [0, 1]: where
    and in which channels depth may come in. The variables are those of ``model``.

    Args:
        model: a network of :func:`rdepth_keras.models.build` with one image encoder.

    Raises:
        ValueError: for a network without one, as ST-DASegNet's of two students.
    """
    names = {layer.name for layer in model.layers}
    stages = range(1, 5)
    if "image_encoder" not in names:
        found = ", ".join(sorted(name for name in names if name.endswith("_encoder"))) or "none"
        raise ValueError(
            f"Inspected are networks with an image_encoder; those of {model.name} are: {found}."
        )
    if "fusion1" not in names:
        features = model.get_layer("image_encoder").output
    else:
        features = [model.get_layer(f"fusion{stage}").output for stage in stages]
    outputs = {"features": tuple(features)}
    if f"fusion1{GATE}" in names:
        outputs["gates"] = tuple(model.get_layer(f"fusion{stage}{GATE}").output for stage in stages)
    return keras.Model(model.input, outputs, name=f"{model.name}_inspection")
