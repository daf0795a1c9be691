import numpy as np

from anagen.hair import Hair, HairMeasurement
from anagen.report.overlay import COLOURS, draw_hairs


def test_draws_each_hair_in_the_colour_of_its_class_and_leaves_the_image_alone():
    image = np.full((300, 800, 3), 200, dtype=np.uint8)
    hairs = tuple(
        Hair(i + 1, np.array([[50.0, 100.0 + 200 * i], [250.0, 100.0 + 200 * i]]), 1000.0, width, 1.0, 0.9)
        for i, width in enumerate((70.0, 20.0, float("nan")))
    )
    drawn = draw_hairs(image, HairMeasurement(hairs, 0.06, 5.0, (300, 800)))
    assert drawn.shape[1] == 1600
    assert np.all(image == 200)
    for i, kind in enumerate(("terminal", "vellus", "unresolved")):
        patch = drawn[290:310, 2 * (100 + 200 * i) - 4 : 2 * (100 + 200 * i) + 6].reshape(-1, 3)
        assert np.any(np.all(patch == COLOURS[kind], axis=1))


def test_an_unmeasured_field_says_so():
    drawn = draw_hairs(np.full((300, 800, 3), 200, dtype=np.uint8), HairMeasurement((), 0.06, 5.0, (300, 800)))
    assert drawn.shape[0] > 600
