#include <string.h>

#include "kernel_panel.h"

#ifdef OPC_MVE

/* Weights lie as 16 taps of the first channel, of the second and so on, then the next 16 taps; 0 behind the end. */
enum { BLOCK = 16 };

uint32_t opc_panel_reads(const opc_panel_set *s) {
    return s->taps;
}

uint32_t opc_panel_bytes(const opc_panel_set *s) {
    return s->taps < (UINT32_C(1) << 27) ? (s->taps + BLOCK - 1) / BLOCK * BLOCK * OPC_LANES : UINT32_C(1) << 30;
}

static void pack_lane(const opc_panel_set *s, const int8_t *w, int8_t *to) {
    if (s->tap_step != 1) {
        for (uint32_t i = 0; i < s->taps; i++, w += s->tap_step) {
            to[i / BLOCK * BLOCK * OPC_LANES + i % BLOCK] = *w;
        }
        return;
    }
    for (int32_t left = (int32_t)s->taps; left > 0; left -= BLOCK, w += BLOCK, to += BLOCK * OPC_LANES) {
        vst1q_s8(to, vldrbq_z_s8(w, vctp8q((uint32_t)left)));
    }
}

static int32_t sum_of(const opc_panel_set *s, const int8_t *w) {
    int32_t sum = 0; /* at most 2^7 a weight, modulo 2^32 */
    for (uint32_t i = 0; i < s->taps; i += BLOCK, w += BLOCK * OPC_LANES) {
        sum = vaddvaq_s8(sum, vld1q_s8(w));
    }
    return sum;
}

void opc_panel_pack(const opc_panel_set *s, opc_panel *p, const int8_t *w, void *room, int32_t *offset) {
    int8_t *to = room;
    memset(room, 0, opc_panel_bytes(s));
    p->weights = room;
    p->next = 0;
    for (uint32_t k = 0; k < OPC_LANES; k++, to += BLOCK) {
        if (k < p->lanes) {
            pack_lane(s, w + k * s->channel_step, to);
        }
        offset[k] = opc_mul32(-s->zero_x, sum_of(s, to));
    }
}

/* The four sums of one position; |x * w| <= 2^14, modulo 2^32. The loop predicates the last taps by itself. */
OPC_INLINE int32x4_t dot(const int8_t *x, const int8_t *w, uint32_t taps) {
    int32x4_t acc;
    int32_t a = 0;
    int32_t b = 0;
    int32_t c = 0;
    int32_t d = 0;
    __asm__ volatile("dlstp.8 lr, %[n]\n\t"
                     "1:\n\t"
                     "vldrb.8 q0, [%[x]], #16\n\t"
                     "vldrb.8 q1, [%[w]], #16\n\t"
                     "vmladava.s8 %[a], q0, q1\n\t"
                     "vldrb.8 q2, [%[w]], #16\n\t"
                     "vmladava.s8 %[b], q0, q2\n\t"
                     "vldrb.8 q1, [%[w]], #16\n\t"
                     "vmladava.s8 %[c], q0, q1\n\t"
                     "vldrb.8 q2, [%[w]], #16\n\t"
                     "vmladava.s8 %[d], q0, q2\n\t"
                     "letp lr, 1b\n\t"
                     "vmov %q[v][2], %q[v][0], %[a], %[c]\n\t"
                     "vmov %q[v][3], %q[v][1], %[b], %[d]"
                     : [v] "=w"(acc), [a] "+Te"(a), [b] "+Te"(b), [c] "+Te"(c), [d] "+Te"(d), [x] "+r"(x), [w] "+r"(w)
                     : [n] "r"(taps)
                     : "q0", "q1", "q2", "lr", "cc", "memory");
    return acc;
}

void opc_panel_run(const opc_panel_set *s, const opc_panel *p, const int8_t *x, int8_t *y, uint32_t count) {
    const int8_t *const w = p->weights;
    const int32x4x4_t lane = vld4q_s32(&p->lane[0].base);
    const uint32_t taps = s->taps;
    const uint32_t in_step = s->in_step;
    const uint32_t out_step = s->out_step;
    const uint32_t lanes = p->lanes;
    const int32_t zero = s->zero_y;
    for (; count != 0; count--, x += in_step, y += out_step) {
        const int32x4_t out = vaddq_n_s32(opc_scale_four(dot(x, w, taps), lane), zero);
        const int16x8_t half = vqmovnbq_s32(vreinterpretq_s16_s32(out), out);
        const int8x16_t byte = vqmovnbq_s16(vreinterpretq_s8_s16(half), half);
        vstrbq_p_s32(y, vreinterpretq_s32_s8(byte), vctp32q(lanes));
    }
}

#else
typedef int opc_no_mve; /* C99 forbids an empty file */
#endif
