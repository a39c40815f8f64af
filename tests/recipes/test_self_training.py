"""The self-training rows as LoveDA's release and DCA trained them."""

import pytest

from rdepth_keras.infer import Inference
from rdepth_keras.models import MODELS
from rdepth_keras.optimizers import SGD
from rdepth_keras.recipes import recipe

NAMES = ("pycda", "cbst", "iast", "dca")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("direction", ["u2r", "r2u"])
def test_the_shared_base(name, direction):
    """SGD, clipped at 35; 8 crops of 512 of the target's Val; warm-up, stopped at two thirds."""
    experiment = recipe(name, direction)
    assert experiment.network == MODELS["pspnet_two_heads" if name == "dca" else "pspnet"]
    optimizer, training = experiment.optimizers.segmenter, experiment.training
    assert isinstance(optimizer, SGD) and experiment.optimizers.critic is None
    assert (optimizer.momentum, optimizer.weight_decay, optimizer.clip_norm) == (0.9, 5e-4, 35)
    assert (training.batch_size, training.crop) == (8, 512)
    assert training.sampling.target_split == "val" and training.choice.selection == "last"
    steps = 5000 if (name, direction) == ("dca", "u2r") else 10_000
    peak = 1e-3 if (name, direction) == ("pycda", "r2u") else 1e-2
    assert training.steps == steps
    rate = optimizer.rate(steps)
    assert float(rate(0.0375 * steps)) == pytest.approx(peak / 2, rel=1e-3)
    assert float(rate(steps)) == pytest.approx(peak * (1 / 3) ** 0.9, rel=1e-4)
    whole = Inference(window_pixels=None)
    assert training.inference == (experiment.method.labelling if name == "dca" else whole)


def test_directions_differ():
    pycda, cbst, iast, dca = (
        [recipe(name, direction).method for direction in ("u2r", "r2u")] for name in NAMES
    )
    assert [method.confidence for method in pycda] == [0.7, 0.5]
    assert [method.share for method in cbst] == [0.1, 0.5]
    assert [method.start for method in iast] == [0.8, 0.4]
    assert dca[0] == dca[1]


@pytest.mark.parametrize(
    ("name", "direction", "rounds"),
    [
        *(("cbst", direction, range(4000, 10_000, 1000)) for direction in ("u2r", "r2u")),
        *(("iast", "u2r", (8000, 9000)), ("iast", "r2u", range(4000, 10_000, 1000))),
        *(("dca", "u2r", range(2000, 5000, 500)), ("dca", "r2u", range(4000, 10_000, 1000))),
    ],
)
def test_the_rounds(name, direction, rounds):
    experiment = recipe(name, direction)
    assert experiment.method.rounds(experiment.training.steps) == tuple(rounds)


def test_the_slip_of_the_release_is_in_the_row_alone():
    method = recipe("dca").method
    assert method.across_classes and not type(method)().across_classes
