"""For how long, on what, from where: settings that cannot be are refused by their flags."""

import pytest

from rdepth_keras.experiment import Choice, Sampling
from rdepth_keras.recipes import recipe


@pytest.mark.parametrize(
    ("part", "change"),
    [
        *(
            ("training", {"steps": 0}),
            ("training", {"steps": 1 << 31}),  # more than a step's own number can hold
            ("training", {"batch_size": 0}),
            ("training", {"crop": 31}),
            ("training", {"crop": 100_000}),
        ),
        *(("training", {"seed": -1}), ("training", {"seed": 1 << 31})),
        ("training", {"choice": Choice(average_decay=1.0)}),
        ("training", {"choice": Choice(validation_steps=0)}),
        ("training", {"choice": Choice("best")}),
        ("training", {"choice": Choice("best", validation_steps=10**6)}),
        ("training", {"sampling": Sampling(rare_class_temperature=0.0)}),
    ],
)
def test_impossible_settings(part, change):
    value = next(iter(change.values()))
    name = next(iter(change)) if isinstance(value, int) else "(validation|average|rare|selection)"
    with pytest.raises(ValueError, match=name.replace("_", "[-_]")):
        recipe("demo").changed(**{part: change})
