/* FULLY_CONNECTED of float32 where the core has no floating-point unit. */
#include <string.h>

#include "dense.h"
#include "soft_dot.h"

#ifdef OPC_HAS_SOFT_DOT

enum { BLOCK = 16, UNITS = 8 };

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Take x apart; false when an infinity or a NaN is among it. */
static bool take_apart(const uint32_t *x, uint32_t n, opc_part *parts) {
    bool finite = true;
    for (uint32_t k = 0; k < n; k++) {
        parts[k] = opc_part_of(x[k]);
        finite = finite && !opc_part_is_special(parts[k]);
    }
    return finite;
}

/* Some units, that share the input taken apart, a block at a time. */
static void run_units(const opc_dense_float *m, const uint32_t *x, const uint32_t *w, opc_soft *sums, uint32_t units) {
    for (uint32_t left = m->depth; left != 0;) {
        opc_part parts[BLOCK];
        const uint32_t n = left < BLOCK ? left : BLOCK;
        const bool fast = take_apart(x, n, parts) && m->plain;
        const uint32_t *row = w;
        for (uint32_t u = 0; u < units; u++, row += m->depth) {
            if (fast) {
                opc_soft_add_all(&sums[u], parts, row, n);
                continue;
            }
            for (uint32_t k = 0; k < n; k++) {
                opc_soft_add(&sums[u], parts[k], opc_part_of(row[k]));
            }
        }
        x += n;
        w += n;
        left -= n;
    }
}

void opc_dense_rows32(const opc_dense_float *m, const float *w, const float *bias, const float *x, float *y) {
    const uint32_t *in = (const uint32_t *)(const void *)x;
    const uint32_t *rows = (const uint32_t *)(const void *)w;
    uint32_t *out = (uint32_t *)(void *)y;
    for (uint32_t u = 0; u < m->units; u += UNITS) {
        opc_soft sums[UNITS];
        const uint32_t n = m->units - u < UNITS ? m->units - u : UNITS;
        for (uint32_t i = 0; i < n; i++) {
            opc_soft_start(&sums[i], bias == NULL ? 0 : bits_of(bias[u + i]));
        }
        run_units(m, in, rows + u * m->depth, sums, n);
        for (uint32_t i = 0; i < n; i++) {
            *out++ = opc_soft_round(&sums[i]);
        }
    }
}

void opc_dense_rows32_int8(const opc_dense_float *m, const opc_tensor *w, const float *bias, const float *x, float *y) {
    const int8_t *row = w->data;
    const uint32_t *in = (const uint32_t *)(const void *)x;
    uint32_t *out = (uint32_t *)(void *)y;
    for (uint32_t u = 0; u < m->units; u++) {
        const int32_t zero = opc_zero_point(w, u);
        opc_soft sum;
        opc_soft_start(&sum, 0);
        for (uint32_t k = 0; k < m->depth; k++) {
            opc_soft_add(&sum, opc_part_of(in[k]), opc_part_of_int(*row++ - zero));
        }
        const opc_part product = opc_part_of(opc_soft_round(&sum));
        opc_soft_start(&sum, bias == NULL ? 0 : bits_of(bias[u]));
        opc_soft_add(&sum, product, opc_part_of(bits_of(opc_scale(w, u))));
        out[u] = opc_soft_round(&sum);
    }
}
#endif
