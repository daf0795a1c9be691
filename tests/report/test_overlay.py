import numpy as np

from anagen.hair import Hair, HairMeasurement
from anagen.report.overlay import BLUE, ORANGE, WHITE, draw_hairs


def test_draws_each_hair_in_the_colour_of_its_class_and_leaves_the_image_alone():
    image = np.full((300, 800, 3), 90, dtype=np.uint8)
    hairs = tuple(
        Hair(i + 1, np.array([[50.0, 100.0 + 200 * i], [250.0, 100.0 + 200 * i]]), 1000.0, width, 1.0, 0.9)
        for i, width in enumerate((70.0, 20.0, float("nan")))
    )
    drawn = draw_hairs(image, HairMeasurement(hairs, 0.06, 5.0, (300, 800)), width_px=800, line_px=3, numbers=False)
    assert np.all(image == 90)
    for i, colour in enumerate((ORANGE, BLUE, WHITE)):
        assert tuple(drawn[150, 100 + 200 * i]) == colour
