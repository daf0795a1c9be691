"""Fit one hair's cross profiles: a translucent, blurred cylinder on a sloping background.

The blur is a Gaussian, a part of it a wider one or an even disc. The camera's transfer curve may be a power law, and a
bright line of glare may run along the hair.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from anagen.hair.strip import Strip

MAX_ITERATIONS = 30
HUBER = 1.345
"""Residuals beyond this many standard deviations count linearly, so that specks and ink do not pull the fit; 95 %
efficient where there are none (Huber 1964, Ann Math Stat 35:73)."""

N_SHAPE = 7
"""log width, log blur, log absorption, shade; of the glare line the place, log width and softness."""

GRID = 0.2
"""Step of the profile's table in units of the blur: a cubic through values and slopes errs by 1e-5 between."""

_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(12)
NODES, NODE_WEIGHTS = (_POINTS + 1) * math.pi / 4, _WEIGHTS * math.pi / 4
"""Gauss-Legendre points of the angle on the cylinder's surface, 0 to pi / 2, whose sine is the half-width of a nested
bar: dense where the profile is steep."""

HALO_WIDTH, SHARPENED_WIDTH = 3.0, 2.0
"""How much wider the blur's second Gaussian is than its first: a lens's halo (positive share), and what a camera that
sharpens takes off (negative share). Of the two only the share is learnt. Out of focus a part of the blur is instead an
even disc, of the first Gaussian's standard deviation along any line."""

MOST_ABSORBANCE = 40.0
"""Optical depth from which on a hair is a flat bar for any image."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """What an image's hairs have in common of the soft shadow that they throw on the skin: a Gaussian across the hair.

    Parameters
    ----------
    place, width : float
        Where its middle lies and its standard deviation, over the hair's width. Light from 45 degrees shadows the skin
        from under a lying hair to 1.2 widths off its middle.
    depth, depth_sd : float
        What is known of how much light it takes; an infinite standard deviation for nothing.
    """

    place: float = 0.75
    width: float = 0.5
    depth: float = 0.0
    depth_sd: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class BarState:
    """Where a fit starts and what is known before it.

    Parameters
    ----------
    shape : ndarray, shape (7,)
        log width in px; log blur in px; log absorption per px; shade, the part of its own light that a hair loses
        from its middle to its rim; place of the glare line as a part of the width, 0 in the middle; log of its width
        over the hair's; softness of its edge over its half-width, 0 for a bar.
    prior_mean, prior_sd : ndarray, shape (7,)
        Of the same; an infinite standard deviation means nothing is known.
    glare : bool
        Whether there is a glare line; without, the last two are left alone.
    gamma : float
        Light is the grey value to this power: 1 for a linear camera, about 2.2 for sRGB.
    slope_sd : float
        Standard deviation of the background's slope, in light per px.
    side : float
        On which side the skin lies in the hair's shadow, -1 or 1; 0 for none.
    shadow : Shadow
        What is known of it.
    halo : float
        Share of the blur's second, wider Gaussian; 0 for one Gaussian, negative for a sharpened image.
    disc : float
        Share of the blur that is an even disc, 0 to 1.
    """

    shape: np.ndarray
    prior_mean: np.ndarray
    prior_sd: np.ndarray
    glare: bool
    gamma: float
    slope_sd: float
    side: float = 0.0
    shadow: Shadow = Shadow()
    halo: float = 0.0
    disc: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class ProfileFit:
    """Result of `fit_bar`.

    Parameters
    ----------
    shape : ndarray, shape (7,)
        As in `BarState`.
    covariance : ndarray, shape (7, 7)
        Of the shape, from the residual noise and the prior, every other parameter estimated.
    robust_covariance : ndarray, shape (7, 7)
        The same from the scatter between segments (sandwich, a segment a cluster).
    centre_px, depth : ndarray, shape (n_segments,)
        Shift of the hair from the line, and depth through its middle in light, negative for a hair darker than the
        skin; NaN where the segment was not used.
    glare : float
        Mean height of the glare line; 0 without one.
    shadow : float
        Mean of the light that the shadow takes in its middle; 0 without one.
    cost : float
        Twice the negative log-likelihood up to a constant, the noise estimated.
    noise : float
        Standard deviation of one pixel's residual, in grey values.
    n_bins, n_segments_used : int
        What it rests on.
    converged : bool
        Whether the iteration settled.
    """

    shape: np.ndarray
    covariance: np.ndarray
    robust_covariance: np.ndarray
    centre_px: np.ndarray
    depth: np.ndarray
    glare: float
    shadow: float
    cost: float
    noise: float
    n_bins: int
    n_segments_used: int
    converged: bool

    @property
    def contrast(self) -> float:
        """Mean depth over the segments."""
        return float(np.nanmean(self.depth)) if self.n_segments_used else math.nan


def fit_bar(
    strip: Strip,
    start: BarState,
    *,
    allowed: np.ndarray | None = None,
    exactly: np.ndarray | None = None,
    max_iterations: int = MAX_ITERATIONS,
) -> ProfileFit:
    r"""Fit width, blur and absorption jointly to all segments of one hair.

    In segment s at distance t from its centre the light is
    ``(a_s + b_s t) (1 - o p(t)) + H_s p(t) + G_s g(t)`` and the grey value its power 1/gamma. The profile p is that of
    an absorbing cylinder, ``1 - exp(-k sqrt(1 - (2 t / w)^2))`` over its height o = 1 - exp(-k) in the middle,
    convolved with the blur; k is absorption times width; the depth is A = H - o a. What the hair itself sends back
    falls from the middle to the rim by the shade. The glare line g is a blurred bar. The shape is common to the
    segments; a, b, A, G and the centre are each segment's own and are eliminated from the Gauss-Newton system (Schur
    complement). Where the hair throws a shadow, the skin's light beside and under it is less by a Gaussian, whose depth
    is each segment's own too.

    Parameters
    ----------
    strip : Strip
        The hair's binned cross profiles.
    start : BarState
        Where to start, and the prior.
    allowed : ndarray of bool, shape (n_segments,), optional
        Segments that may be used; those seen well are.
    exactly : ndarray of bool, shape (n_segments,), optional
        Segments to use, however well they are seen: so that two fits can be compared.
    max_iterations : int
        Where to stop when it has not settled.

    Returns
    -------
    ProfileFit
    """
    width, sigma = math.exp(start.shape[0]), math.exp(start.shape[1])
    if exactly is None:
        used = _usable(strip.segment, strip.distance_px, strip.n_pixels, strip.n_segments, width, sigma)
    else:
        used = exactly
    if allowed is not None:
        used = used & allowed
    if not used.any():
        return _no_fit(strip.n_segments, start.shape)
    keep = used[strip.segment]
    number = np.cumsum(used) - 1
    starts = np.searchsorted(number[strip.segment[keep]], np.arange(used.sum() + 1))
    cast = start.shadow
    prior_weight = np.where(np.isinf(start.prior_sd), 0.0, start.prior_sd**-2.0)
    shape, locals_, covariance, robust, cost, noise, converged = _fit(
        starts, strip.distance_px[keep], strip.value[keep], strip.n_pixels[keep], start.shape, start.prior_mean,
        prior_weight, (start.gamma, start.slope_sd, np.array([start.halo, start.disc])), start.glare,
        np.array([start.side, start.side * cast.place, cast.width, cast.depth, cast.depth_sd**-2.0]),
        max_iterations, NODES, NODE_WEIGHTS,
    )  # fmt: skip
    if not (np.isfinite(shape).all() and np.isfinite(covariance).all() and covariance[:4, :4].diagonal().min() > 0):
        return _no_fit(strip.n_segments, start.shape)
    centre, depth = np.full(strip.n_segments, np.nan), np.full(strip.n_segments, np.nan)
    centre[used], depth[used] = locals_[:, 0], locals_[:, 3]
    return ProfileFit(
        shape=shape,
        covariance=covariance,
        robust_covariance=robust,
        centre_px=centre,
        depth=depth,
        glare=float(locals_[:, 4].mean()),
        shadow=float(locals_[:, 5].mean()),
        cost=float(cost),
        noise=float(noise),
        n_bins=int(keep.sum()),
        n_segments_used=int(used.sum()),
        converged=bool(converged),
    )


def profile_table(shape: np.ndarray, halo: float, disc: float, reach_px: float, n: int) -> np.ndarray:
    """Blurred profile of depth 1 at `n` distances from 0 to `reach_px`.

    Parameters
    ----------
    shape : ndarray, shape (7,)
        As in `BarState`.
    halo, disc : float
        As in `BarState`.
    reach_px : float
        Largest distance.
    n : int
        How many.

    Returns
    -------
    ndarray, shape (n,)
    """
    table = np.zeros((n, 10))
    width, sigma, absorption = np.exp(shape[:3])
    _tabulate(table, reach_px / (n - 1), width, sigma, np.array([halo, disc]), absorption, NODES, NODE_WEIGHTS)
    return np.ascontiguousarray(table[:, 0])


def _no_fit(n_segments: int, shape: np.ndarray) -> ProfileFit:
    nothing, none = np.full((N_SHAPE, N_SHAPE), np.nan), np.full(n_segments, np.nan)
    return ProfileFit(shape, nothing, nothing, none, none, 0.0, 0.0, math.nan, math.nan, 0, 0, converged=False)


@numba.njit(cache=True)
def _usable(segment, distance, weight, n_segments, width, sigma):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Segments seen on both flanks, in the middle, and with some background on one side."""
    flank, reach = 0.5 * width, max(1.5 * sigma, 1.0)
    seen = np.zeros((n_segments, 5))
    for i in range(len(segment)):
        d, s = distance[i], segment[i]
        full = min(weight[i], 1.0)
        if abs(d + flank) < reach:
            seen[s, 0] += full
        if abs(d - flank) < reach:
            seen[s, 1] += full
        if d < -flank - reach:
            seen[s, 2] += full
        if d > flank + reach:
            seen[s, 3] += full
        if abs(d) < flank:
            seen[s, 4] += full
    used = np.zeros(n_segments, dtype=np.bool_)
    for s in range(n_segments):
        background = max(seen[s, 2], seen[s, 3])
        used[s] = seen[s, 0] >= 2.0 and seen[s, 1] >= 2.0 and seen[s, 4] >= 2.0 and background >= 3.0
    return used


@numba.njit(cache=True, error_model="numpy")
def _beyond(z, part):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Part of the blur beyond z standard deviations and its density there: of a Gaussian or, from part 2, a disc."""
    if part >= 2:
        q = min(max(0.5 * z, -1.0), 1.0)
        edge = math.sqrt(1.0 - q * q)
        return 0.5 - (q * edge + math.asin(q)) / math.pi, edge / math.pi
    return 0.5 * (1.0 - math.erf(z * 0.7071067811865476)), math.exp(-0.5 * z * z) * 0.3989422804014327


@numba.njit(cache=True, error_model="numpy")
def _tabulate(table, step, width, sigma, shares, absorption, nodes, node_weights):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901, PLR0912, PLR0915 - compiled
    """Blurred profile at 0, step, ...: value, derivatives by distance, log w, log sigma, log absorption; u^2 times it.

    Returns the opacity through the middle.
    """
    n, n_nodes = table.shape[0], len(nodes)
    k = min(absorption * width, MOST_ABSORBANCE)
    free = 1.0 if absorption * width < MOST_ABSORBANCE else 0.0
    half = np.empty(n_nodes)
    # heights of the nested bars, and their derivatives by log k: of the profile and of the profile times u^2
    bars = np.empty((n_nodes, 4))
    total, change = 0.0, 0.0
    for j in range(n_nodes):
        c, s = math.cos(nodes[j]), math.sin(nodes[j])
        through = math.exp(-k * c)
        half[j] = 0.5 * width * s
        bars[j, 0] = node_weights[j] * k * s * through
        bars[j, 1] = bars[j, 0] * (1.0 - k * c) * free
        bars[j, 2] = node_weights[j] * (k * s * s * s * through - 2.0 * s * c * (1.0 - through))
        bars[j, 3] = node_weights[j] * k * s * through * (s * s * (1.0 - k * c) - 2.0 * c * c) * free
        total += bars[j, 0]
        change += bars[j, 1]
    for j in range(n_nodes):
        for p in range(0, 4, 2):
            bars[j, p] /= total
            bars[j, p + 1] = bars[j, p + 1] / total - bars[j, p] * change / total
    table[:, :] = 0.0
    halo, disc = shares
    wider = HALO_WIDTH if halo > 0.0 else SHARPENED_WIDTH
    for part in range(4):
        share, blur, most, aside, grow = 1.0 - halo - disc, sigma, 5.5, 0.0, 1.0
        if part == 1:
            share, blur = halo, wider * sigma
        elif part >= 2:
            # an image of a disc is averaged over each pixel: two points 0.29 px off the middle, whose variance is 1/12
            grow = 1.0 / max(1.0 - 1.0 / (12.0 * sigma * sigma), 0.25)
            share, blur, most, aside = 0.5 * disc, sigma / math.sqrt(grow), 2.0, (2 * part - 5) * 0.28867513459481287
        if share == 0.0:
            continue
        for j in range(n_nodes):
            b_0, b_1, b_2, b_3 = share * bars[j, 0], share * bars[j, 1], share * bars[j, 2], share * bars[j, 3]
            for i in range(n):
                x = i * step + aside
                zp, zm = (x + half[j]) / blur, (x - half[j]) / blur
                if zm > most:
                    break
                bar, by_x, by_lw, by_ls = 1.0, 0.0, 0.0, 0.0
                if zm > -most:
                    bar, pm = _beyond(zm, part)
                    by_x, by_lw, by_ls = -pm / blur, half[j] * pm / blur, zm * pm
                    if zp < most:
                        more, pp = _beyond(zp, part)
                        bar -= more
                        by_x += pp / blur
                        by_lw += half[j] * pp / blur
                        by_ls -= zp * pp
                table[i, 0] += b_0 * bar
                table[i, 1] += b_0 * by_x
                table[i, 2] += b_0 * by_lw
                table[i, 3] += b_0 * by_ls * grow
                table[i, 4] += b_1 * bar
                table[i, 5] += b_2 * bar
                table[i, 6] += b_2 * by_x
                table[i, 7] += b_2 * by_lw
                table[i, 8] += b_2 * by_ls * grow
                table[i, 9] += b_3 * bar
    for i in range(n):
        table[i, 2] += table[i, 4]
        table[i, 7] += table[i, 9]
    return total


@numba.njit(cache=True, error_model="numpy")
def _model(theta, t, table, step, gamma, glare, shadow, width, sigma, opacity, shade, place, share, softness, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, PLR0915 - compiled
    """Grey value at distance t, and its derivatives by the seven shapes, then centre, a, b, A, G and the shadow."""
    x = t - theta[0]
    far = abs(x)
    i = int(far / step)
    a, depth, shine = theta[1], theta[3], theta[4]
    own = opacity * a + depth
    dark, dark_x, dark_lw, dark_ls = 0.0, 0.0, 0.0, 0.0
    if shadow[0] != 0.0:
        wide = shadow[2] * width
        soft2 = wide * wide + sigma * sigma
        off = x - shadow[1] * width
        dark = math.exp(-0.5 * off * off / soft2)
        dark_x = -dark * off / soft2
        dark_lw = -dark_x * (shadow[1] * width + off * wide * wide / soft2)
        dark_ls = -dark_x * off * sigma * sigma / soft2
    # the skin's slope and shadow show only where the hair lets them through
    deep = depth - opacity * (theta[2] * t - theta[5] * dark)
    bar, dim, by_x, by_lw, by_ls, by_la = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if i < table.shape[0] - 1:
        f = far / step - i
        g = 1.0 - f
        # cubic Hermite for the values, linear for the derivatives
        h_0, h_1 = (1.0 + 2.0 * f) * g * g, f * f * (3.0 - 2.0 * f)
        d_0, d_1 = step * f * g * g, -step * f * f * g
        bar = h_0 * table[i, 0] + h_1 * table[i + 1, 0] + d_0 * table[i, 1] + d_1 * table[i + 1, 1]
        dim = h_0 * table[i, 5] + h_1 * table[i + 1, 5] + d_0 * table[i, 6] + d_1 * table[i + 1, 6]
        v = -shade * own
        by_x = g * (deep * table[i, 1] + v * table[i, 6]) + f * (deep * table[i + 1, 1] + v * table[i + 1, 6])
        by_lw = g * (deep * table[i, 2] + v * table[i, 7]) + f * (deep * table[i + 1, 2] + v * table[i + 1, 7])
        by_ls = g * (deep * table[i, 3] + v * table[i, 8]) + f * (deep * table[i + 1, 3] + v * table[i + 1, 8])
        by_la = g * (deep * table[i, 4] + v * table[i, 9]) + f * (deep * table[i + 1, 4] + v * table[i + 1, 9])
        if x < 0.0:
            by_x = -by_x
    free = 1.0 - opacity * bar
    by_x -= theta[5] * free * dark_x
    by_lw -= theta[5] * free * dark_lw
    by_ls -= theta[5] * free * dark_ls
    light = a + theta[2] * t - theta[5] * dark + deep * bar - shade * own * dim
    line, g_x, g_lw, g_ls, g_place, g_share, g_soft = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if glare:
        half = 0.5 * share * width
        y = x - place * width
        own_blur = softness * half
        soft = math.sqrt(sigma * sigma + own_blur * own_blur)
        zp, zm = (y + half) / soft, (y - half) / soft
        if abs(y) < half + 6.0 * soft:
            pp, pm = math.exp(-0.5 * zp * zp) * 0.3989422804014327, math.exp(-0.5 * zm * zm) * 0.3989422804014327
            line = 0.5 * (math.erf(zp * 0.7071067811865476) - math.erf(zm * 0.7071067811865476))
            light += shine * line
            g_x = (pp - pm) / soft
            g_place = -g_x * width
            by_soft = (zm * pm - zp * pp) / (soft * soft)
            g_share = half * (pp + pm) / soft + own_blur * own_blur * by_soft
            g_ls = sigma * sigma * by_soft
            g_soft = own_blur * half * by_soft
            g_lw = place * g_place + g_share
    slope, value = 1.0, light
    if gamma != 1.0:
        safe = max(light, 1e-4)
        value = safe ** (1.0 / gamma)
        slope = value / safe / gamma
    out[0] = slope * (by_lw + shine * g_lw)
    out[1] = slope * (by_ls + shine * g_ls)
    out[2] = slope * by_la
    out[3] = -slope * own * dim
    out[4] = slope * shine * g_place
    out[5] = slope * shine * g_share
    out[6] = slope * shine * g_soft
    out[7] = -slope * (by_x + shine * g_x)
    out[8] = slope * (1.0 - shade * opacity * dim)
    out[9] = slope * t * free
    out[10] = slope * (bar - shade * dim)
    out[11] = slope * line
    out[12] = -slope * dark * free
    return value


@numba.njit(cache=True, error_model="numpy")
def _invert(matrix, n, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Inverse of a small symmetric positive matrix, by elimination on a scaled copy."""
    a = np.zeros((n, 2 * n))
    scale = np.empty(n)
    for p in range(n):
        scale[p] = 1.0 / math.sqrt(max(matrix[p, p], 1e-300))
    for p in range(n):
        for q in range(n):
            a[p, q] = matrix[p, q] * scale[p] * scale[q]
        a[p, p] += 1e-12
        a[p, n + p] = 1.0
    for p in range(n):
        pivot = a[p, p]
        if abs(pivot) < 1e-14:
            pivot = 1e-14
        for q in range(p, 2 * n):
            a[p, q] /= pivot
        for r in range(n):
            if r != p and a[r, p] != 0.0:
                factor = a[r, p]
                for q in range(p, 2 * n):
                    a[r, q] -= factor * a[p, q]
    for p in range(n):
        for q in range(n):
            out[p, q] = a[p, n + q] * scale[p] * scale[q]


@numba.njit(cache=True, error_model="numpy")
def _eliminate(h_gl, h_ll, u_g, r_l, n_global, n_local, damping, inverses, lhs, rhs):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Take the segments' own parameters out of the normal equations, in place."""
    n_segments = h_ll.shape[0]
    damped = np.empty((n_local, n_local))
    for s in range(n_segments):
        for p in range(n_local):
            for q in range(n_local):
                damped[p, q] = h_ll[s, p, q]
            damped[p, p] = damped[p, p] * (1.0 + damping) + 1e-12
        _invert(damped, n_local, inverses[s])
        for p in range(n_global):
            rhs[p] += u_g[s, p]
            for q in range(n_local):
                to_local = 0.0
                for r in range(n_local):
                    to_local += h_gl[s, p, r] * inverses[s, r, q]
                rhs[p] -= to_local * r_l[s, q]
                for r in range(n_global):
                    lhs[p, r] -= to_local * h_gl[s, r, q]


@numba.njit(cache=True, error_model="numpy")
def _fit(starts, t, y, n, shape, prior_mean, prior_weight, light, glare, shadow, most, nodes, node_weights):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901, PLR0912, PLR0915 - one compiled loop
    """Levenberg-Marquardt with the segments' own parameters eliminated."""
    gamma, slope_sd, shares = light
    n_segments = len(starts) - 1
    # a shadow without a glare line: the line's height has no derivative and stays 0
    n_local = 6 if shadow[0] != 0.0 else 5 if glare else 4
    n_global = 7 if glare else 4
    reach = 0.0
    for i in range(len(t)):
        reach = max(reach, abs(t[i]))
    theta = np.zeros((n_segments, 6))
    g = shape.copy()
    row = np.zeros(13)
    # Start of the linear parameters: least squares in linear light at the starting shape.
    width, sigma = math.exp(g[0]), math.exp(g[1])
    size = int((reach + 3.0) / (GRID * sigma)) + 3
    table = np.zeros((size, 10))
    opacity = _tabulate(table, GRID * sigma, width, sigma, shares, math.exp(g[2]), nodes, node_weights)
    unit = np.array([0.0, 0.0, 0.0, 1.0, 1.0, 0.0])
    n_linear = n_local - 1
    lhs_l, inverse_l, rhs_l = np.zeros((5, 5)), np.zeros((5, 5)), np.zeros(5)
    for s in range(n_segments):
        lhs_l[:, :] = 0.0
        rhs_l[:] = 0.0
        for i in range(starts[s], starts[s + 1]):
            _model(
                unit,
                t[i],
                table,
                GRID * sigma,
                1.0,
                glare,
                shadow,
                width,
                sigma,
                opacity,
                g[3],
                g[4],
                math.exp(g[5]),
                g[6],
                row,
            )
            light = max(y[i], 1e-4) ** gamma
            for p in range(n_linear):
                rhs_l[p] += n[i] * row[8 + p] * light
                for q in range(n_linear):
                    lhs_l[p, q] += n[i] * row[8 + p] * row[8 + q]
        for p in range(n_linear):
            lhs_l[p, p] += 1e-6 * lhs_l[0, 0] * (1.0 if p != 1 else 1e-2) + 1e-12
        _invert(lhs_l, n_linear, inverse_l)
        for p in range(n_linear):
            for q in range(n_linear):
                theta[s, 1 + p] += inverse_l[p, q] * rhs_l[q]
    damping = 1e-3
    n_free = max(len(t) - n_segments * n_local - n_global, 1)
    noise2 = 1.0
    slope_weight = 1.0 / (slope_sd * slope_sd)
    cost, final_cost = 1e300, 1e300
    converged, first = False, True
    h_gg, t_gg = np.zeros((7, 7)), np.zeros((7, 7))
    h_gl, th_gl = np.zeros((n_segments, 7, n_local)), np.zeros((n_segments, 7, n_local))
    h_ll, th_ll = np.zeros((n_segments, n_local, n_local)), np.zeros((n_segments, n_local, n_local))
    r_l, tr_l = np.zeros((n_segments, n_local)), np.zeros((n_segments, n_local))
    u_g, tu_g = np.zeros((n_segments, 7)), np.zeros((n_segments, 7))
    inverses = np.zeros((n_segments, n_local, n_local))
    lhs, rhs, inverse_g, step = np.zeros((7, 7)), np.zeros(7), np.zeros((7, 7)), np.zeros(7)
    trial_theta, trial_g = theta.copy(), g.copy()
    step_size, accepted_n = 1.0, 0
    far = 6.0 if shares[0] == 0.0 else 6.0 * max(HALO_WIDTH, SHARPENED_WIDTH)
    for _ in range(most + 1):
        width, sigma = math.exp(trial_g[0]), math.exp(trial_g[1])
        shade, place, share = trial_g[3], trial_g[4], math.exp(trial_g[5])
        grid = GRID * sigma
        size = int(min(reach + 3.0, 0.5 * width + far * sigma) / grid) + 3
        table = np.zeros((size, 10))
        opacity = _tabulate(table, grid, width, sigma, shares, math.exp(trial_g[2]), nodes, node_weights)
        th_gl[:] = 0.0
        th_ll[:] = 0.0
        tr_l[:] = 0.0
        tu_g[:] = 0.0
        t_gg[:] = 0.0
        new_cost, plain = 0.0, 0.0
        scale = math.sqrt(noise2)
        for s in range(n_segments):
            for i in range(starts[s], starts[s + 1]):
                value = _model(
                    trial_theta[s],
                    t[i],
                    table,
                    grid,
                    gamma,
                    glare,
                    shadow,
                    width,
                    sigma,
                    opacity,
                    shade,
                    place,
                    share,
                    trial_g[6],
                    row,
                )
                r = y[i] - value
                z = abs(r) * math.sqrt(n[i]) / scale
                weight = n[i]
                if not first and z > HUBER:
                    weight = n[i] * HUBER / z
                    new_cost += noise2 * (2.0 * HUBER * z - HUBER * HUBER)
                else:
                    new_cost += n[i] * r * r
                plain += weight * r * r
                for p in range(n_global):
                    wp = weight * row[p]
                    tu_g[s, p] += wp * r
                    for q in range(p, n_global):
                        t_gg[p, q] += wp * row[q]
                    for q in range(n_local):
                        th_gl[s, p, q] += wp * row[7 + q]
                for p in range(n_local):
                    wp = weight * row[7 + p]
                    tr_l[s, p] += wp * r
                    for q in range(p, n_local):
                        th_ll[s, p, q] += wp * row[7 + q]
            for p in range(n_local):
                for q in range(p):
                    th_ll[s, p, q] = th_ll[s, q, p]
            # what is known of the background's slope
            new_cost += noise2 * slope_weight * trial_theta[s, 2] ** 2
            tr_l[s, 2] -= noise2 * slope_weight * trial_theta[s, 2]
            th_ll[s, 2, 2] += noise2 * slope_weight
            if n_local == 6:
                off = trial_theta[s, 5] - shadow[3]
                new_cost += noise2 * shadow[4] * off * off
                tr_l[s, 5] -= noise2 * shadow[4] * off
                th_ll[s, 5, 5] += noise2 * shadow[4]
        for p in range(n_global):
            for q in range(p):
                t_gg[p, q] = t_gg[q, p]
            new_cost += noise2 * prior_weight[p] * (prior_mean[p] - trial_g[p]) ** 2
        if new_cost <= cost or first:
            gain = (cost - new_cost) / max(new_cost, 1e-300)
            g[:] = trial_g
            theta[:, :] = trial_theta
            h_gg[:] = t_gg
            h_gl[:] = th_gl
            h_ll[:] = th_ll
            r_l[:] = tr_l
            u_g[:] = tu_g
            cost, final_cost = new_cost, new_cost
            damping = max(damping * 0.2, 1e-9)
            accepted_n += 1
            # The noise is learnt as the fit settles; the cost is then counted anew on that scale.
            now = max(plain / n_free, 1e-8)
            moved = accepted_n <= 12 and abs(now / noise2 - 1.0) > 0.05
            if first or moved:
                noise2 = now
                cost = 1e300
            first = False
            if not moved and accepted_n > 3 and 0.0 <= gain < 1e-4 and step_size < 5e-3:
                converged = True
                break
        else:
            damping = damping * 8.0
            if damping > 1e8:
                converged = True
                break
        lhs[:] = h_gg
        rhs[:] = 0.0
        for p in range(n_global):
            lhs[p, p] = (lhs[p, p] + noise2 * prior_weight[p]) * (1.0 + damping) + 1e-12
            rhs[p] += noise2 * prior_weight[p] * (prior_mean[p] - g[p])
        _eliminate(h_gl, h_ll, u_g, r_l, n_global, n_local, damping, inverses, lhs, rhs)
        _invert(lhs, n_global, inverse_g)
        step_size = 0.0
        for p in range(n_global):
            step[p] = 0.0
            for q in range(n_global):
                step[p] += inverse_g[p, q] * rhs[q]
            most = 0.15 if 3 <= p <= 4 else 0.4
            step[p] = min(max(step[p], -most), most)
            trial_g[p] = g[p] + step[p]
            if p < 5:
                step_size = max(step_size, abs(step[p]))
        for s in range(n_segments):
            for p in range(n_local):
                local = 0.0
                for q in range(n_local):
                    right = r_l[s, q]
                    for r_ in range(n_global):
                        right -= h_gl[s, r_, q] * step[r_]
                    local += inverses[s, p, q] * right
                if p == 0:
                    local = min(max(local, -1.0 - 0.1 * width), 1.0 + 0.1 * width)
                trial_theta[s, p] = theta[s, p] + local
        trial_g[0] = min(max(trial_g[0], -3.0), 6.0)
        trial_g[1] = min(max(trial_g[1], -1.5), 4.0)
        trial_g[2] = min(max(trial_g[2], -9.0), 2.0)
        trial_g[3] = min(max(trial_g[3], -0.5), 0.9)
        trial_g[4] = min(max(trial_g[4], -0.35), 0.35)
        trial_g[5] = min(max(trial_g[5], -2.5), -0.7)
        trial_g[6] = min(max(trial_g[6], 0.02), 1.2)
    # Information and scatter at the end.
    information, unused = h_gg.copy(), np.zeros(7)
    _eliminate(h_gl, h_ll, u_g, r_l, n_global, n_local, 0.0, inverses, information, unused)
    meat = np.zeros((7, 7))
    score = np.zeros(7)
    for s in range(n_segments):
        for p in range(n_global):
            score[p] = u_g[s, p]
            for q in range(n_local):
                for r_ in range(n_local):
                    score[p] -= h_gl[s, p, q] * inverses[s, q, r_] * r_l[s, r_]
        for p in range(n_global):
            for q in range(n_global):
                meat[p, q] += score[p] * score[q]
    likelihood = len(t) * math.log(max(final_cost / len(t), 1e-12))
    noise2 = max(final_cost / n_free, 1e-12)
    for p in range(n_global):
        information[p, p] += noise2 * prior_weight[p]
        meat[p, p] += noise2 * noise2 * prior_weight[p]
    inverse = np.zeros((7, 7))
    _invert(information, n_global, inverse)
    return g, theta, noise2 * inverse, inverse @ meat @ inverse, likelihood, math.sqrt(noise2), converged
