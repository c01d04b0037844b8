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

typedef struct row_sums {
    uint32_t a;
    uint32_t b;
    uint32_t c;
    uint32_t d;
} row_sums;

/* One run of n inputs; |x * w| <= 2^14, modulo 2^32. The rows of the other channels are `one`, `two` and `three` bytes
 * behind w. Returns w behind the run. */
#ifdef OPC_SMALL

OPC_INLINE const int8_t *add_run(row_sums *s, const int8_t *x, const int8_t *w, uint32_t n, uint32_t step, uint32_t one,
                                 uint32_t two, uint32_t three) {
    /* Five pointers and offsets and two values leave no low register: sums, step and end are in the others. */
    uint32_t high[6] = {s->a, s->b, s->c, s->d, step, (uint32_t)(uintptr_t)(x + n)};
    uint32_t u;
    uint32_t v = (uint32_t)(uintptr_t)high;
    __asm__ volatile(".syntax unified\n\t"
                     "push {%[v]}\n\t"
                     "ldr %[u], [%[v]]\n\t"
                     "mov r8, %[u]\n\t"
                     "ldr %[u], [%[v], #4]\n\t"
                     "mov r9, %[u]\n\t"
                     "ldr %[u], [%[v], #8]\n\t"
                     "mov r10, %[u]\n\t"
                     "ldr %[u], [%[v], #12]\n\t"
                     "mov r11, %[u]\n\t"
                     "ldr %[u], [%[v], #16]\n\t"
                     "mov r12, %[u]\n\t"
                     "ldr %[u], [%[v], #20]\n\t"
                     "mov lr, %[u]\n\t"
                     "1:\n\t"
                     "ldrb %[u], [%[x]]\n\t"
                     "ldrb %[v], [%[w]]\n\t"
                     "sxtb %[u], %[u]\n\t"
                     "sxtb %[v], %[v]\n\t"
                     "muls %[v], %[u], %[v]\n\t"
                     "add r8, r8, %[v]\n\t"
                     "ldrsb %[v], [%[w], %[one]]\n\t"
                     "muls %[v], %[u], %[v]\n\t"
                     "add r9, r9, %[v]\n\t"
                     "ldrsb %[v], [%[w], %[two]]\n\t"
                     "muls %[v], %[u], %[v]\n\t"
                     "add r10, r10, %[v]\n\t"
                     "ldrsb %[v], [%[w], %[three]]\n\t"
                     "muls %[v], %[u], %[v]\n\t"
                     "add r11, r11, %[v]\n\t"
                     "adds %[x], %[x], #1\n\t"
                     "add %[w], %[w], r12\n\t"
                     "cmp %[x], lr\n\t"
                     "bne 1b\n\t"
                     "pop {%[v]}\n\t"
                     "mov %[u], r8\n\t"
                     "str %[u], [%[v]]\n\t"
                     "mov %[u], r9\n\t"
                     "str %[u], [%[v], #4]\n\t"
                     "mov %[u], r10\n\t"
                     "str %[u], [%[v], #8]\n\t"
                     "mov %[u], r11\n\t"
                     "str %[u], [%[v], #12]"
                     : [x] "+l"(x), [w] "+l"(w), [u] "=&l"(u), [v] "+l"(v)
                     : [one] "l"(one), [two] "l"(two), [three] "l"(three)
                     : "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory");
    s->a = high[0];
    s->b = high[1];
    s->c = high[2];
    s->d = high[3];
    return w;
}

#else

OPC_INLINE const int8_t *add_run(row_sums *s, const int8_t *x, const int8_t *w, uint32_t n, uint32_t step, uint32_t one,
                                 uint32_t two, uint32_t three) {
    const int8_t *const end = x + n;
    for (; x != end; x++, w += step) {
        const int32_t u = *x;
        s->a += (uint32_t)(u * *w);
        s->b += (uint32_t)(u * w[one]);
        s->c += (uint32_t)(u * w[two]);
        s->d += (uint32_t)(u * w[three]);
    }
    return w;
}

#endif

static OPC_APART void rows_dot(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int32_t *acc) {
    const int8_t *w = p->weights;
    const uint32_t one = p->lanes > 1 ? s->channel_step : 0;
    const uint32_t two = p->lanes > 2 ? 2 * s->channel_step : 0;
    const uint32_t three = p->lanes > 3 ? 3 * s->channel_step : 0;
    row_sums sums = {0, 0, 0, 0};
    for (uint32_t r = s->runs; r != 0; r--, x += s->run_step) {
        w = add_run(&sums, x, w, s->run, s->tap_step, one, two, three);
    }
    acc[0] = (int32_t)sums.a;
    acc[1] = (int32_t)sums.b;
    acc[2] = (int32_t)sums.c;
    acc[3] = (int32_t)sums.d;
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
