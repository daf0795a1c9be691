"""Images of every kind in, uint8 RGB out; whatever is wrong is one clear line."""

import io
import struct
import zlib
from datetime import UTC, datetime

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from anagen.errors import InputError
from anagen.formats.images import read_image, write_image


@pytest.fixture
def scalp():
    """A picture with one value of each kind: a ramp, and colours that differ between channels."""
    rows, columns = np.mgrid[:24, :40]
    return np.stack([rows * 10, columns * 6, (rows + columns) * 3], axis=-1).astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "form"), [("a.png", "PNG"), ("a.tif", "TIFF"), ("a.bmp", "BMP"), ("wrong.jpg", "PNG")]
)
def test_lossless_formats_keep_every_pixel_and_the_bytes_say_the_format(tmp_path, scalp, name, form):
    Image.fromarray(scalp).save(tmp_path / name, format=form)
    image = read_image(tmp_path / name)
    assert np.array_equal(image.pixels, scalp)
    assert image.pixels.dtype == np.uint8
    assert (image.file_format, image.mode, image.bit_depth, image.flags) == (form, "RGB", 8, ())
    assert image.taken_at is None
    assert np.isnan(image.um_per_px)


@pytest.mark.parametrize(("form", "name"), [("JPEG", "JPEG"), ("HEIF", "HEIC")])
def test_lossy_formats(tmp_path, scalp, form, name):
    smooth = cv2.GaussianBlur(scalp, (9, 9), 3)
    Image.fromarray(smooth).save(tmp_path / "a", format=form, quality=95)
    image = read_image(tmp_path / "a")
    assert image.file_format == name
    assert np.abs(image.pixels.astype(int) - smooth).mean() < 4


def test_the_hash_is_of_the_bytes(tmp_path, scalp):
    write_image(tmp_path / "a.png", scalp)
    write_image(tmp_path / "b.png", scalp)
    assert read_image(tmp_path / "a.png").sha256 == read_image(tmp_path / "b.png").sha256
    scalp = scalp.copy()
    scalp[3, 3] = 0
    write_image(tmp_path / "b.png", scalp)
    assert read_image(tmp_path / "a.png").sha256 != read_image(tmp_path / "b.png").sha256


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA"])
def test_grey_and_palette_become_three_channels(tmp_path, scalp, mode):
    source = Image.fromarray(scalp).convert("L").convert(mode)
    source.save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.mode == mode
    assert np.array_equal(image.pixels, np.asarray(source.convert("RGB")))


def test_cmyk_is_converted_and_says_so(tmp_path):
    Image.new("CMYK", (32, 32), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    image = read_image(tmp_path / "a.tif")
    assert image.pixels[5, 5].tolist() == [255, 0, 0]
    assert [flag.code for flag in image.flags] == ["cmyk-converted"]


def test_an_opaque_alpha_channel_changes_nothing_and_a_transparent_one_is_flagged(tmp_path, scalp):
    rgba = np.dstack([scalp, np.full(scalp.shape[:2], 255, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert np.array_equal(read_image(tmp_path / "a.png").pixels, scalp)
    rgba[:4, :, 3] = 0
    Image.fromarray(rgba).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert (image.pixels[:4] == 255).all()
    assert np.array_equal(image.pixels[4:], scalp[4:])
    assert [flag.code for flag in image.flags] == ["transparent-pixels"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_come_back_as_the_eight_they_were_made_from(tmp_path, scalp, name, channels):
    deep = scalp.astype(np.uint16) * 257
    deep[0, 0] = 65535
    cv2.imwrite(str(tmp_path / name), deep[..., ::-1] if channels == 3 else deep[..., 1])
    image = read_image(tmp_path / name)
    assert image.bit_depth == 16
    expected = np.rint(deep / 257).astype(np.uint8)
    assert np.array_equal(image.pixels, expected if channels == 3 else np.repeat(expected[..., 1:2], 3, axis=2))
    assert image.flags == ()


def test_twelve_bits_in_sixteen_without_a_declared_range_are_flagged(tmp_path):
    twelve = np.linspace(0, 4095, 32 * 32).reshape(32, 32).round().astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", twelve, metadata=None)
    image = read_image(tmp_path / "a.tif")
    assert (image.pixels.min(), image.pixels.max()) == (0, 255)
    assert [(flag.code, flag.limit) for flag in image.flags] == [("bit-depth-assumed", 4095.0)]


def test_a_declared_range_is_believed(tmp_path):
    dim = np.full((32, 32), 1000, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", dim, metadata=None, extratags=[(281, "H", 1, 4000, True)])
    image = read_image(tmp_path / "a.tif")
    assert image.pixels[0, 0, 0] == round(1000 * 255 / 4000)
    assert image.flags == ()


def test_white_is_zero_is_turned_round(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((32, 32), 65535, np.uint16), photometric="miniswhite", metadata=None)
    assert read_image(tmp_path / "a.tif").pixels.max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_exif_orientation_stands_upright(tmp_path, orientation, dtype):
    upright = np.arange(20 * 30, dtype=dtype).reshape(20, 30) % 251 * (1 if dtype == np.uint8 else 257)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: upright.T[::-1], 7: upright[::-1, ::-1].T, 8: upright.T[:, ::-1],
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    expected = upright if dtype == np.uint8 else np.rint(upright / 257)
    scale = 1 if dtype == np.uint8 else 65535 / upright.max()
    assert np.abs(read_image(tmp_path / "a.png").pixels[..., 0] - expected * min(scale, 1)).max() <= 1


def test_capture_time_comes_out_and_place_does_not(tmp_path, scalp):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[36867] = "2024:03:02 10:11:12"
    exif.get_ifd(0x8769)[36881] = "+00:00"
    exif.get_ifd(0x8825)[1] = "N"
    exif[315] = "a patient's name"
    Image.fromarray(scalp).save(tmp_path / "a.jpg", exif=exif)
    image = read_image(tmp_path / "a.jpg")
    assert image.taken_at == datetime(2024, 3, 2, 10, 11, 12, tzinfo=UTC)
    assert "patient" not in repr(image)


def test_a_scale_is_taken_from_where_it_is_one(tmp_path, scalp):
    write_image(tmp_path / "a.png", scalp, um_per_px=5.5)
    image = read_image(tmp_path / "a.png")
    assert image.um_per_px == pytest.approx(5.5, rel=1e-5)
    assert image.scale_source == "resolution tag"
    Image.fromarray(scalp).save(tmp_path / "b.jpg", dpi=(72, 72))
    assert read_image(tmp_path / "b.jpg").scale_source == "none"
    tifffile.imwrite(tmp_path / "c.tif", scalp[..., 0], imagej=True, resolution=(0.4, 0.4), metadata={"unit": "um"})
    image = read_image(tmp_path / "c.tif")
    assert (image.um_per_px, image.scale_source) == (pytest.approx(2.5), "ImageJ")
    tifffile.imwrite(tmp_path / "d.ome.tif", scalp[..., 0], ome=True, metadata={"axes": "YX", "PhysicalSizeX": 3.25})
    image = read_image(tmp_path / "d.ome.tif")
    assert (image.um_per_px, image.scale_source) == (pytest.approx(3.25), "OME")


def test_only_the_first_page_of_a_tiff_is_read_and_it_says_so(tmp_path, scalp):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([scalp, scalp[::-1]]), photometric="rgb", metadata=None)
    image = read_image(tmp_path / "a.tif")
    assert np.array_equal(image.pixels, scalp)
    assert [flag.code for flag in image.flags] == ["several-pages"]


@pytest.mark.parametrize(("content", "what"), [
    (b"", "is empty"),
    (b"participant,visit\nP1,baseline\n", "is a text file, not a JPEG, PNG, TIFF, BMP or HEIC image"),
    (b"PK\x03\x04" + bytes(40), "is a ZIP archive"),
    (b"GIF89a" + bytes(40), "is a GIF image, not"),
    (b"\xff\xd8\xff" + bytes(40), "JPEG image.* damaged or cut off"),
    (b"\x89PNG\r\n\x1a\n" + bytes(40), "PNG image.* damaged or cut off"),
    (b"\x00\x00\x00\x18ftypheic" + bytes(200), "HEIC image.* damaged or cut off"),
    (b"II*\x00" + bytes(40), "TIFF image.* damaged or cut off"),
    (bytes(range(256)), "is a file of unknown kind"),
])  # fmt: skip
def test_not_an_image(tmp_path, content, what):
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(InputError, match=rf"^.*photo\.jpg: .*{what}") as caught:
        read_image(tmp_path / "photo.jpg")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP", "HEIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_cut_off_file_is_refused(tmp_path, form, share):
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format=form)
    data = buffer.getvalue()
    (tmp_path / "a").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="damaged or cut off"):
        read_image(tmp_path / "a")


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_cut_off_deep_file_is_refused(tmp_path, name):
    noise = np.random.default_rng(1).integers(0, 65535, (120, 160, 3), dtype=np.uint16)
    cv2.imwrite(str(tmp_path / name), noise)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * 0.7)])
    with pytest.raises(InputError, match="damaged or cut off"):
        read_image(tmp_path / name)


def test_a_one_pixel_image_is_refused(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(InputError, match=r"1 x 1 pixels, at least 16 x 16"):
        read_image(tmp_path / "a.png")


def _blank_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    (tmp_path / "a.png").write_bytes(_blank_png(side, side))
    with pytest.raises(InputError, match="60 million"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "BMP", "HEIF"])
def test_any_damage_ends_in_a_picture_or_in_one_line(tmp_path, form):
    buffer = io.BytesIO()
    Image.fromarray(np.tile(np.arange(40, dtype=np.uint8)[:, None, None], (1, 40, 3))).save(buffer, format=form)
    data = buffer.getvalue()
    rng = np.random.default_rng(7)
    messages = []
    for _ in range(40):
        broken = bytearray(data)
        for place in rng.integers(0, [len(data), min(200, len(data))], (3, 2)).ravel():
            broken[place] = rng.integers(256)
        (tmp_path / "a").write_bytes(broken)
        try:
            assert read_image(tmp_path / "a").pixels.dtype == np.uint8
        except InputError as error:
            messages.append(str(error))
    assert not any("\n" in message for message in messages)


def test_no_such_file_and_a_folder(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_image(tmp_path / "a.png")
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)


def test_thirty_two_bits_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((32, 32), np.float32), metadata=None)
    with pytest.raises(InputError, match="no agreed white"):
        read_image(tmp_path / "a.tif")


def test_write_refuses_what_png_cannot_keep(tmp_path, scalp):
    with pytest.raises(InputError, match=r"end the name in \.png"):
        write_image(tmp_path / "a.jpg", scalp)
    with pytest.raises(InputError, match="float64"):
        write_image(tmp_path / "a.png", scalp / 255)


def test_a_real_field(shared):
    image = read_image(shared("fdu/images/220124_B187_2.jpg"))
    assert image.pixels.shape == (1024, 1280, 3)
    assert image.file_format == "JPEG"
