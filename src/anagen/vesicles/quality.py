"""What a reader must know about a movie before believing its numbers, each with what to do about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from anagen.errors import NotEnoughDataError
from anagen.records import Flag
from anagen.vesicles.sizes import SizeDistribution

DENSE_SPOTS_APART_PX = 24.0
"""Mean distance to the nearest other spot below which a flag is raised; vendors advise 20 to 100 particles a frame."""
TOO_MANY_RIVALS = 0.35
FEW_TRACKS = 200
FAST_DRIFT_SHARE = 0.5
VIBRATION_SHARE = 0.15
SATURATED_SHARE = 0.2
LARGE_SATURATED_SHARE = 0.5
REPEATED_SHARE = 0.02
FROZEN_SHARE = 0.5
MUCH_STUCK = 0.05
SMEARED_SHARE = 0.35
"""Variance of the smear over that of a spot. Synthetic beads of 100 nm came out 0 % too large at 0.26, 8 % at 0.48."""
SMALLEST_NM, LARGEST_NM = 20.0, 2000.0
LEAPS = 0.01
"""Share of the time in tracks that may be leaps to false spots without a word: 0 in a clear movie."""


@dataclass(eq=False)
class FrameWatch:
    """Watches the frames go by: repeated, saturated, cut.

    Parameters
    ----------
    mean : list of float
        Mean grey level of each frame.
    n_repeated : int
        Frames equal to the one before.
    brightest : int
        Largest grey value of 16-bit frames, 255 for 8-bit ones.
    """

    mean: list[float] = field(default_factory=list)
    n_repeated: int = 0
    brightest: int = 255
    _last: np.ndarray | None = None

    def see(self, frame: np.ndarray) -> None:
        """Take note of the next frame."""
        self.mean.append(float(frame[::4, ::4].mean()))
        last = self._last
        if last is not None and np.array_equal(frame[::8], last[::8]) and np.array_equal(frame, last):
            self.n_repeated += 1
        if frame.dtype != np.uint8:
            self.brightest = max(self.brightest, int(frame.max()))
        self._last = frame

    @property
    def white(self) -> float:
        """Largest grey value of the camera: 16-bit files often hold 10 to 14 bits."""
        return float(2 ** self.brightest.bit_length() - 1)


def check_movement(watch: FrameWatch) -> None:
    """Raise NotEnoughDataError for a movie that stands still."""
    n = len(watch.mean)
    if n > 1 and watch.n_repeated > FROZEN_SHARE * (n - 1):
        raise NotEnoughDataError(
            f"{watch.n_repeated} of {n} frames repeat the one before: the movie is frozen or was copied; "
            "export it again at the camera's rate"
        )


def frame_flags(watch: FrameWatch) -> list[Flag]:
    """Flag repeated frames.

    Parameters
    ----------
    watch : FrameWatch
        After the last frame.

    Returns
    -------
    list of Flag
        Possibly empty.
    """
    flags = []
    share = watch.n_repeated / max(len(watch.mean) - 1, 1)
    if share > REPEATED_SHARE:
        flags.append(
            Flag(
                "repeated-frames",
                "warning",
                f"{100 * share:.0f} % of the frames repeat the one before",
                "sizes come out too large: export at the camera's own frame rate",
                share,
                REPEATED_SHARE,
            )
        )
    return flags


def saturation_flags(white: np.ndarray, large: np.ndarray) -> list[Flag]:
    """Flag spots that reach white: all of them, or those of the largest particles.

    A white disc is as wide as the particle's way during the exposure, so its middle is not the mean place: where most
    of the largest tenth is white, they seem to move up to a tenth too much.

    Parameters
    ----------
    white : ndarray of bool, shape (n,)
        Which spots of tracks are white in the middle.
    large : ndarray, shape (n,)
        Chance that the particle is one of the largest tenth.

    Returns
    -------
    list of Flag
        Possibly empty.
    """
    share = float(np.mean(white))
    if share > SATURATED_SHARE:
        return [
            Flag(
                "saturated",
                "warning",
                f"{100 * share:.0f} % of the spots are white in the middle",
                "lower the gain or the shutter time",
                share,
                SATURATED_SHARE,
            )
        ]
    of_large = float(np.average(white, weights=large + 1e-12))
    if of_large > LARGE_SATURATED_SHARE:
        return [
            Flag(
                "saturated",
                "warning",
                f"{100 * of_large:.0f} % of the spots of the largest tenth are white in the middle: D90 may be up to a "
                "tenth too low",
                "lower the gain or the shutter time",
                of_large,
                LARGE_SATURATED_SHARE,
            )
        ]
    return []


def exposure_flag(smear_px: float, sigma_px: float) -> list[Flag]:
    """Flag an exposure in which the median particle smears its own spot.

    A spot smeared by s along an axis is dimmer, and dimmer still when the particle went far: long steps are missed,
    and sizes come out too large.

    Parameters
    ----------
    smear_px : float
        Standard deviation, along an axis, of the way of the median particle within an exposure.
    sigma_px : float
        Standard deviation of a typical spot.
    """
    share = (smear_px / sigma_px) ** 2
    if share <= SMEARED_SHARE:
        return []
    return [
        Flag(
            "smeared-spots",
            "warning",
            f"in one exposure the median particle smears by {smear_px:.2f} px, {smear_px / sigma_px:.2f} of a spot's "
            "width: long steps are missed, sizes may be 5 to 10 % too large",
            "open the shutter for half a frame or less",
            share,
            SMEARED_SHARE,
        )
    ]


def stuck_flag(share: float) -> list[Flag]:
    """Flag what was left out because it does not move."""
    if share == 0.0:
        return []
    return [
        Flag(
            "stuck",
            "warning" if share > MUCH_STUCK else "note",
            f"{100 * share:.2g} % of the spots do not move and were left out: stuck particles, dirt, bright pixels",
            "clean the cell; correct bright pixels in the camera",
            share,
            MUCH_STUCK,
        )
    ]


def density_flag(spots_per_frame: float, shape: tuple[int, int], step_px: float) -> list[Flag]:
    """Flag a movie in which spots overlap or a particle is hard to tell from its neighbours.

    Spots thrown at random lie 0.5 / sqrt(density) from their nearest neighbour on average; that should exceed
    `DENSE_SPOTS_APART_PX` and six typical steps. Where more than `TOO_MANY_RIVALS` others lie within four steps, links
    go wrong so often that no size is given.
    """
    rivals = spots_per_frame / (shape[0] * shape[1]) * math.pi * (4.0 * step_px) ** 2
    apart = 0.5 / math.sqrt(max(spots_per_frame, 1e-9) / (shape[0] * shape[1]))
    limit = max(DENSE_SPOTS_APART_PX, 6.0 * step_px)
    if apart >= limit:
        return []
    times = math.ceil((limit / apart) ** 2 * 2.0) / 2.0
    return [
        Flag(
            "too-dense",
            "refused" if rivals > TOO_MANY_RIVALS else "warning",
            f"{spots_per_frame:.0f} spots a frame lie {apart:.1f} px apart on average: spots overlap and particles are "
            "mistaken for each other",
            f"dilute {times:g} times",
            apart,
            limit,
        )
    ]


def track_flags(n_tracks: int, n_independent: float) -> list[Flag]:
    """Flag too few tracks for a distribution."""
    if n_tracks >= FEW_TRACKS:
        return []
    return [
        Flag(
            "few-tracks",
            "warning",
            f"{n_tracks} tracks from about {n_independent:.0f} particles: the shape of the distribution is not to be "
            "trusted",
            "record longer, more positions, or a sample less diluted",
            float(n_tracks),
            float(FEW_TRACKS),
        )
    ]


def motion_flags(drift_px: np.ndarray, vibration: float, step_px: float) -> list[Flag]:
    """Flag a flow or shake that is large beside the particles' own steps.

    Parameters
    ----------
    drift_px : ndarray, shape (T, 2)
        Smooth drift a frame.
    vibration : float
        Standard deviation of the shake along an axis, px.
    step_px : float
        Typical step along an axis, px.

    Returns
    -------
    list of Flag
        Possibly empty.
    """
    flags = []
    speed = float(np.mean(np.hypot(drift_px[:, 0], drift_px[:, 1])))
    if speed > FAST_DRIFT_SHARE * step_px:
        flags.append(
            Flag(
                "drift",
                "warning",
                f"everything flows {speed:.2f} px a frame, {speed / step_px:.1f} times a typical step",
                "wait until the cell is still, or slow the pump",
                speed,
                FAST_DRIFT_SHARE * step_px,
            )
        )
    if vibration > VIBRATION_SHARE * step_px:
        flags.append(
            Flag(
                "vibration",
                "warning",
                f"the picture shakes by {vibration:.2f} px (standard deviation), {vibration / step_px:.2f} of a step",
                "sizes come out too small: mount the instrument firmly, switch off fans and pumps nearby",
                vibration,
                VIBRATION_SHARE * step_px,
            )
        )
    return flags


def smear_flag(smear: float) -> list[Flag]:
    """Flag a recording that mixes successive frames; see `smear_factor`."""
    if smear <= 1.0:
        return []
    return [
        Flag(
            "frames-smeared",
            "warning",
            f"steps are smeared over several frames; the diffusion was raised by {100 * (smear - 1):.0f} % for it",
            "record without video compression or frame averaging",
            smear,
            1.0,
        )
    ]


DISC = 1.8
DISC_SHARE = 0.3
"""How much wider than a typical spot a disc out of focus is, and the share of spots that may be such: 0.37 to 0.42
where the focus is much shallower than the light sheet, 0.02 to 0.27 in other synthetic and real movies."""


def focus_flag(relative_width: np.ndarray) -> list[Flag]:
    """Flag a focus much shallower than the light: many spots are discs, and what is found scatters twice as much.

    Parameters
    ----------
    relative_width : ndarray, shape (n_spots,)
        Width of each spot over that of a typical one.

    Returns
    -------
    list of Flag
        Possibly empty.
    """
    share = float(np.mean(relative_width > DISC))
    if share <= DISC_SHARE:
        return []
    return [
        Flag(
            "shallow-focus",
            "warning",
            f"{100 * share:.0f} % of the spots are discs out of focus: their places are uncertain, faint ones missed",
            "use a thinner sheet of light, or an objective of lower aperture",
            share,
            DISC_SHARE,
        )
    ]


def cut_flags(n_linked: np.ndarray, n_spots: np.ndarray, mean: np.ndarray) -> list[Flag]:
    """Flag frames at which the scene changes: hardly a spot goes on, or the light jumps.

    Parameters
    ----------
    n_linked, n_spots : ndarray of int, shape (T,)
        Spots of a frame that continue a track, and all.
    mean : ndarray, shape (T,)
        Mean grey level.

    Returns
    -------
    list of Flag
        Possibly empty.
    """
    possible = np.minimum(n_spots[1:], n_spots[:-1])
    expected = np.median(n_linked[1:] / np.maximum(possible, 1)) * possible
    broken = (expected >= 8.0) & (n_linked[1:] < 0.35 * expected)
    jump = np.abs(np.diff(mean))
    jumped = jump > 10.0 * np.median(jump) + 0.15 * np.median(mean) + 1.0
    cuts = np.nonzero(broken | jumped)[0] + 1
    if not cuts.size:
        return []
    where = ", ".join(str(int(cut)) for cut in cuts[:5]) + (", ..." if cuts.size > 5 else "")
    return [
        Flag(
            "scene-cut",
            "warning",
            f"the scene changes at frame {where}",
            "measure each part as its own movie: positions and focus differ",
            float(cuts.size),
            0.0,
        )
    ]


def size_flags(sizes: SizeDistribution, smallest_nm: float) -> list[Flag]:
    """Refuse sizes that no free visible particle has; warn near the smallest that could be followed."""
    flags = []
    d10_nm, d50_nm, d90_nm = sizes.d10_nm, sizes.d50_nm, sizes.d90_nm
    if not (SMALLEST_NM <= d50_nm <= LARGEST_NM):
        flags.append(
            Flag(
                "implausible-size",
                "refused",
                f"the median comes out as {d50_nm:.3g} nm",
                "check um_per_px, frames_per_s, temperature and viscosity; stuck particles do not diffuse",
                d50_nm,
                SMALLEST_NM if d50_nm < SMALLEST_NM else LARGEST_NM,
            )
        )
    elif d10_nm < smallest_nm:
        flags.append(
            Flag(
                "too-fast-to-follow",
                "warning",
                f"particles below {smallest_nm:.0f} nm outrun the search radius; D10 is {d10_nm:.0f} nm",
                "dilute, or record more frames a second",
                d10_nm,
                smallest_nm,
            )
        )
    elif sizes.too_fast_share > LEAPS:
        flags.append(
            Flag(
                "leaps",
                "warning",
                f"{100 * sizes.too_fast_share:.1f} % of the time in tracks is leaps longer than particles of "
                f"{smallest_nm:.0f} nm make: they are left out as false spots",
                "record without compression, or raise the threshold",
                sizes.too_fast_share,
                LEAPS,
            )
        )
    if d90_nm > LARGEST_NM and d50_nm <= LARGEST_NM:
        flags.append(
            Flag("large-particles", "warning", f"D90 is {d90_nm:.0f} nm", "look for aggregates or stuck particles")
        )
    return flags
