/* The interior of the scheme by hand: relaxation, HLL fluxes with the coupled-spectrum bound, Euler update.
 * Same equations, layout and data types as validation_ch7/traffic/flow.py; roads are closed at both ends.
 * gcc -O3 -march=native -shared -fPIC -o loop.so loop.c -lm
 */
#include <stddef.h>

static inline double maximum(double a, double b) { return a > b ? a : b; }
static inline double minimum(double a, double b) { return a < b ? a : b; }

static void relax_and_wave(size_t n, const double *restrict a0, const double *restrict a1, double *restrict y0,
                           double *restrict y1, double *restrict v0, double *restrict v1, double *restrict low,
                           double *restrict high, const double *restrict p) {
    const double vmax0 = p[0], vmax1 = p[1], c0 = p[2], c1 = p[3], i0 = p[4], i1 = p[5], k0 = p[6], k1 = p[7];
    for (size_t j = 0; j < n; j++) {
        const double a = a0[j], b = a1[j], r = a + b, rr = r * r;
        double w0 = minimum(y0[j] / maximum(a, 1e-100), vmax0), w1 = minimum(y1[j] / maximum(b, 1e-100), vmax1);
        double u0 = maximum(w0 - c0 * rr, 0.0), u1 = maximum(w1 - c1 * rr, 0.0);
        w0 += k0 * (vmax0 * maximum(1.0 - r * i0, 0.0) - u0);
        w1 += k1 * (vmax1 * maximum(1.0 - r * i1, 0.0) - u1);
        y0[j] = a * w0;
        y1[j] = b * w1;
        u0 = maximum(w0 - c0 * rr, 0.0);
        u1 = maximum(w1 - c1 * rr, 0.0);
        const double s0 = a > 1e-9 ? u0 : u1, s1 = b > 1e-9 ? u1 : u0;
        v0[j] = s0;
        v1[j] = s1;
        low[j] = minimum(minimum(s0, s1) - 2.0 * r * (c0 * a + c1 * b), 0.0);
        high[j] = maximum(s0, s1);
    }
}

static void hll(size_t n, const double *restrict a0, const double *restrict a1, const double *restrict y0,
                const double *restrict y1, const double *restrict v0, const double *restrict v1,
                const double *restrict low, const double *restrict high, double *restrict f0, double *restrict f1,
                double *restrict f2, double *restrict f3) {
    for (size_t j = 1; j < n; j++) {
        const double left = minimum(low[j - 1], low[j]), right = maximum(high[j], 1e-9);
        const double scale = 1.0 / (right - left), from_left = right * scale, from_right = left * scale;
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
