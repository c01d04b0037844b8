#include "kernel_panel.h"

#include "kernel_simd.h"

#ifdef OPC_LONG

/* Two channels share a 64-bit sum: a weight word is w0 + w1 * 2^23, so x * word adds x * w0 to the lower 23 bits and
 * x * w1 above. |x * w| <= 2^14, so 255 taps keep the lower sum below 2^22, and a block has fewer. */
enum { BLOCK = 252 };

uint32_t opc_panel_bytes(uint32_t taps, uint32_t tap_step) {
    (void)tap_step;
    return taps < (UINT32_C(1) << 27) ? 8U * taps : UINT32_C(1) << 30;
}

void opc_panel_pack(const opc_panel_set *s, opc_panel *p, const int8_t *w, void *room, int32_t *sums) {
    int32_t *word = room;
    const int8_t *w1 = w + (p->lanes > 1 ? s->channel_step : 0);
    const int8_t *w2 = w + (p->lanes > 2 ? 2 * s->channel_step : 0);
    const int8_t *w3 = w + (p->lanes > 3 ? 3 * s->channel_step : 0);
    uint32_t sum[OPC_LANES] = {0, 0, 0, 0}; /* modulo 2^32 */
    p->weights = room;
    p->next = 0;
    for (uint32_t i = 0, at = 0; i < s->taps; i++, at += s->tap_step, word += 2) {
        word[0] = w[at] + w1[at] * (1 << 23);
        word[1] = w2[at] + w3[at] * (1 << 23);
        sum[0] += (uint32_t)(int32_t)w[at];
        sum[1] += (uint32_t)(int32_t)w1[at];
        sum[2] += (uint32_t)(int32_t)w2[at];
        sum[3] += (uint32_t)(int32_t)w3[at];
    }
    for (uint32_t k = 0; k < OPC_LANES; k++) {
        sums[k] = (int32_t)sum[k];
    }
}

/* Sums of a block of n taps, 0 < n <= BLOCK; *weights moves on. */
static inline const int8_t *block(const int8_t *x, const int32_t **weights, uint32_t n, int64_t *first,
                                  int64_t *second) {
    const int32_t *w = *weights;
    int64_t a = 0;
    int64_t b = 0;
    const int8_t *end = x + (n & ~3U);
    int32_t u;
    int32_t v;
    if (x != end) {
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
    }
    for (n &= 3U; n != 0; n--) {
        a += (int64_t)*x * *w++;
        b += (int64_t)*x++ * *w++;
    }
    *weights = w;
    *first = a;
    *second = b;
    return x;
}

/* The lower 23 bits with their sign, and what is above them. */
static inline void split(int64_t pair, int32_t *acc) {
    const int32_t low = (int32_t)((uint32_t)pair << 9) >> 9;
    acc[0] = opc_add32(acc[0], low);
    acc[1] = opc_add32(acc[1], (int32_t)((pair - low) >> 23));
}

static inline void dot(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int32_t *acc) {
    const int32_t *w = p->weights;
    for (uint32_t left = s->taps; left != 0;) {
        const uint32_t n = left < BLOCK ? left : BLOCK;
        int64_t a;
        int64_t b;
        x = block(x, &w, n, &a, &b);
        split(a, acc);
        split(b, acc + 2);
        left -= n;
    }
}

#else

/* Four rows of weights; where their taps are not neighbours they are copied together. */
uint32_t opc_panel_bytes(uint32_t taps, uint32_t tap_step) {
    return tap_step == 1 ? 0 : taps < (UINT32_C(1) << 27) ? (4U * taps + 7U) & ~7U : UINT32_C(1) << 30;
}

static int32_t sum_of(const int8_t *w, uint32_t n) {
    int32_t sum = 0; /* n < 2^30, modulo 2^32 */
    for (uint32_t i = 0; i < n; i++) {
        sum = opc_add32(sum, w[i]);
    }
    return sum;
}

void opc_panel_pack(const opc_panel_set *s, opc_panel *p, const int8_t *w, void *room, int32_t *sums) {
    p->weights = w;
    p->next = s->channel_step;
    if (s->tap_step != 1) {
        int8_t *to = room;
        for (uint32_t k = 0; k < p->lanes; k++) {
            for (uint32_t i = 0; i < s->taps; i++) {
                *to++ = w[k * s->channel_step + i * s->tap_step];
            }
        }
        p->weights = room;
        p->next = s->taps;
    }
    for (uint32_t k = 0; k < OPC_LANES; k++) {
        sums[k] = k < p->lanes ? sum_of((const int8_t *)p->weights + k * p->next, s->taps) : 0;
    }
}

#ifdef OPC_MVE

static inline void dot(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int32_t *acc) {
    const int8_t *w0 = p->weights;
    const int8_t *w1 = w0 + (p->lanes > 1 ? p->next : 0);
    const int8_t *w2 = w0 + (p->lanes > 2 ? 2 * p->next : 0);
    const int8_t *w3 = w0 + (p->lanes > 3 ? 3 * p->next : 0);
    __asm__ volatile("dlstp.8 lr, %[n]\n\t"
                     "1:\n\t"
                     "vldrb.8 q0, [%[x]], #16\n\t"
                     "vldrb.8 q1, [%[w0]], #16\n\t"
                     "vmladava.s8 %[a], q0, q1\n\t"
                     "vldrb.8 q2, [%[w1]], #16\n\t"
                     "vmladava.s8 %[b], q0, q2\n\t"
                     "vldrb.8 q3, [%[w2]], #16\n\t"
                     "vmladava.s8 %[c], q0, q3\n\t"
                     "vldrb.8 q1, [%[w3]], #16\n\t"
                     "vmladava.s8 %[d], q0, q1\n\t"
                     "letp lr, 1b"
                     : [a] "+Te"(acc[0]), [b] "+Te"(acc[1]), [c] "+Te"(acc[2]), [d] "+Te"(acc[3]), [x] "+r"(x),
                       [w0] "+r"(w0), [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3)
                     : [n] "r"(s->taps)
                     : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
}

#else

static inline void dot(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int32_t *acc) {
    const int8_t *w0 = p->weights;
    const int8_t *w1 = w0 + (p->lanes > 1 ? p->next : 0);
    const int8_t *w2 = w0 + (p->lanes > 2 ? 2 * p->next : 0);
    const int8_t *w3 = w0 + (p->lanes > 3 ? 3 * p->next : 0);
    uint32_t sum[OPC_LANES] = {(uint32_t)acc[0], (uint32_t)acc[1], (uint32_t)acc[2], (uint32_t)acc[3]};
    for (uint32_t i = 0; i < s->taps; i++) {
        const int32_t a = x[i];
        sum[0] += (uint32_t)(a * w0[i]);
        sum[1] += (uint32_t)(a * w1[i]);
        sum[2] += (uint32_t)(a * w2[i]);
        sum[3] += (uint32_t)(a * w3[i]);
    }
    for (uint32_t k = 0; k < OPC_LANES; k++) {
        acc[k] = (int32_t)sum[k];
    }
}

#endif
#endif

void opc_panel_run(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int8_t *y) {
    int32_t acc[OPC_LANES] = {p->lane[0].base, p->lane[1].base, p->lane[2].base, p->lane[3].base};
    dot(s, p, x, acc);
    for (uint32_t k = 0; k < p->lanes; k++) {
        const int32_t scaled = p->quick ? opc_scale_quick(acc[k], &p->lane[k]) : opc_scale_any(acc[k], &p->lane[k]);
        y[k] = (int8_t)opc_clamp_sum(scaled, s->zero_y, s->lo, s->hi);
    }
}
