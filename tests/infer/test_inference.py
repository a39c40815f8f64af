"""Settings that cannot work are refused where they are made."""

import pytest

from rdepth_keras.infer import Inference


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"scales": ()}, "scales must be factors"),
        ({"scales": (1.0, float("nan"))}, "scales must be factors"),
        ({"scales": 1.0}, "scales must be factors, one or more in a tuple; received 1.0"),
        ({"scales": (0.0,)}, "scales must be factors"),
        ({"scales": (1e-9,)}, "scales must be factors from 1/8 to 8"),
        ({"scales": (1.0, 8.5)}, "scales must be factors from 1/8 to 8"),
        ({"scales": (True,)}, r"scales must be factors, .* received \(True,\)"),
        ({"scales": ("1",)}, r"scales must be factors, .* received \('1',\)"),
        ({"scales": (1.0, 1.0)}, "scales must differ from one another"),
        ({"views": "many"}, "views must be one of"),
        ({"blend": "gauss"}, "blend must be one of"),
        ({"average": "labels"}, "average must be one of"),
        ({"window_batch": 0}, "window_batch must be a whole number, from 1 to 4096"),
        ({"window_batch": 10**6}, "window_batch must be a whole number, from 1 to 4096"),
        ({"window_pixels": 0}, "window_pixels must be a whole number, .* received 0"),
        ({"window_pixels": -512}, "window_pixels must be a whole number"),
        ({"window_pixels": 1.5}, "window_pixels must be a whole number"),
        ({"window_pixels": 512.0}, "window_pixels must be a whole number"),
        ({"window_batch": None}, "window_batch must be a whole number"),
        ({"stride_pixels": 0}, "stride_pixels must be a whole number"),
        ({"stride_pixels": -1}, "stride_pixels must be a whole number"),
        ({"window_pixels": 256, "stride_pixels": 257}, r"at most window_pixels \(256\).* smaller"),
        ({"window_pixels": None, "stride_pixels": 256}, "None where there is no window"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings, said):
    with pytest.raises(ValueError, match=said):
        Inference(**settings)


def test_seamless_windows_overlap_by_half_and_fade():
    usual = Inference(512, views="flips")
    assert usual.seamless() == Inference(512, 256, "tapered", views="flips")
    assert Inference(33).seamless().stride_pixels == 17
    assert Inference(1).seamless().stride_pixels == 1
    whole = Inference(None)
    assert whole.seamless() == whole
