"""Fit one hair's cross profiles: a bar, blurred by a Gaussian, on a sloping background.

The bar may be rounded (a translucent cylinder absorbs less near its rim), the camera's transfer curve may be a power
law, and a bright line of glare may run along the middle: each is a choice the caller makes for the whole image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from anagen.hair.strip import Strip

N_LAYERS = 7
"""Nested bars that make up a rounded profile; Gauss-Legendre points of its height."""

MAX_ITERATIONS = 30
HUBER = 2.0
"""Residuals beyond this many standard deviations count linearly, so that an ink speck does not pull the fit."""


@dataclass(frozen=True, slots=True)
class ProfileShape:
    """What an image's hair profiles look like before blur.

    Parameters
    ----------
    gamma : float
        Light is the grey value to this power: 1 for a linear camera, about 2.2 for sRGB.
    absorbance : float
        Optical depth k of the hair through its middle: the bar is 1 - exp(-k sqrt(1 - u^2)) across -1 < u < 1;
        infinity for a flat bar.
    """

    gamma: float = 1.0
    absorbance: float = math.inf

    def layers(self) -> tuple[np.ndarray, np.ndarray]:
        """Relative widths and weights of the nested bars, weights adding to 1."""
        if math.isinf(self.absorbance):
            return np.ones(1), np.ones(1)
        nodes, weights = np.polynomial.legendre.leggauss(N_LAYERS)
        height = (1 - math.exp(-self.absorbance)) * (nodes + 1) / 2
        return np.sqrt(1 - (np.log1p(-height) / self.absorbance) ** 2), weights / 2


@dataclass(frozen=True, slots=True, eq=False)
class ProfileFit:
    """Result of `fit_bar`.

    Parameters
    ----------
    log_width, log_sigma : float
        Logarithms of the bar's width and the blur's standard deviation, in px.
    covariance : ndarray, shape (2, 2)
        Of the two, from the residual noise, every other parameter estimated.
    robust_covariance : ndarray, shape (2, 2)
        The same from the scatter between segments (sandwich, a segment a cluster).
    centre_px : ndarray, shape (n_segments,)
        Shift of the hair from the line; NaN where the segment was not used.
    contrast : float
        Mean depth of the bar in linear light; negative for a hair darker than the skin.
    glare : float
        Mean height of the glare line, of the sign opposite to the contrast; 0 without one.
    cost : float
        Twice the negative log-likelihood up to a constant, the noise estimated.
    noise : float
        Standard deviation of one pixel's residual, in grey values.
    n_bins, n_segments_used : int
        What it rests on.
    converged : bool
        Whether the iteration settled.
    """

    log_width: float
    log_sigma: float
    covariance: np.ndarray
    robust_covariance: np.ndarray
    centre_px: np.ndarray
    contrast: float
    glare: float
    cost: float
    noise: float
    n_bins: int
    n_segments_used: int
    converged: bool


def fit_bar(
    strip: Strip,
    *,
    width_px: float,
    sigma_px: float,
    shape: ProfileShape = ProfileShape(),
    log_sigma_prior: tuple[float, float] = (0.0, math.inf),
    glare_width: float = 0.0,
    max_iterations: int = MAX_ITERATIONS,
) -> ProfileFit:
    r"""Fit width and blur jointly to all segments of one hair.

    In segment s at distance t from its centre the light is
    ``a_s + b_s t + A_s sum_j q_j [Phi((t + r_j w/2)/sigma) - Phi((t - r_j w/2)/sigma)]`` and the grey value its
    power 1/gamma. Width w and blur sigma are common to the segments; a, b, A and the centre are each segment's own
    and are eliminated from the Gauss-Newton system (Schur complement).

    Parameters
    ----------
    strip : Strip
        The hair's binned cross profiles.
    width_px, sigma_px : float
        Where to start, above 0.
    shape : ProfileShape
        Transfer curve and roundness.
    log_sigma_prior : tuple of float
        Mean and standard deviation of log sigma known from elsewhere; an infinite one means nothing is known.
    glare_width : float
        Width of a bright line along the middle as a fraction of the hair's, before blur; 0 for none.
    max_iterations : int
        Where to stop when it has not settled.

    Returns
    -------
    ProfileFit
    """
    used = _usable_segments(strip, width_px, sigma_px)
    keep = used[strip.segment]
    if not keep.any():
        return _no_fit(strip.n_segments)
    number = np.cumsum(used) - 1
    ratios, weights = shape.layers()
    prior_mean, prior_sd = log_sigma_prior
    starts = np.searchsorted(number[strip.segment[keep]], np.arange(used.sum() + 1))
    result = _fit(
        starts, strip.distance_px[keep], strip.value[keep], strip.n_pixels[keep],
        math.log(width_px), math.log(sigma_px),
        shape.gamma, ratios, weights, prior_mean, 0.0 if math.isinf(prior_sd) else prior_sd**-2, glare_width,
        max_iterations,
    )  # fmt: skip
    globals_, locals_, covariance, robust, cost, noise, converged = result
    if not (np.isfinite(globals_).all() and np.isfinite(covariance).all() and covariance.diagonal().min() > 0):
        return _no_fit(strip.n_segments)
    centre = np.full(strip.n_segments, np.nan)
    centre[used] = locals_[:, 0]
    return ProfileFit(
        log_width=float(globals_[0]),
        log_sigma=float(globals_[1]),
        covariance=covariance,
        robust_covariance=robust,
        centre_px=centre,
        contrast=float(locals_[:, 3].mean()),
        glare=float(locals_[:, 4].mean()),
        cost=float(cost),
        noise=float(noise),
        n_bins=int(keep.sum()),
        n_segments_used=int(used.sum()),
        converged=bool(converged),
    )


def _usable_segments(strip: Strip, width_px: float, sigma_px: float) -> np.ndarray:
    """Segments seen on both flanks and with some background on both sides."""
    used = np.zeros(strip.n_segments, dtype=bool)
    flank, reach = width_px / 2, max(1.5 * sigma_px, 1.0)
    for k in range(strip.n_segments):
        d = strip.distance_px[strip.segment == k]
        left, right = d[d < 0], d[d > 0]
        needed = max(int(reach / 0.5 / 2), 2)
        used[k] = (
            np.count_nonzero(np.abs(left + flank) < reach) >= needed
            and np.count_nonzero(np.abs(right - flank) < reach) >= needed
            and np.count_nonzero(left < -flank - reach) >= 2
            and np.count_nonzero(right > flank + reach) >= 2
            and np.count_nonzero(np.abs(d) < flank) >= 2
        )
    return used


def _no_fit(n_segments: int) -> ProfileFit:
    nothing = np.full((2, 2), np.nan)
    return ProfileFit(
        math.nan,
        math.nan,
        nothing,
        nothing,
        np.full(n_segments, np.nan),
        math.nan,
        0.0,
        math.nan,
        math.nan,
        0,
        0,
        False,
    )


@numba.njit(cache=True, error_model="numpy")
def _model(theta, t, ratios, weights, gamma, glare, width, sigma, glare_sigma, out):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Grey value at distance t from the line, and its derivatives by (log w, log sigma, centre, a, b, A, G)."""
    centre, a, b, depth, shine = theta[0], theta[1], theta[2], theta[3], theta[4]
    x = t - centre
    bar, by_x, by_lw, by_ls = 0.0, 0.0, 0.0, 0.0
    for j in range(len(ratios)):
        half = 0.5 * ratios[j] * width
        zp, zm = (x + half) / sigma, (x - half) / sigma
        pp, pm = math.exp(-0.5 * zp * zp) * 0.3989422804014327, math.exp(-0.5 * zm * zm) * 0.3989422804014327
        bar += weights[j] * 0.5 * (math.erf(zp * 0.7071067811865476) - math.erf(zm * 0.7071067811865476))
        by_x += weights[j] * (pp - pm) / sigma
        by_lw += weights[j] * half * (pp + pm) / sigma
        by_ls -= weights[j] * (zp * pp - zm * pm)
    line = math.exp(-0.5 * (x / glare_sigma) ** 2) if glare else 0.0
    light = a + b * t + depth * bar + shine * line
    slope = 1.0
    value = light
    if gamma != 1.0:
        safe = max(light, 1e-4)
        value = safe ** (1.0 / gamma)
        slope = value / safe / gamma
    out[0] = slope * depth * by_lw
    out[1] = slope * depth * by_ls
    out[2] = slope * (-depth * by_x + shine * line * x / glare_sigma**2)
    out[3] = slope
    out[4] = slope * t
    out[5] = slope * bar
    out[6] = slope * line
    return value


@numba.njit(cache=True, error_model="numpy")
def _fit(starts, t, y, n, lw, ls, gamma, ratios, weights, prior_mean, prior_weight, glare_width, max_iterations):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202, C901, PLR0912, PLR0915 - one compiled loop
    """Levenberg-Marquardt with the segments' own parameters eliminated."""
    n_segments = len(starts) - 1
    glare = glare_width > 0.0
    n_local = 5 if glare else 4
    theta = np.zeros((n_segments, 5))
    g = np.array([lw, ls])
    row = np.zeros(7)
    # Start of the linear parameters: least squares in linear light at the starting width.
    width, sigma = math.exp(lw), math.exp(ls)
    for s in range(n_segments):
        lhs, rhs = np.zeros((3, 3)), np.zeros(3)
        start = np.array([0.0, 0.0, 0.0, 1.0, 0.0])
        for i in range(starts[s], starts[s + 1]):
            _model(start, t[i], ratios, weights, 1.0, False, width, sigma, 1.0, row)
            light = max(y[i], 1e-4) ** gamma
            for p in range(3):
                rhs[p] += n[i] * row[3 + p] * light
                for q in range(3):
                    lhs[p, q] += n[i] * row[3 + p] * row[3 + q]
        for p in range(3):
            lhs[p, p] += 1e-9 * lhs[0, 0] + 1e-12
        solution = np.linalg.solve(lhs, rhs)
        theta[s, 1], theta[s, 2], theta[s, 3] = solution[0], solution[1], solution[2]
    damping = 1e-3
    n_free = max(len(t) - n_segments * n_local - 2, 1)
    noise2 = 1.0
    cost, final_cost = 1e300, 1e300
    converged = False
    h_gl = np.zeros((n_segments, 2, n_local))
    h_ll = np.zeros((n_segments, n_local, n_local))
    r_l = np.zeros((n_segments, n_local))
    u_g = np.zeros((n_segments, 2))
    trial_theta = theta.copy()
    trial_g = g.copy()
    first = True
    step_size = 1.0
    for iteration in range(max_iterations + 1):
        width, sigma = math.exp(trial_g[0]), math.exp(trial_g[1])
        glare_sigma = math.sqrt(sigma**2 + (glare_width * width) ** 2 / 12.0)
        th_gl = np.zeros((n_segments, 2, n_local))
        th_ll = np.zeros((n_segments, n_local, n_local))
        tr_l = np.zeros((n_segments, n_local))
        tu_g = np.zeros((n_segments, 2))
        t_gg = np.zeros((2, 2))
        new_cost, plain = 0.0, 0.0
        scale = math.sqrt(noise2)
        for s in range(n_segments):
            for i in range(starts[s], starts[s + 1]):
                value = _model(trial_theta[s], t[i], ratios, weights, gamma, glare, width, sigma, glare_sigma, row)
                r = y[i] - value
                z = abs(r) * math.sqrt(n[i]) / scale
                weight = n[i]
                if not first and z > HUBER:
                    weight = n[i] * HUBER / z
                    new_cost += noise2 * (2.0 * HUBER * z - HUBER * HUBER)
                else:
                    new_cost += n[i] * r * r
                plain += weight * r * r
                for p in range(2):
                    tu_g[s, p] += weight * row[p] * r
                    for q in range(2):
                        t_gg[p, q] += weight * row[p] * row[q]
                    for q in range(n_local):
                        th_gl[s, p, q] += weight * row[p] * row[2 + q]
                for p in range(n_local):
                    tr_l[s, p] += weight * row[2 + p] * r
                    for q in range(n_local):
                        th_ll[s, p, q] += weight * row[2 + p] * row[2 + q]
        prior_gap = prior_mean - trial_g[1]
        new_cost += noise2 * prior_weight * prior_gap * prior_gap
        accepted = new_cost <= cost or first
        if accepted:
            gain = (cost - new_cost) / max(new_cost, 1e-300)
            g, theta = trial_g.copy(), trial_theta.copy()
            h_gl, h_ll, r_l, u_g, h_gg = th_gl, th_ll, tr_l, tu_g, t_gg
            cost, final_cost = new_cost, new_cost
            damping = max(damping * 0.2, 1e-9)
            if first or iteration in {3, 8}:
                # The noise is learnt as the fit settles; the cost is then counted anew on that scale.
                noise2 = max(plain / n_free, 1e-12)
                cost = 1e300
                gain = 1.0
            first = False
            if iteration > 8 and 0.0 <= gain < 1e-6 and step_size < 1e-3:
                converged = True
                break
        else:
            damping = damping * 8.0
            if damping > 1e8:
                converged = True
                break
        # Schur complement for (log w, log sigma).
        lhs = h_gg.copy()
        rhs = np.zeros(2)
        lhs[1, 1] += noise2 * prior_weight
        rhs[1] += noise2 * prior_weight * (prior_mean - g[1])
        lhs[0, 0] *= 1.0 + damping
        lhs[1, 1] *= 1.0 + damping
        lhs[0, 0] += 1e-12
        lhs[1, 1] += 1e-12
        inverses = np.zeros((n_segments, n_local, n_local))
        for s in range(n_segments):
            damped = h_ll[s].copy()
            for p in range(n_local):
                damped[p, p] = damped[p, p] * (1.0 + damping) + 1e-12
            inverses[s] = np.linalg.inv(damped)
            to_local = h_gl[s] @ inverses[s]
            lhs -= to_local @ h_gl[s].T
            rhs += u_g[s] - to_local @ r_l[s]
        step = np.linalg.solve(lhs + 1e-12 * np.eye(2), rhs)
        step = np.minimum(np.maximum(step, -0.4), 0.4)
        step_size = max(abs(step[0]), abs(step[1]))
        trial_g = g + step
        trial_theta = theta.copy()
        for s in range(n_segments):
            local = inverses[s] @ (r_l[s] - h_gl[s].T @ step)
            local[0] = min(max(local[0], -1.0), 1.0)
            for p in range(n_local):
                trial_theta[s, p] += local[p]
        trial_g[0] = min(max(trial_g[0], -3.0), 6.0)
        trial_g[1] = min(max(trial_g[1], -2.0), 4.0)
    # Information and scatter at the end.
    information = h_gg.copy()
    meat = np.zeros((2, 2))
    for s in range(n_segments):
        regular = h_ll[s].copy()
        for p in range(n_local):
            regular[p, p] += 1e-12
        to_local = h_gl[s] @ np.linalg.inv(regular)
        information -= to_local @ h_gl[s].T
        score = u_g[s] - to_local @ r_l[s]
        meat += np.outer(score, score)
    information[1, 1] += noise2 * prior_weight
    meat[1, 1] += noise2 * noise2 * prior_weight
    inverse = np.linalg.inv(information + 1e-12 * np.eye(2))
    likelihood = len(t) * math.log(max(final_cost / len(t), 1e-12))
    noise2 = max(final_cost / n_free, 1e-12)
    return g, theta, noise2 * inverse, inverse @ meat @ inverse, likelihood, math.sqrt(noise2), converged
