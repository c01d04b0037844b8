#include "kernel_squash.h"

static opc_status fetch8(opc_node *node, const opc_squash8 *s, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    OPC_TRY(opc_need_quantized(node, x, y));
    return opc_need_fixed_output(node, y, s->output_scale, s->output_zero + (y->dtype == OPC_UINT8 ? 128 : 0));
}

opc_status opc_squash8_prepare(opc_node *node, const opc_squash8 *s) {
    opc_tensor x;
    opc_tensor y;
    return fetch8(node, s, &x, &y);
}

opc_status opc_squash8_invoke(opc_node *node, const opc_squash8 *s) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(fetch8(node, s, &x, &y));
    const opc_multiplier m = opc_multiplier_of(opc_scale(&x, 0), 1.0f, 1.0f, 27);
    const int32_t radius = opc_fx_radius(4, m.shift);
    const int32_t zero = opc_zero_8(&x);
    const uint8_t flip = opc_flip(&x);
    const uint8_t *in = x.data;
    uint8_t *out = y.data;
    for (uint32_t i = 0; i < x.elements; i++) {
        const int32_t value = opc_read_8(in + i, flip) - zero;
        int32_t result = value <= -radius ? INT8_MIN : INT8_MAX;
        if (value > -radius && value < radius) {
            const int32_t q = opc_rdbpot(s->function(opc_mbqm(value, m)), 31 - s->output_bits);
            result = opc_clamp(q + s->output_zero, INT8_MIN, INT8_MAX);
        }
        out[i] = opc_byte_8(result, flip);
    }
    return OPC_OK;
}

/* x in [1 - 0.0001, 1 + 0.0001] * 2^power? A power of two is recognised when its logarithm is off by less than 0.001.
 */
static bool is_power_of_two(float x, int32_t power) {
    const float expected = power >= 0 ? (float)(1 << power) : 1.0f / (float)(1 << -power);
    return x > expected * 0.99930709f && x < expected * 1.00069339f; /* 2^-0.001, 2^0.001 */
}

opc_status opc_squash16_fetch(opc_node *node, opc_squash16 *s, int32_t largest_pot) {
    OPC_TRY(opc_fetch_unary(node, &s->x, &s->y));
    OPC_TRY(opc_need_quantized(node, &s->x, &s->y));
    if (opc_zero_point(&s->x, 0) != 0 || opc_zero_point(&s->y, 0) != 0 || !is_power_of_two(opc_scale(&s->y, 0), -15)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "int16 needs zero points 0 and an output scale of 1/32768");
    }
    const float scale = opc_scale(&s->x, 0);
    s->shift = 0;
    for (int32_t pot = 0; pot <= largest_pot; pot++) {
        if (is_power_of_two(scale, pot - 12)) {
            s->mantissa = 3 << pot;
            return OPC_OK;
        }
    }
    /* v = 3 * 2^12 * scale, in steps of 1/24 * 2^-9, is exact here: 26 significant bits. It is doubled until it exceeds
     * 16383.5, at most 31 times, and its fraction is cut off. */
    const opc_multiplier v = opc_multiplier_of(scale, 3.0f, 1.0f, 12);
    const int32_t doublings = 15 - v.shift - (v.mantissa > 32767 << 16 ? 1 : 0);
    s->shift = doublings < 0 ? 0 : doublings > 31 ? 31 : doublings;
    const int32_t cut = 31 - v.shift - s->shift;
    /* 2^18 saturates every input but 0 */
    s->mantissa = cut > 31 ? 0 : cut < 13 ? 1 << 18 : v.mantissa >> cut;
    return OPC_OK;
}

int32_t opc_squash16_input(const opc_squash16 *s, uint32_t i) {
    const int64_t half = (INT64_C(1) << s->shift) >> 1;
    const int64_t scaled = (opc_i16(&s->x)[i] * (int64_t)s->mantissa + half) >> s->shift; /* < 2^33 */
    return scaled > (1 << 24) ? 1 << 24 : scaled < -(1 << 24) ? -(1 << 24) : (int32_t)scaled;
}
