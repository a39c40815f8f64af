"""What every network of MODELS keeps: inputs, outputs, variables, saving, learning."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest

from rdepth_keras import losses, models
from rdepth_keras.models.encoders.mit import MiT
from rdepth_keras.models.encoders.resnet import ResNet
from rdepth_keras.models.layers.basic import BatchNorm, Normal
from rdepth_keras.models.layers.domain_norm import TransNorm
from rdepth_keras.network import Network

CLASSES = 5
CONVNEXT = {"depths": (1, 1, 1, 1), "widths": (4, 6, 8, 10)}
MIT = partial(MiT, (1, 1, 1, 1), (4, 8, 10, 16))
RESNET = partial(ResNet, (1, 1, 1, 1), width=4)
QUICK = {  # compiles in a quarter of the time
    "xla_backend_optimization_level": 0,
    "xla_cpu_parallel_codegen_split_count": 1,
    "xla_cpu_use_fusion_emitters": False,
    "xla_llvm_disable_expensive_passes": True,
}


def stride(name):
    """The stride of the last of the four maps."""
    encoder = next(iter(models.MODELS[name].encoders.values()))
    return next((int(part[1:]) for part in encoder.split("_") if part in ("s8", "s16")), 32)


def shrink(name):
    """Arguments that make a network of MODELS small, its kind unchanged."""
    small = {}
    for layer, encoder in models.MODELS[name].encoders.items():
        small[layer] = CONVNEXT
        if encoder.startswith("mit"):
            small[layer] = MIT
        elif encoder.startswith("resnet"):
            norm = TransNorm if encoder.endswith("transnorm") else BatchNorm
            small[layer] = partial(RESNET, output_stride=stride(name), norm=norm)
    return {**small, "channels": 4}


def kind(name):
    """What is left of a network once it is small; networks of one kind differ in size only."""
    return str(replace(models.MODELS[name], **shrink(name)))


KINDS = list({kind(name): name for name in reversed(models.MODELS)}.values())
# By default these stand for their kin, of the same parts in other numbers; RDEPTH_PROOFS=2 for all.
LARGE = ("rdepth_xl_b", "deeplabv3_plus", "segformer_b5")
DAILY = ("twin", "segformer_b0", "deeplabv2_transnorm")
SOME = [name if name in DAILY else pytest.param(name, marks=pytest.mark.proof) for name in KINDS]


def build(name, **arguments):
    keras.utils.set_random_seed(0)
    return models.build(name, classes=CLASSES, **shrink(name), **arguments)


def draw_inputs(model, height, width, batch=2):
    generator = np.random.default_rng(0)
    inputs = {
        "image": generator.integers(0, 256, (batch, height, width, 3), np.uint8),
        "depth": generator.uniform(size=(batch, height, width, 1)).astype(np.float32),
    }
    return {name: inputs[name] for name in model.input}


@pytest.fixture
def no_numbers(monkeypatch):
    monkeypatch.setattr(
        Normal, "__call__", lambda self, shape, dtype=None: keras.ops.zeros(shape, dtype)
    )


@pytest.mark.parametrize("name", sorted(models.MODELS))
@pytest.mark.usefixtures("no_numbers")
def test_full_size_network(name, proofs):
    """The real network at an odd size, in shapes only: nothing is allocated or computed."""
    if proofs < 2 and name not in LARGE:
        pytest.skip("run with RDEPTH_PROOFS=2")

    def call():
        model = models.build(name)
        assert model.count_params() > 3e6
        return model(draw_inputs(model, 47, 61, batch=1))

    logits = jax.eval_shape(call)
    assert (logits.shape, logits.dtype) == ((1, 47, 61, 7), jnp.float32)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.usefixtures("no_numbers")
def test_shapes(name):
    sizes = ((32, 32), (61, 47))

    def call():
        plain, tapped = (build(name, taps=taps, dtype="mixed_bfloat16") for taps in (False, True))
        inputs = [draw_inputs(plain, *size) for size in sizes]
        return [(plain(x), tapped(x)) for x in inputs]

    for size, (full, maps) in zip(sizes, jax.eval_shape(call), strict=True):
        assert (full.shape, full.dtype) == ((2, *size, CLASSES), jnp.float32)
        for logits in jax.tree.leaves(maps["logits"]):
            assert (logits.dtype, logits.shape[-1]) == (jnp.float32, CLASSES)
        assert len(maps["features"]) == 4
        for stage, features in enumerate(maps["features"]):
            assert features.dtype == jnp.bfloat16
            step = min(2 ** (stage + 2), stride(name))
            for side, pixels in zip(features.shape[1:3], size, strict=True):
                assert side in (pixels // step, -(-pixels // step))
        if "auxiliary" in maps:
            assert maps["auxiliary"].shape == (*maps["features"][2].shape[:3], CLASSES)
            assert maps["auxiliary"].dtype == jnp.float32


@pytest.mark.parametrize("name", SOME)
def test_variables_are_the_same_with_and_without_taps(name):
    plain, tapped = build(name), build(name, taps=True)
    paths = [variable.path for variable in plain.variables]
    assert paths == [variable.path for variable in tapped.variables]
    assert len(set(paths)) == len(paths)
    for one, two in zip(plain.variables, tapped.variables, strict=True):
        np.testing.assert_array_equal(one.value, two.value)
    assert plain.input.keys() in ({"image"}, {"image", "depth"})
    assert {"logits", "features"} <= tapped.output.keys()


def text(model):
    """The computation of a model as a function of its variables and inputs."""
    inputs = draw_inputs(model, 37, 41)
    params = [variable.value for variable in model.trainable_variables]
    fixed = [variable.value for variable in model.non_trainable_variables]
    return str(jax.make_jaxpr(partial(model.stateless_call, training=True))(params, fixed, inputs))


SAVED = [("twin", True), *((name, False) for name in KINDS)]
EVERY_DAY = [("twin", True), ("segformer_b0", False), ("deeplabv2_transnorm", False)]


@pytest.mark.parametrize(
    ("name", "taps"),
    [pytest.param(*s, marks=[] if s in EVERY_DAY else pytest.mark.proof) for s in SAVED],
)
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
def test_saving_and_loading_changes_nothing(name, taps, tmp_path):
    model = build(name, taps=taps, dtype="mixed_bfloat16")
    for index, variable in enumerate(model.trainable_variables):
        variable.assign(variable + 0.01 * index)  # no longer what a fresh build gives
    model.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", compile=False)
    for old, new in zip(model.variables, loaded.variables, strict=True):
        assert old.path == new.path
        if not old.path.endswith("seed_generator_state"):
            np.testing.assert_array_equal(old.value, new.value)
    assert text(loaded) == text(model)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name == "deeplabv2_transnorm" else pytest.mark.proof)
        for name in KINDS
    ],
)
def test_frozen_encoders_stay_in_training(name):
    """Their params do not train, and their statistics come out as they went in."""
    encoders = tuple(models.MODELS[name].encoders)
    network = Network(build(name, frozen=encoders))
    params, buffers = network.init()
    assert params and not any(path.startswith(encoders) for path in params)
    inputs = draw_inputs(network.model, 33, 40)

    def train(buffers):
        return network.apply(params, buffers, inputs, jax.random.key(0))[1]

    traced = jax.make_jaxpr(train)(buffers).jaxpr
    ways = zip(sorted(buffers), traced.invars, traced.outvars, strict=True)
    assert [path for path, old, new in ways if path.startswith(encoders) and new is not old] == []


@pytest.mark.proof
@pytest.mark.parametrize("name", KINDS)
def test_a_step_downhill_lowers_the_loss(name):
    model = build(name, taps=True, drop_path=0.0, dropout=0.0)
    network = Network(model)
    params, buffers = network.init()
    inputs = draw_inputs(model, 33, 64)
    label = np.random.default_rng(1).integers(0, CLASSES, (2, 33, 64), np.uint8)

    def loss(params):
        maps, after = network.apply(params, buffers, inputs, jax.random.key(0))
        heads = [maps[key] for key in ("logits", "auxiliary", "refined") if key in maps]
        terms = [losses.cross_entropy(x, label) for x in jax.tree.leaves(heads)]
        return sum(terms) / len(terms), after

    run = jax.jit(jax.value_and_grad(loss, has_aux=True)).lower(params).compile(QUICK)
    (before, after), slopes = run(params)
    assert before == pytest.approx(np.log(CLASSES), rel=0.2)
    size = sum((slope**2).sum() for slope in slopes.values()) ** 0.5
    (lower, _), _ = run({path: params[path] - 0.05 / size * slopes[path] for path in params})
    assert lower < before
    for path, buffer in after.items():
        assert not np.array_equal(buffer, buffers[path]), path


@pytest.mark.proof
def test_plain_logits_are_the_tapped_ones_enlarged():
    """A model is what a Keras user expects: called, or with predict, on bytes."""
    plain, tapped = build("convnext_b"), build("convnext_b", taps=True)
    inputs = draw_inputs(plain, 39, 45)
    full = plain.predict(inputs, verbose=0)
    logits = tapped.predict(inputs, verbose=0)["logits"]
    assert full.dtype == np.float32
    wanted = jax.image.resize(logits, full.shape, "linear", antialias=False)
    np.testing.assert_allclose(full, wanted, atol=1e-6)
