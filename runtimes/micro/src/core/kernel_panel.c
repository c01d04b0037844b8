#include "kernel_panel.h"

#ifndef OPC_MVE

/* --- rows: the weights of each channel where they are ----------------------------------------------------- */

static void rows_pack(const opc_panel_set *s, opc_panel *p, const int8_t *w, int32_t *offset) {
    const uint32_t taps = s->run * s->runs;
    p->weights = w;
    for (uint32_t k = 0; k < OPC_LANES; k++) {
        int32_t sum = 0; /* modulo 2^32 */
        for (uint32_t i = 0, at = k * s->channel_step; k < p->lanes && i < taps; i++, at += s->tap_step) {
            sum = opc_add32(sum, w[at]);
        }
        offset[k] = opc_mul32(-s->zero_x, sum);
    }
}

static OPC_APART void rows_dot(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int32_t *acc) {
    const uint32_t step = s->tap_step;
    const int8_t *w0 = p->weights;
    const int8_t *w1 = w0 + (p->lanes > 1 ? s->channel_step : 0);
    const int8_t *w2 = w0 + (p->lanes > 2 ? 2 * s->channel_step : 0);
    const int8_t *w3 = w0 + (p->lanes > 3 ? 3 * s->channel_step : 0);
    uint32_t sum0 = 0; /* |x * w| <= 2^14, modulo 2^32 */
    uint32_t sum1 = 0;
    uint32_t sum2 = 0;
    uint32_t sum3 = 0;
    uint32_t at = 0;
    for (uint32_t r = s->runs; r != 0; r--, x += s->run_step) {
        for (uint32_t i = 0; i < s->run; i++, at += step) {
            const int32_t a = x[i];
            sum0 += (uint32_t)(a * w0[at]);
            sum1 += (uint32_t)(a * w1[at]);
            sum2 += (uint32_t)(a * w2[at]);
            sum3 += (uint32_t)(a * w3[at]);
        }
    }
    acc[0] = (int32_t)sum0;
    acc[1] = (int32_t)sum1;
    acc[2] = (int32_t)sum2;
    acc[3] = (int32_t)sum3;
}

#ifdef OPC_LONG

/* --- words: two channels in one sum ----------------------------------------------------------------------- */

/* A weight word is w0 + w1 * 2^23, so x * word adds x * w0 to the lower 23 bits of a 64-bit sum and x * w1 above.
 * |x * w| <= 2^14, so up to 255 taps keep the lower sum below 2^22, and a block has at most 252. Sums start at 2^22, so
 * that the lower one is never negative; the panel's offsets take that off again. */
enum { BLOCK = 252, START = 1 << 22 };

uint32_t opc_panel_reads(const opc_panel_set *s) {
    return s->narrow ? s->run : (s->run + 3U) & ~3U;
}

uint32_t opc_panel_bytes(const opc_panel_set *s) {
    const uint64_t wide = 8 * (uint64_t)opc_panel_reads(s) * s->runs;
    const uint32_t bytes = wide < (UINT32_C(1) << 30) ? (uint32_t)wide : UINT32_C(1) << 30;
    return s->narrow ? 0 : bytes;
}

typedef struct pointers {
    const int8_t *w[OPC_LANES];
} pointers;

/* One run; the sums of the weights go on. */
static int32_t *words_pack(const opc_panel_set *s, pointers *p, int32_t *word, uint32_t *sum) {
    const int8_t *w0 = p->w[0];
    const int8_t *w1 = p->w[1];
    const int8_t *w2 = p->w[2];
    const int8_t *w3 = p->w[3];
    const uint32_t run = s->run;
    const uint32_t step = s->tap_step;
    uint32_t at = 0;
    for (uint32_t i = 0; i < run; i++, at += step) {
        const int32_t a = w0[at];
        const int32_t b = w1[at];
        const int32_t c = w2[at];
        const int32_t d = w3[at];
        *word++ = a + b * (1 << 23);
        *word++ = c + d * (1 << 23);
        sum[0] += (uint32_t)a; /* modulo 2^32 */
        sum[1] += (uint32_t)b;
        sum[2] += (uint32_t)c;
        sum[3] += (uint32_t)d;
    }
    for (uint32_t k = 0; k < OPC_LANES; k++) {
        p->w[k] += at;
    }
    for (uint32_t i = 2 * (opc_panel_reads(s) - run); i != 0; i--) {
        *word++ = 0;
    }
    return word;
}

void opc_panel_pack(const opc_panel_set *s, opc_panel *p, const int8_t *w, void *room, int32_t *offset) {
    if (s->narrow) {
        rows_pack(s, p, w, offset);
        return;
    }
    pointers from;
    for (uint32_t k = 0; k < OPC_LANES; k++) {
        from.w[k] = w + (k < p->lanes ? k * s->channel_step : 0);
    }
    uint32_t sum[OPC_LANES] = {0, 0, 0, 0};
    int32_t *word = room;
    p->weights = room;
    for (uint32_t r = 0; r < s->runs; r++) {
        word = words_pack(s, &from, word, sum);
    }
    const uint32_t started = (opc_panel_reads(s) + BLOCK - 1) / BLOCK * s->runs * START;
    for (uint32_t k = 0; k < OPC_LANES; k++) {
        offset[k] = (int32_t)(0U - (uint32_t)s->zero_x * sum[k] - (k % 2 == 0 ? started : 0U));
    }
}

/* One block of n taps, a multiple of 4 and 0 < n <= BLOCK; the lower sums are START too large. */
OPC_INLINE const int32_t *block(const int8_t *x, const int32_t *w, uint32_t n, int32_t *acc) {
    int64_t a = START;
    int64_t b = START;
    const int8_t *end = x + n;
    int32_t u;
    int32_t v;
    __asm__ volatile("1:\n\t"
                     "ldm %[w]!, {r8, r9, r10, r11}\n\t"
                     "ldrsb %[u], [%[x]], #1\n\t"
                     "ldrsb %[v], [%[x]], #1\n\t"
                     "smlal %Q[a], %R[a], r8, %[u]\n\t"
                     "smlal %Q[b], %R[b], r9, %[u]\n\t"
                     "smlal %Q[a], %R[a], r10, %[v]\n\t"
                     "smlal %Q[b], %R[b], r11, %[v]\n\t"
                     "ldm %[w]!, {r8, r9, r10, r11}\n\t"
                     "ldrsb %[u], [%[x]], #1\n\t"
                     "ldrsb %[v], [%[x]], #1\n\t"
                     "smlal %Q[a], %R[a], r8, %[u]\n\t"
                     "smlal %Q[b], %R[b], r9, %[u]\n\t"
                     "smlal %Q[a], %R[a], r10, %[v]\n\t"
                     "smlal %Q[b], %R[b], r11, %[v]\n\t"
                     "cmp %[x], %[end]\n\t"
                     "bne 1b"
                     : [a] "+r"(a), [b] "+r"(b), [x] "+r"(x), [w] "+r"(w), [u] "=&r"(u), [v] "=&r"(v)
                     : [end] "r"(end)
                     : "r8", "r9", "r10", "r11", "cc", "memory");
    acc[0] = opc_add32(acc[0], (int32_t)((uint32_t)a & ((1U << 23) - 1U)));
    acc[1] = opc_add32(acc[1], (int32_t)(a >> 23));
    acc[2] = opc_add32(acc[2], (int32_t)((uint32_t)b & ((1U << 23) - 1U)));
    acc[3] = opc_add32(acc[3], (int32_t)(b >> 23));
    return w;
}

OPC_INLINE void words_dot(const opc_panel_set *s, const opc_panel *p, const int8_t *x, uint32_t reads, int32_t *acc) {
    const int32_t *w = p->weights;
    acc[0] = 0;
    acc[1] = 0;
    acc[2] = 0;
    acc[3] = 0;
    for (uint32_t r = s->runs; r != 0; r--, x += s->run_step) {
        uint32_t done = 0;
        do {
            const uint32_t left = reads - done;
            const uint32_t n = left < BLOCK ? left : BLOCK;
            w = block(x + done, w, n, acc);
            done += n;
        } while (done != reads);
    }
}

#else

uint32_t opc_panel_reads(const opc_panel_set *s) {
    return s->run;
}

uint32_t opc_panel_bytes(const opc_panel_set *s) {
    (void)s;
    return 0;
}

void opc_panel_pack(const opc_panel_set *s, opc_panel *p, const int8_t *w, void *room, int32_t *offset) {
    (void)room;
    rows_pack(s, p, w, offset);
}

#endif

static OPC_APART void finish(const opc_panel_set *s, const opc_panel *p, const int32_t *acc, int8_t *y) {
    for (uint32_t k = 0; k < p->lanes; k++) {
        y[k] = (int8_t)opc_scale_any(acc[k], &p->lane[k], s->zero_y);
    }
}

static OPC_APART void rows_run(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int8_t *y, uint32_t count) {
    for (; count != 0; count--, x += s->in_step, y += s->out_step) {
        int32_t acc[OPC_LANES];
        rows_dot(s, p, x, acc);
        finish(s, p, acc, y);
    }
}

#ifdef OPC_LONG

static OPC_APART void words_run(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int8_t *y,
                                uint32_t count) {
    const uint32_t reads = opc_panel_reads(s);
    for (; count != 0; count--, x += s->in_step, y += s->out_step) {
        int32_t acc[OPC_LANES];
        words_dot(s, p, x, reads, acc);
        if (p->quick) {
            y[0] = (int8_t)opc_scale_quick(acc[0], &p->lane[0]);
            y[1] = (int8_t)opc_scale_quick(acc[1], &p->lane[1]);
            y[2] = (int8_t)opc_scale_quick(acc[2], &p->lane[2]);
            y[3] = (int8_t)opc_scale_quick(acc[3], &p->lane[3]);
        } else {
            const int32_t all[OPC_LANES] = {acc[0], acc[1], acc[2], acc[3]};
            finish(s, p, all, y);
        }
    }
}

#endif

void opc_panel_run(const opc_panel_set *s, const opc_panel *p, uint32_t panels, const int8_t *x, int8_t *y,
                   uint32_t count) {
    for (; panels != 0; panels--, p++, y += OPC_LANES) {
#ifdef OPC_LONG
        if (!s->narrow) {
            words_run(s, p, x, y, count);
            continue;
        }
#endif
        rows_run(s, p, x, y, count);
    }
}

#else
typedef int opc_no_panel; /* C99 forbids an empty file */
#endif
