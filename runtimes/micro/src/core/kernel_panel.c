#include "kernel_panel.h"

#include <string.h>

#ifdef OPC_LONG

/* Two channels share a 64-bit sum: a weight word is w0 + w1 * 2^23, so x * word adds x * w0 to the lower 23 bits and
 * x * w1 above. |x * w| <= 2^14, so up to 255 taps keep the lower sum below 2^22, and a block has at most 252. Sums
 * start at 2^22, so that the lower one is never negative; a panel's bases take that off again. */
enum { BLOCK = 252, START = 1 << 22 };

uint32_t opc_panel_reads(uint32_t taps) {
    return (taps + 3U) & ~3U;
}

uint32_t opc_panel_bytes(uint32_t taps, uint32_t tap_step) {
    (void)tap_step;
    return taps < (UINT32_C(1) << 27) ? 8U * opc_panel_reads(taps) : UINT32_C(1) << 30;
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
    memset(word, 0, (opc_panel_reads(s->taps) - s->taps) * 2 * sizeof *word);
    for (uint32_t k = 0; k < OPC_LANES; k++) {
        sums[k] = (int32_t)sum[k];
    }
}

/* One block of n taps, a multiple of 4 and 0 < n <= BLOCK; the lower sums are START too large. */
static inline const int32_t *block(const int8_t *x, const int32_t *w, uint32_t n, int32_t *acc) {
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
    acc[0] = (int32_t)((uint32_t)a & ((1U << 23) - 1U));
    acc[1] = (int32_t)(a >> 23);
    acc[2] = (int32_t)((uint32_t)b & ((1U << 23) - 1U));
    acc[3] = (int32_t)(b >> 23);
    return w;
}

static inline void dot(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int32_t *acc) {
    const uint32_t taps = opc_panel_reads(s->taps);
    const uint32_t first = taps < BLOCK ? taps : BLOCK;
    const int32_t *w = block(x, p->weights, first, acc);
    for (uint32_t done = first, n; done < taps; done += n) {
        int32_t more[OPC_LANES];
        n = taps - done < BLOCK ? taps - done : BLOCK;
        w = block(x + done, w, n, more);
        for (uint32_t k = 0; k < OPC_LANES; k++) {
            acc[k] = opc_add32(acc[k], more[k] - (k % 2 == 0 ? START : 0));
        }
    }
    acc[0] = opc_sub32(acc[0], START);
    acc[2] = opc_sub32(acc[2], START);
}

#else

uint32_t opc_panel_reads(uint32_t taps) {
    return taps;
}

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

#endif

#ifdef OPC_MVE

void opc_panel_run(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int8_t *y, uint32_t count) {
    const int8_t *const w = p->weights;
    const uint32_t next1 = p->lanes > 1 ? p->next : 0;
    const uint32_t next2 = p->lanes > 2 ? 2 * p->next : 0;
    const uint32_t next3 = p->lanes > 3 ? 3 * p->next : 0;
    const int32x4x4_t lane = vld4q_s32(&p->lane[0].base);
    const mve_pred16_t some = vctp32q(p->lanes);
    for (; count != 0; count--, x += s->in_step, y += s->out_step) {
        const int8_t *in = x;
        const int8_t *w0 = w;
        const int8_t *w1 = w + next1;
        const int8_t *w2 = w + next2;
        const int8_t *w3 = w + next3;
        int32_t a = 0;
        int32_t b = 0;
        int32_t c = 0;
        int32_t d = 0;
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
                         : [a] "+Te"(a), [b] "+Te"(b), [c] "+Te"(c), [d] "+Te"(d), [x] "+r"(in), [w0] "+r"(w0),
                           [w1] "+r"(w1), [w2] "+r"(w2), [w3] "+r"(w3)
                         : [n] "r"(s->taps)
                         : "q0", "q1", "q2", "q3", "lr", "cc", "memory");
        const int32x4_t acc = {a, b, c, d};
        int32x4_t out = vaddq_n_s32(opc_scale_four(acc, lane), s->zero_y);
        out = vmaxq_s32(vminq_s32(out, vdupq_n_s32(127)), vdupq_n_s32(-128));
        vstrbq_p_s32(y, out, some);
    }
}

#else

#ifndef OPC_LONG

static inline void dot(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int32_t *acc) {
    const int8_t *w0 = p->weights;
    const int8_t *w1 = w0 + (p->lanes > 1 ? p->next : 0);
    const int8_t *w2 = w0 + (p->lanes > 2 ? 2 * p->next : 0);
    const int8_t *w3 = w0 + (p->lanes > 3 ? 3 * p->next : 0);
    uint32_t sum[OPC_LANES] = {0, 0, 0, 0}; /* |x * w| <= 2^14, modulo 2^32 */
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

static void finish(const opc_panel_set *s, const opc_panel *p, const int32_t *acc, int8_t *y) {
    for (uint32_t k = 0; k < p->lanes; k++) {
        y[k] = (int8_t)opc_scale_any(acc[k], &p->lane[k], s->zero_y);
    }
}

void opc_panel_run(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int8_t *y, uint32_t count) {
    for (; count != 0; count--, x += s->in_step, y += s->out_step) {
        int32_t acc[OPC_LANES];
        dot(s, p, x, acc);
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
