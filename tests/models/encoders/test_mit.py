"""Mix Transformer: sizes, counts, rematerialisation, layouts of its weights."""

import re

import jax
import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from rdepth_keras.models import ENCODERS
from rdepth_keras.models.encoders.mit import MiT, MiTBlock
from rdepth_keras.models.weights import load as weights
from rdepth_keras.models.weights.layouts_mit import MIT_HUGGING_FACE, MIT_ORIGINAL

TINY = {"depths": (1, 1, 2, 1), "widths": (8, 16, 20, 32)}
# Without the classifier: transformers' SegformerModel; 3.4 to 81.4 M in the paper's table.
PARAMETERS = {
    "mit_b0": 3_319_392,
    "mit_b1": 13_151_424,
    "mit_b2": 24_196_288,
    "mit_b3": 44_072_128,
    "mit_b4": 60_842_688,
    "mit_b5": 81_443_008,
}


def draw(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_those_published(name, unallocated):
    def build():
        encoder = ENCODERS[name]()
        encoder.build((None, None, None, 3))
        return encoder

    encoder = unallocated(build)
    assert encoder.count_params() == PARAMETERS[name]
    assert encoder.variant == name
    assert weights.published(encoder) == f"smp-hub/{name}.imagenet"


@pytest.mark.parametrize("size", [(32, 33), (45, 64)])
def test_declared_sizes_are_true(size):
    encoder = MiT(**TINY)
    encoder.build((None, None, None, 2))
    maps = jax.eval_shape(encoder, draw((1, *size, 2)))
    assert tuple(x.shape for x in maps) == encoder.compute_output_shape((1, *size, 2))


def test_small_images_are_refused():
    with pytest.raises(ValueError, match="at least 32"):
        MiT(**TINY).compute_output_shape((None, 31, 64, 3))


def test_configuration_round_trip():
    one = MiT(**TINY, drop_path=0.2, remat=True, name="encoder")
    other = MiT.from_config(one.get_config())
    assert other.get_config() == one.get_config()
    for encoder in (one, other):
        encoder.build((None, None, None, 3))
    assert [v.path for v in other.variables] == [v.path for v in one.variables]


def test_remat_changes_no_number():
    x, cotangent = draw((2, 6, 5, 8)), draw((2, 6, 5, 8), 1)
    results = []
    for remat in (False, True):
        block = MiTBlock(8, 2, reduction=2, remat=remat)
        block.build((None, None, None, 8))
        values = [draw(v.shape, seed) * 0.3 for seed, v in enumerate(block.variables)]

        def total(values, x, block=block):
            return (block.stateless_call(values, [], x)[0] * cotangent).sum()

        results.append(jax.jit(jax.value_and_grad(total, argnums=(0, 1)))(values, x))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), *results)


HUB = {  # our layer -> the hub's, of a stage or of a block
    "patches": "patch_embeddings.{0}.proj",
    "patches_norm": "patch_embeddings.{0}.layer_norm",
    "output_norm": "layer_norm.{0}",
    "attention_norm": "block.{0}.{1}.layer_norm_1",
    "attention/query": "block.{0}.{1}.attention.self.query",
    "attention/key": "block.{0}.{1}.attention.self.key",
    "attention/value": "block.{0}.{1}.attention.self.value",
    "attention/reduce": "block.{0}.{1}.attention.self.sr",
    "attention/reduce_norm": "block.{0}.{1}.attention.self.layer_norm",
    "attention/project": "block.{0}.{1}.attention.output.dense",
    "expand_norm": "block.{0}.{1}.layer_norm_2",
    "expand": "block.{0}.{1}.mlp.dense1",
    "depthwise": "block.{0}.{1}.mlp.dwconv.dwconv",
    "project": "block.{0}.{1}.mlp.dense2",
}
ORIGINAL = {  # the same in the authors' files, where stages count from 1
    "patches": "patch_embed{2}.proj",
    "patches_norm": "patch_embed{2}.norm",
    "output_norm": "norm{2}",
    "attention_norm": "block{2}.{1}.norm1",
    "attention/query": "block{2}.{1}.attn.q",
    "attention/key": "block{2}.{1}.attn.k",
    "attention/value": "block{2}.{1}.attn.v",
    "attention/reduce": "block{2}.{1}.attn.sr",
    "attention/reduce_norm": "block{2}.{1}.attn.norm",
    "attention/project": "block{2}.{1}.attn.proj",
    "expand_norm": "block{2}.{1}.norm2",
    "expand": "block{2}.{1}.mlp.fc1",
    "depthwise": "block{2}.{1}.mlp.dwconv.dwconv",
    "project": "block{2}.{1}.mlp.fc2",
}


def published_arrays(encoder, names, prefix=""):
    """The encoder's values under published names, turned as PyTorch has them."""
    arrays = {}
    for path, variable in weights.variables_by_path(encoder).items():
        stage, block, layer, leaf = re.fullmatch(
            r"\w+/stage(\d)_(?:block(\d+)/)?(.+)/(\w+)", path
        ).groups()
        name = prefix + names[layer].format(int(stage) - 1, int(block or 1) - 1, stage)
        array = np.asarray(variable.value)
        axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim)
        arrays[f"{name}.{'weight' if leaf in ('kernel', 'gamma') else 'bias'}"] = (
            array.transpose(axes) if axes else array
        )
    return arrays


def fuse_keys_and_values(arrays):
    fused = {name: array for name, array in arrays.items() if ".attn.v." not in name}
    for name in [name for name in fused if ".attn.k." in name]:
        value = arrays[name.replace(".k.", ".v.")]
        fused[name.replace(".k.", ".kv.")] = np.concatenate([fused.pop(name), value])
    return fused


@pytest.mark.parametrize("layout", [MIT_HUGGING_FACE, MIT_ORIGINAL], ids=lambda x: x.name)
def test_weights_of_both_layouts(layout, tmp_path):
    source = MiT(**TINY, name="source")
    source.build((None, None, None, 3))
    for seed, variable in enumerate(source.variables):
        variable.assign(draw(variable.shape, seed))
    if layout is MIT_ORIGINAL:
        arrays = fuse_keys_and_values(published_arrays(source, ORIGINAL)) | {
            "head.weight": np.zeros((10, 32), np.float32)
        }
    else:
        arrays = published_arrays(source, HUB, "segformer.encoder.") | {
            "classifier.weight": np.zeros((10, 32), np.float32)
        }
    save_file({name: np.ascontiguousarray(x) for name, x in arrays.items()}, tmp_path / "file")
    image = keras.Input((None, None, 3), name="image")
    model = keras.Model({"image": image}, MiT(**TINY, name="image_encoder")(image))
    weights.load(model, tmp_path / "file")
    for ours, theirs in zip(model.variables, source.variables, strict=True):
        np.testing.assert_array_equal(ours.value, theirs.value)


def test_the_layouts_exclude_each_other():
    encoder = MiT(**TINY, name="encoder")
    encoder.build((None, None, None, 3))
    hub, original = published_arrays(encoder, HUB, "encoder."), published_arrays(encoder, ORIGINAL)
    assert MIT_HUGGING_FACE.fits(hub)
    assert MIT_ORIGINAL.fits(original)
    assert not MIT_HUGGING_FACE.fits(original)
    assert not MIT_ORIGINAL.fits(hub)
