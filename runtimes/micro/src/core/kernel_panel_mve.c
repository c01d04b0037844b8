#include <string.h>

#include "kernel_panel.h"

#ifdef OPC_MVE

/* Weights lie as 16 taps of the first channel, of the second and so on, then the next 16 taps; 0 behind each run. */
enum { BLOCK = 16 };

uint32_t opc_panel_reads(const opc_panel_set *s) {
    return s->run;
}

uint32_t opc_panel_bytes(const opc_panel_set *s) {
    const uint64_t bytes = ((uint64_t)s->run + BLOCK - 1) / BLOCK * BLOCK * OPC_LANES * s->runs;
    return bytes < (UINT32_C(1) << 30) ? (uint32_t)bytes : UINT32_C(1) << 30;
}

static void pack_run(const opc_panel_set *s, const int8_t *w, int8_t *to) {
    if (s->tap_step != 1) {
        for (uint32_t i = 0; i < s->run; i++, w += s->tap_step) {
            to[i / BLOCK * BLOCK * OPC_LANES + i % BLOCK] = *w;
        }
        return;
    }
    for (int32_t left = (int32_t)s->run; left > 0; left -= BLOCK, w += BLOCK, to += BLOCK * OPC_LANES) {
        vst1q_s8(to, vldrbq_z_s8(w, vctp8q((uint32_t)left)));
    }
}

void opc_panel_pack(const opc_panel_set *s, opc_panel *p, const int8_t *w, void *room, int32_t *offset) {
    const uint32_t bytes = opc_panel_bytes(s);
    int8_t *to = room;
    if (s->run % BLOCK != 0 || p->lanes < OPC_LANES) {
        memset(room, 0, bytes);
    }
    p->weights = room;
    for (uint32_t k = 0; k < OPC_LANES; k++, to += BLOCK) {
        int32_t sum = 0; /* at most 2^7 a weight, modulo 2^32 */
        for (uint32_t r = 0; k < p->lanes && r < s->runs; r++) {
            pack_run(s, w + k * s->channel_step + r * s->run * s->tap_step, to + r * (bytes / s->runs));
        }
        for (uint32_t i = 0; i < bytes; i += BLOCK * OPC_LANES) {
            sum = vaddvaq_s8(sum, vld1q_s8(to + i));
        }
        offset[k] = opc_mul32(-s->zero_x, sum);
    }
}

/* One run of one position: sums of products up to 2^14, modulo 2^32. The loop predicates the last taps by itself. */
#define RUN                                                                                                            \
    "dlstp.8 lr, %[n]\n\t"                                                                                             \
    "1:\n\t"                                                                                                           \
    "vldrb.8 q0, [%[x]], #16\n\t"                                                                                      \
    "vldrb.8 q1, [%[w]], #16\n\t"                                                                                      \
    "vmladava.s8 %[a], q0, q1\n\t"                                                                                     \
    "vldrb.8 q2, [%[w]], #16\n\t"                                                                                      \
    "vmladava.s8 %[b], q0, q2\n\t"                                                                                     \
    "vldrb.8 q1, [%[w]], #16\n\t"                                                                                      \
    "vmladava.s8 %[c], q0, q1\n\t"                                                                                     \
    "vldrb.8 q2, [%[w]], #16\n\t"                                                                                      \
    "vmladava.s8 %[d], q0, q2\n\t"                                                                                     \
    "letp lr, 1b\n\t"

/* The four sums of one position, scaled as opc_scale_four does, and clamped, to y[0 ... lanes). */
OPC_INLINE void run_position(const opc_panel_set *s, const int8_t *x, const int8_t *w, int32x4_t base,
                             int32x4_t mantissa, int32x4_t left, int32x4_t right, uint32_t lanes, int8_t *y) {
    int32_t a = 0;
    int32_t b = 0;
    int32_t c = 0;
    int32_t d = 0;
    const int8_t *in = x;
    uint32_t runs = s->runs;
    while (true) {
        __asm__ volatile(RUN
                         : [a] "+Te"(a), [b] "+Te"(b), [c] "+Te"(c), [d] "+Te"(d), [x] "+r"(in), [w] "+r"(w)
                         : [n] "r"(s->run)
                         : "q0", "q1", "q2", "lr", "cc", "memory");
        if (--runs == 0) {
            break;
        }
        x += s->run_step;
        in = x;
    }
    __asm__ volatile("vmov q0[2], q0[0], %[a], %[c]\n\t"
                     "vmov q0[3], q0[1], %[b], %[d]\n\t"
                     "vadd.i32 q0, q0, %q[base]\n\t"
                     "vshl.s32 q0, q0, %q[left]\n\t"
                     "vqrdmulh.s32 q0, q0, %q[mantissa]\n\t"
                     "vand q1, q0, %q[right]\n\t"
                     "vshr.s32 q1, q1, #31\n\t"
                     "vadd.i32 q0, q0, q1\n\t"
                     "vrshl.s32 q0, q0, %q[right]\n\t"
                     "vadd.i32 q0, q0, %[zero]\n\t"
                     "vqmovnb.s32 q0, q0\n\t"
                     "vqmovnb.s16 q0, q0\n\t"
                     "vctp.32 %[lanes]\n\t"
                     "vpst\n\t"
                     "vstrbt.32 q0, [%[y]]"
                     :
                     : [a] "r"(a), [b] "r"(b), [c] "r"(c), [d] "r"(d), [base] "w"(base), [mantissa] "w"(mantissa),
                       [left] "w"(left), [right] "w"(right), [zero] "r"(s->zero_y), [lanes] "r"(lanes), [y] "l"(y)
                     : "q0", "q1", "cc", "memory");
}

void opc_panel_run(const opc_panel_set *s, const opc_panel *p, uint32_t panels, const int8_t *x, int8_t *y,
                   uint32_t count) {
    for (; panels != 0; panels--, p++, y += OPC_LANES) {
        const int32x4x4_t lane = vld4q_s32(&p->lane[0].base);
        const int32x4_t base = lane.val[0];
        const int32x4_t mantissa = lane.val[1];
        const int32x4_t left = lane.val[2];
        const int32x4_t right = lane.val[3];
        const int8_t *in = x;
        int8_t *to = y;
        for (uint32_t rest = count; rest != 0; rest--) {
            run_position(s, in, p->weights, base, mantissa, left, right, p->lanes, to);
            in += s->in_step;
            to += s->out_step;
        }
    }
}

#else
typedef int opc_no_mve; /* C99 forbids an empty file */
#endif
