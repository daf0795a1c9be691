import numpy as np

from anagen.hair import Hair, HairMeasurement
from anagen.report.overlay import COLOURS, draw_hairs
from anagen.report.thumbnail import draw_thumbnail

IMAGE = np.full((300, 1600, 3), 90, dtype=np.uint8)
HAIRS = tuple(
    Hair(i + 1, np.array([[50.0, 200.0 + 400 * i], [250.0, 200.0 + 400 * i]]), 1000.0, width, 1.0, 0.9)
    for i, width in enumerate((70.0, 20.0, float("nan")))
)
FIELD = HairMeasurement(HAIRS, 0.12, 5.0, (300, 1600))
CLASSES = ("terminal", "vellus", "unresolved")


def test_draws_each_hair_in_the_colour_of_its_class_above_a_legend_and_leaves_the_image_alone():
    drawn = draw_hairs(IMAGE, FIELD)
    assert np.all(IMAGE == 90)
    assert drawn.shape[0] > 300
    for i, name in enumerate(CLASSES):
        assert tuple(drawn[150, 200 + 400 * i]) == COLOURS[name]


def test_numbers_of_hairs_from_one_opening_stand_apart_and_show_on_dark_skin():
    def count_white(numbers):
        path = np.array([[50.0, 200.0], [250.0, 210.0]])
        hairs = tuple(Hair(number, path, 1000.0, 70.0, 1.0, 0.9) for number in numbers)
        drawn = draw_hairs(np.zeros_like(IMAGE), HairMeasurement(hairs, 0.12, 5.0, (300, 1600)))
        return np.count_nonzero(np.all(drawn[:300] > 200, axis=2))

    assert count_white([88]) > 60
    assert count_white([88, 88]) > 1.8 * count_white([88])


def test_a_thumbnail_shows_the_same_hairs_at_page_size():
    drawn = draw_thumbnail(IMAGE, FIELD, width_px=800)
    assert drawn.shape == (150, 800, 3)
    for i, name in enumerate(CLASSES):
        assert tuple(drawn[75, 100 + 200 * i]) == COLOURS[name]
