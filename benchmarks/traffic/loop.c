/* The interior of the scheme by hand: relaxation, HLL fluxes with the coupled-spectrum bound, Euler update.
 * Same equations and data types as validation_ch7/traffic/flow.py, one road after another; closed at both ends.
 * gcc -O3 -march=native -shared -fPIC -o loop.so loop.c -lm
 */
#include <stddef.h>

static inline double maximum(double a, double b) { return a > b ? a : b; }
static inline double minimum(double a, double b) { return a < b ? a : b; }

static void relax_and_wave(size_t n, const double *restrict a0, const double *restrict a1, double *restrict y0,
                           double *restrict y1, double *restrict v0, double *restrict v1, double *restrict low,
                           double *restrict high, const double *restrict p) {
    const double vmax0 = p[0], vmax1 = p[1], c0 = p[2], c1 = p[3], keep0 = 1.0 - p[6], keep1 = 1.0 - p[7];
    const double gain0 = p[6] * vmax0, gain1 = p[7] * vmax1, fall0 = gain0 * p[4], fall1 = gain1 * p[5];
    const double twice0 = c0 + c0, twice1 = c1 + c1;
    for (size_t j = 0; j < n; j++) {
        const double a = a0[j], b = a1[j], r = a + b, rr = r * r, p0 = c0 * rr, p1 = c1 * rr;
        double z0 = minimum(y0[j] / maximum(a, 1e-100), vmax0) - p0;
        double z1 = minimum(y1[j] / maximum(b, 1e-100), vmax1) - p1;
        z0 = minimum(z0, keep0 * z0) + maximum(gain0 - r * fall0, 0.0);
        z1 = minimum(z1, keep1 * z1) + maximum(gain1 - r * fall1, 0.0);
        const double u0 = maximum(z0, 0.0), u1 = maximum(z1, 0.0);
        const double s0 = a > 1e-9 ? u0 : u1, s1 = b > 1e-9 ? u1 : u0;
        y0[j] = a * (p0 + z0);
        y1[j] = b * (p1 + z1);
        v0[j] = s0;
        v1[j] = s1;
        low[j] = minimum(minimum(s0, s1) - r * (twice0 * a + twice1 * b), 0.0);
        high[j] = maximum(maximum(s0, s1), 1e-9);
    }
}

static void hll(size_t n, const double *restrict a0, const double *restrict a1, const double *restrict y0,
                const double *restrict y1, const double *restrict v0, const double *restrict v1,
                const double *restrict low, const double *restrict high, double *restrict f0, double *restrict f1,
                double *restrict f2, double *restrict f3) {
    for (size_t j = 1; j < n; j++) {
        const double left = minimum(low[j - 1], low[j]), right = high[j];
        const double from_left = right / (right - left), from_right = from_left - 1.0;
        double up = from_left * (v0[j - 1] - left), down = from_right * (right - v0[j]);
        f0[j] = up * a0[j - 1] + down * a0[j];
        f2[j] = up * y0[j - 1] + down * y0[j];
        up = from_left * (v1[j - 1] - left);
        down = from_right * (right - v1[j]);
        f1[j] = up * a1[j - 1] + down * a1[j];
        f3[j] = up * y1[j - 1] + down * y1[j];
    }
}

static void update(size_t n, double *restrict x, const double *restrict f, const double *restrict rate) {
    for (size_t j = 0; j < n; j++) {
        const double value = x[j] + rate[j] * (f[j] - f[j + 1]);
        x[j] = value > 1e-100 ? value : 0.0;
    }
}

/* Advance x (4 x n) by `steps` time steps; work holds 4 n + 4 (n + 1) doubles. */
void advance(size_t n, size_t steps, double *x, double *work, const double *rate, const double *physics,
             const long *ends, size_t count) {
    double *a0 = x, *a1 = x + n, *y0 = x + 2 * n, *y1 = x + 3 * n;
    double *v0 = work, *v1 = work + n, *low = work + 2 * n, *high = work + 3 * n, *f = work + 4 * n;
    for (size_t s = 0; s < steps; s++) {
        relax_and_wave(n, a0, a1, y0, y1, v0, v1, low, high, physics);
        hll(n, a0, a1, y0, y1, v0, v1, low, high, f, f + (n + 1), f + 2 * (n + 1), f + 3 * (n + 1));
        for (size_t k = 0; k < 4; k++) {
            for (size_t e = 0; e < count; e++) f[k * (n + 1) + ends[e]] = 0.0;
            update(n, x + k * n, f + k * (n + 1), rate);
        }
    }
}
