#include <string.h>

#include "dense.h"
#include "kernel_svdf.h"

/* Weights of time and state are int16 or int8. The activation is what the output's range cuts off: RELU by a zero point
 * at its low end. */
typedef struct kept {
    opc_multiplier to_output; /* s_state * s_time / s_y, in float32 */
    uint32_t batches;
    uint32_t units;
    uint32_t rank;
    uint32_t memory;
    int16_t zero_state;
    int16_t zero_y;
    bool wide;      /* state and weights of time are int16 */
    opc_rows8 rows; /* features: s_x * s_feature / s_state, in float32; their sums with the state's zero point wrap */
} kept;

static bool dtypes_fit(const opc_svdf *s) {
    const bool narrow = s->state.dtype == OPC_INT8 || s->state.dtype == OPC_INT16;
    return narrow && s->w_time.dtype == s->state.dtype && s->w_feature.dtype == OPC_INT8 && s->y.dtype == OPC_INT8 &&
           (s->bias.dims == NULL || s->bias.dtype == OPC_INT32);
}

static opc_status factor(opc_node *node, float product, float divisor, opc_multiplier *m) {
    const float quotient = product / divisor;
    if (!(quotient < 3.4028234e38f)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "the scales' quotient overflows");
    }
    *m = opc_multiplier_of(quotient, 1.0f, 1.0f, 0);
    return OPC_OK;
}

static void keep(const opc_svdf *s, kept *k) {
    k->batches = s->batches;
    k->units = s->units;
    k->rank = s->rank;
    k->memory = s->memory;
    k->zero_state = (int16_t)opc_zero_point(&s->state, 0);
    k->zero_y = (int16_t)opc_zero_point(&s->y, 0);
    k->wide = s->state.dtype == OPC_INT16;
    k->rows.units = s->filters;
    k->rows.depth = s->inputs;
    k->rows.zero_x = (int16_t)opc_zero_point(&s->x, 0);
    k->rows.lo = INT8_MIN;
    k->rows.hi = INT8_MAX;
}

static opc_status prepare(opc_node *node) {
    opc_svdf s;
    OPC_TRY(opc_svdf_fetch(node, &s));
    if (!dtypes_fit(&s)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "this combination of dtypes is not supported");
    }
    if (s.activation != OPC_ACT_NONE && s.activation != OPC_ACT_RELU) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "fused activation");
    }
    OPC_TRY(opc_need_quantized(node, &s.x, &s.y));
    OPC_TRY(opc_need_quantized(node, &s.w_feature, &s.w_time));
    OPC_TRY(opc_need_quantized(node, &s.state, &s.state));
    kept *k = opc_alloc(node, (uint32_t)(sizeof *k + sizeof k->rows.factors[0]));
    if (k == NULL) {
        return OPC_NO_MEMORY;
    }
    keep(&s, k);
    opc_scratch(node, s.units * (uint32_t)sizeof(uint32_t) + s.filters);
    OPC_TRY(factor(node, opc_scale(&s.x, 0) * opc_scale(&s.w_feature, 0), opc_scale(&s.state, 0), k->rows.factors));
    return factor(node, opc_scale(&s.state, 0) * opc_scale(&s.w_time, 0), opc_scale(&s.y, 0), &k->to_output);
}

/* Forget the oldest of n > 0 bytes and append one. */
static void push8(int8_t *p, uint32_t n, uint32_t last) {
    volatile uint8_t *bytes = (uint8_t *)p; /* volatile, or the loop becomes a call of memmove for very few bytes */
    const volatile uint8_t *const end = bytes + n - 1U;
#if (defined(OPC_LONG) && defined(__ARM_FEATURE_DSP)) || defined(OPC_MVE)
    while (end - bytes >= 4) { /* a load of four bytes need not be aligned for this processor */
        uint32_t word;
        memcpy(&word, (const uint8_t *)bytes + 1, sizeof word);
        memcpy((uint8_t *)bytes, &word, sizeof word);
        bytes += 4;
    }
#endif
    for (; bytes != end; bytes++) {
        bytes[0] = bytes[1];
    }
    *bytes = (uint8_t)last;
}

#if defined(OPC_LONG) && !defined(__ARM_FEATURE_DSP)
#define PUSH_WORDS
/* Written out, since compilers add up products apart and then add them to the sum. */
static inline uint32_t mac(uint32_t sum, int32_t a, int32_t b) {
    uint32_t result;
    __asm("mla %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}
#endif

/* push8 and the sum of (state[i] - zero) * w[i]. */
static OPC_APART uint32_t push_dot8(int8_t *state, const int8_t *w, uint32_t n, int32_t zero, uint32_t last) {
#ifdef PUSH_WORDS
    if (n % 4 == 0) { /* from the end, so that what a word loses at its start is at hand for the word before it */
        int8_t *p = state + n;
        uint32_t sum = 0;
        uint32_t end = last << 24;
        w += n;
        do {
            uint32_t word;
            p -= 4;
            w -= 4;
            memcpy(&word, p, sizeof word);
            const uint32_t moved = word >> 8 | end;
            memcpy(p, &moved, sizeof moved);
            end = word << 24;
            sum = mac(sum, (int8_t)moved - zero, w[0]);
            sum = mac(sum, (int8_t)(moved >> 8) - zero, w[1]);
            sum = mac(sum, (int8_t)(moved >> 16) - zero, w[2]);
            sum = mac(sum, opc_shift_right((int32_t)moved, 24) - zero, w[3]);
        } while (p != state);
        return sum;
    }
#endif
    push8(state, n, last);
    return opc_dense_dot8(state, w, n, zero);
}

/* Weighed memories of all filters, each with its new feature, summed into units. Sums are modulo 2^32. */
static void weigh8(const kept *k, int8_t *state, const int8_t *w, const uint8_t *features, uint32_t *sums) {
    const uint32_t memory = k->memory;
    const int32_t zero = k->zero_state;
    uint32_t left = k->rank; /* of this unit's filters */
    for (const uint8_t *const end = features + k->rows.units; features != end; state += memory, w += memory) {
        *sums += push_dot8(state, w, memory, zero, (uint32_t)(*features++ + zero));
        if (--left == 0) {
            left = k->rank;
            sums++;
        }
    }
}

static void weigh16(const kept *k, int16_t *state, const int16_t *w, const int8_t *w_feature, const int8_t *x,
                    uint32_t *sums) {
    for (uint32_t f = 0; f < k->rows.units; f++, w_feature += k->rows.depth) {
        const int32_t sum = (int32_t)opc_dense_dot8(x, w_feature, k->rows.depth, k->rows.zero_x);
        const int32_t feature = opc_clamp(opc_mbqm(sum, k->rows.factors[0]), INT16_MIN, INT16_MAX);
        uint32_t *to = sums + f / k->rank;
        for (uint32_t i = 1; i <= k->memory; i++, state++) {
            *state = i < k->memory ? state[1] : (int16_t)(uint16_t)(feature + k->zero_state);
            *to += (uint32_t)opc_mul32(*w++, *state - k->zero_state);
        }
    }
}

static opc_status invoke(opc_node *node) {
    const kept *k = opc_data(node);
    const opc_rows8 out = {.zero_y = k->zero_y, .lo = INT8_MIN, .hi = INT8_MAX};
    const int8_t *x = opc_input_data(node, 0);
    const int8_t *w_feature = opc_input_data(node, 1);
    const void *w_time = opc_input_data(node, 2);
    const int32_t *bias = opc_input_data(node, 3);
    uint8_t *state = opc_input_data(node, 4);
    uint8_t *y = opc_output_data(node, 0);
    uint32_t *sums = opc_scratch_data(node);
    uint8_t *features = (uint8_t *)(sums + k->units);
    const uint32_t states = k->rows.units * k->memory;
    if (k->units == 0) {
        return OPC_OK;
    }
    for (uint32_t b = 0; b < k->batches; b++, x += k->rows.depth, y += k->units) {
        const int32_t *from = bias;
        for (uint32_t *to = sums; (void *)to != features; to++) {
            *to = from == NULL ? 0U : (uint32_t)*from++;
        }
        if (k->wide) {
            weigh16(k, (int16_t *)(void *)state + b * states, w_time, w_feature, x, sums);
        } else {
            opc_dense_rows8(&k->rows, w_feature, NULL, x, features);
            weigh8(k, (int8_t *)state + b * states, w_time, features, sums);
        }
        opc_dense_finish8(&out, &k->to_output, sums, k->units, y);
    }
    return OPC_OK;
}

const opc_op opc_svdf_int8 = {
    .code = OPC_CODE_SVDF, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_INT8), .prepare = prepare, .invoke = invoke};
