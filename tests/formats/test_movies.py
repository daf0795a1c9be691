"""Movies of every kind, one frame at a time, lossless; what is cut off says so."""

import logging
import tracemalloc
from fractions import Fraction

import av
import numpy as np
import pytest
import tifffile
from PIL import Image

from anagen.errors import InputError
from anagen.formats.images import write_image
from anagen.formats.movies import open_movie, write_movie


def _noise(n_frames=7, dtype=np.uint8, shape=(48, 62), seed=3):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, (n_frames, *shape), dtype=dtype, endpoint=True)


def _write_video(path, codec, pixel_format, frames, array_format, rate=25, times=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, format=array_format)
            picture.pts = number if times is None else times[number]
            picture.time_base = Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_written_comes_back_bit_by_bit_and_again(tmp_path, name, dtype):
    frames = _noise(dtype=dtype)
    assert write_movie(tmp_path / name, iter(frames), 24.98) == 7
    movie = open_movie(tmp_path / name)
    for _ in range(2):
        read = list(movie)
        assert np.array_equal(read, frames)
        assert {frame.dtype for frame in read} == {np.dtype(dtype)}
        assert movie.flags == ()
    assert movie.frames_per_s == pytest.approx(24.98, rel=1e-3)
    assert movie.n_frames in (7, None)
    assert movie.n_frames_read == 7
    assert (movie.height_px, movie.width_px, movie.bit_depth) == (48, 62, np.iinfo(dtype).bits)


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.tif"])
def test_the_same_frames_give_the_same_bytes_and_hash(tmp_path, name):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    for folder in ("one", "two"):
        write_movie(tmp_path / folder / name, _noise(), 30.0)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert open_movie(tmp_path / "one" / name).sha256 == open_movie(tmp_path / "two" / name).sha256


def test_a_folder_is_read_in_natural_order_and_hashed_by_names_and_bytes(tmp_path):
    frames = _noise(12)
    for number, frame in enumerate(frames):
        write_image(tmp_path / f"run1_frame{number + 1}.png", frame)
    (tmp_path / "LICENSE").write_text("free")
    movie = open_movie(tmp_path)
    assert np.array_equal(list(movie), frames)
    assert (movie.kind, movie.n_frames, movie.flags) == ("folder", 12, ())
    before = movie.sha256
    write_image(tmp_path / "run1_frame3.png", frames[0])
    assert open_movie(tmp_path).sha256 != before


def test_sixteen_bit_frames_in_a_folder(tmp_path):
    frames = _noise(3, np.uint16)
    for number, frame in enumerate(frames):
        write_image(tmp_path / f"{number}.png", frame)
    movie = open_movie(tmp_path)
    assert np.array_equal(list(movie), frames)
    assert movie.bit_depth == 16


def test_a_lost_frame_in_a_folder_is_flagged(tmp_path):
    for number in (1, 2, 3, 5, 6):
        write_image(tmp_path / f"{number:03}.png", np.zeros((20, 20), np.uint8))
    movie = open_movie(tmp_path)
    assert len(list(movie)) == 5
    assert [(flag.code, flag.value) for flag in movie.flags] == [("frames-missing", 1.0)]


def test_a_colour_jpeg_gives_its_luma_plane(tmp_path):
    grey = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
    for number in range(2):
        Image.fromarray(np.dstack([grey] * 3)).save(tmp_path / f"{number}.jpg", quality=95)
        Image.fromarray(grey).save(tmp_path / f"{number}.bin", format="JPEG", quality=95)
    with Image.open(tmp_path / "0.bin") as plain:
        assert np.array_equal(next(iter(open_movie(tmp_path))), np.asarray(plain))


@pytest.mark.parametrize(("codec", "pixel_format", "array_format", "suffix"), [
    ("rawvideo", "bgr24", "bgr24", "avi"),
    ("rawvideo", "gray", "gray", "avi"),
    ("rawvideo", "yuyv422", "gray", "avi"),
    ("huffyuv", "yuv422p", "gray", "avi"),
    ("ffv1", "bgr0", "bgr24", "avi"),
    ("png", "rgb24", "bgr24", "mov"),
])  # fmt: skip
def test_lossless_codecs_keep_the_grey_plane(tmp_path, codec, pixel_format, array_format, suffix):
    frames = _noise(4, shape=(32, 64))
    stored = np.repeat(frames[..., None], 3, axis=3) if array_format == "bgr24" else frames
    path = tmp_path / f"a.{suffix}"
    _write_video(path, codec, pixel_format, stored, array_format)
    read = np.stack(list(open_movie(path))).astype(int)
    if array_format == "bgr24" or pixel_format == "gray":
        assert np.array_equal(read, frames)
    else:  # the writer squeezed 0..255 into the 16..235 of video luma; the reader hands on the plane as it is
        assert np.abs(read - (16 + frames.astype(float) * 219 / 255)).max() <= 1


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_h264(tmp_path, suffix):
    smooth = np.tile(np.linspace(20, 220, 64).astype(np.uint8), (5, 48, 1))
    _write_video(tmp_path / f"a.{suffix}", "libx264", "yuv420p", smooth, "gray", rate=30)
    movie = open_movie(tmp_path / f"a.{suffix}")
    read = np.stack(list(movie)).astype(int)
    assert read.shape == smooth.shape
    assert np.abs(read - (16 + smooth.astype(float) * 219 / 255)).mean() < 3
    assert (movie.n_frames, movie.frames_per_s, movie.flags) == (5, 30.0, ())


def test_dropped_frames_are_flagged(tmp_path):
    frames = _noise(6, shape=(32, 64))
    _write_video(tmp_path / "a.mp4", "libx264", "yuv420p", frames, "gray", times=[0, 1, 2, 5, 6, 7])
    movie = open_movie(tmp_path / "a.mp4")
    assert len(list(movie)) == 6
    assert "frame-times-uneven" in [flag.code for flag in movie.flags]


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits", None])
def test_tiff_stacks_of_other_programs(tmp_path, compression):
    pages = [Image.fromarray(frame) for frame in _noise(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], compression=compression)
    assert np.array_equal(list(open_movie(tmp_path / "a.tif")), _noise(3))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_imagej_stack_with_its_rate(tmp_path, dtype):
    frames = _noise(5, dtype)
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True, metadata={"axes": "TYX", "finterval": 0.05})
    movie = open_movie(tmp_path / "a.tif")
    assert np.array_equal(list(movie), frames)
    assert (movie.n_frames, movie.frames_per_s) == (5, pytest.approx(20.0))


def test_an_imagej_file_with_one_page_for_all_frames(tmp_path):
    frames = _noise(5, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", frames, imagej=True)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        after_first = tiff.pages[0].offset + 2 + 12 * len(tiff.pages[0].tags)
    data[after_first : after_first + 4] = bytes(4)  # end the chain of pages after the first, as ImageJ does above 4 GB
    (tmp_path / "a.tif").write_bytes(data)
    movie = open_movie(tmp_path / "a.tif")
    assert np.array_equal(list(movie), frames)
    assert movie.n_frames == 5


def test_an_ome_stack_with_its_rate(tmp_path):
    frames = _noise(4, np.uint16)
    metadata = {"axes": "TYX", "TimeIncrement": 0.1, "TimeIncrementUnit": "s"}
    tifffile.imwrite(tmp_path / "a.ome.tif", frames, ome=True, metadata=metadata)
    movie = open_movie(tmp_path / "a.ome.tif")
    assert np.array_equal(list(movie), frames)
    assert movie.frames_per_s == pytest.approx(10.0)


def test_colour_tiff_pages_become_grey(tmp_path):
    frames = _noise(3)
    tifffile.imwrite(tmp_path / "a.tif", np.repeat(frames[..., None], 3, axis=3), photometric="rgb", metadata=None)
    assert np.array_equal(list(open_movie(tmp_path / "a.tif")), frames)


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.tif"])
def test_a_cut_off_movie_gives_what_is_there_and_a_flag(tmp_path, name):
    frames = _noise(20)
    write_movie(tmp_path / name, frames, 25.0)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * 0.6)])
    movie = open_movie(tmp_path / name)
    read = list(movie)
    assert 9 <= len(read) <= 13
    assert np.array_equal(read, frames[: len(read)])
    assert [(flag.code, flag.severity, flag.value) for flag in movie.flags] == [
        ("movie-cut-off", "warning", float(len(read)))
    ]


def test_a_cut_off_mp4_is_refused(tmp_path):
    _write_video(tmp_path / "a.mp4", "libx264", "yuv420p", _noise(20, shape=(48, 64)), "gray")
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"a\.mp4: is an MP4 or MOV movie whose table of contents .* copy it again"):
        open_movie(tmp_path / "a.mp4")


def test_a_broken_frame_in_a_folder_ends_the_movie_with_a_flag(tmp_path):
    for number, frame in enumerate(_noise(6)):
        write_image(tmp_path / f"{number}.png", frame)
    data = (tmp_path / "4.png").read_bytes()
    (tmp_path / "4.png").write_bytes(data[: len(data) // 2])
    movie = open_movie(tmp_path)
    assert len(list(movie)) == 4
    assert [(flag.code, flag.value, flag.limit) for flag in movie.flags] == [("movie-cut-off", 4.0, 6.0)]
    assert r"4.png" in movie.flags[0].message


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.tif"])
def test_one_frame_is_no_movie(tmp_path, name):
    write_movie(tmp_path / name, _noise(1), 25.0)
    with pytest.raises(InputError, match=r"1 frame could be read; motion needs at least 2: give the whole movie"):
        open_movie(tmp_path / name)


def test_one_frame_in_a_folder_is_no_movie(tmp_path):
    write_image(tmp_path / "1.png", np.zeros((20, 20), np.uint8))
    with pytest.raises(InputError, match="1 frame could be read"):
        open_movie(tmp_path)


def test_folders_that_are_no_movie(tmp_path):
    with pytest.raises(InputError, match="holds no PNG"):
        open_movie(tmp_path)
    write_image(tmp_path / "1.png", np.zeros((20, 20), np.uint8))
    Image.new("L", (20, 20)).save(tmp_path / "2.jpg")
    with pytest.raises(InputError, match="mixes JPEG and PNG"):
        open_movie(tmp_path)
    (tmp_path / "2.jpg").unlink()
    write_image(tmp_path / "2.png", np.zeros((20, 30), np.uint8))
    with pytest.raises(InputError, match="frame 2 has 30 x 20 pixels, the first 20 x 20"):
        open_movie(tmp_path)


@pytest.mark.parametrize(("content", "what"), [
    (b"", "is an empty file, not a movie"),
    (b"frame,x,y\n", "is a text file, not a movie"),
    (b"\x89PNG\r\n\x1a\n" + bytes(50), "is a PNG image, not a movie: give AVI"),
    (b"RIFF\x10\x00\x00\x00AVI " + bytes(60), r"a\.avi: (is an AVI movie whose|holds no picture|0 frames)"),
    (b"II*\x00" + bytes(60), "is a TIFF image whose table of contents"),
    (b"\x00\x00\x00\x18ftypmp42" + bytes(60), "table of contents"),
])  # fmt: skip
def test_not_a_movie(tmp_path, content, what):
    (tmp_path / "a.avi").write_bytes(content)
    with pytest.raises(InputError, match=what) as caught:
        open_movie(tmp_path / "a.avi")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.tif"])
def test_any_damage_ends_in_frames_with_a_flag_or_in_one_line(tmp_path, name):
    write_movie(tmp_path / name, _noise(12, shape=(20, 24)), 25.0)
    data = (tmp_path / name).read_bytes()
    rng = np.random.default_rng(7)
    messages = []
    for _ in range(15):
        broken = bytearray(data)
        for place in rng.integers(0, [len(data), 400], (3, 2)).ravel():
            broken[place] = rng.integers(256)
        (tmp_path / name).write_bytes(broken)
        try:
            movie = open_movie(tmp_path / name)
            assert all(frame.shape == (movie.height_px, movie.width_px) for frame in movie)
        except InputError as error:
            messages.append(str(error))
    assert not any("\n" in message for message in messages)


def test_no_such_movie(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_movie(tmp_path / "a.avi")


def test_write_refuses_what_it_cannot_keep(tmp_path):
    with pytest.raises(InputError, match=r"\.avi, \.mkv"):
        write_movie(tmp_path / "a.mp4", _noise(), 25.0)
    with pytest.raises(InputError, match="above 0"):
        write_movie(tmp_path / "a.avi", _noise(), 0.0)
    with pytest.raises(InputError, match="frame 1 must be uint8"):
        write_movie(tmp_path / "a.avi", _noise() / 2, 25.0)


@pytest.mark.parametrize("name", ["a.avi", "a.tif"])
def test_memory_does_not_grow_with_the_movie(tmp_path, name):
    frame = _noise(1, shape=(200, 300))[0]
    write_movie(tmp_path / name, (frame for _ in range(120)), 25.0)
    movie = open_movie(tmp_path / name)
    tracemalloc.start()
    assert sum(1 for _ in movie) == 120
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * frame.nbytes


def test_the_reader_prints_nothing(tmp_path, capfd):
    write_movie(tmp_path / "a.tif", _noise(20), 25.0)
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: len(data) // 2])
    list(open_movie(tmp_path / "a.tif"))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("tifffile").handlers


@pytest.mark.parametrize(
    ("name", "n_frames", "shape"), [("bulk_water", 120, (424, 640)), ("princeton_run1", 200, None)]
)
def test_real_movies(shared, name, n_frames, shape):
    movie = open_movie(shared(f"vesicles/movies/{name}"))
    frames = list(movie)
    assert len(frames) == movie.n_frames == n_frames
    assert shape in (None, frames[0].shape)
    assert frames[0].dtype == np.uint8
    assert movie.flags == ()
