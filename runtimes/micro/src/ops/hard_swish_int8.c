#include "kernel_fixed.h"
#include "kernel_util.h"

typedef struct swish {
    opc_tensor x;
    opc_tensor y;
    opc_multiplier output; /* mantissas of 16 bits */
    opc_multiplier reluish;
} swish;

/* The 31-bit mantissa rounded to 15 bits. */
static opc_multiplier narrow(opc_multiplier m) {
    m.mantissa = m.mantissa >= INT32_MAX - (1 << 15) ? INT16_MAX : (m.mantissa + (1 << 15)) >> 16;
    return m;
}

static opc_status set_up(opc_node *node, swish *s) {
    OPC_TRY(opc_fetch_unary(node, &s->x, &s->y));
    OPC_TRY(opc_need_quantized(node, &s->x, &s->y));
    /* All quotients in float32, as the reference computes them. */
    const float fine = 0.0078125f * opc_scale(&s->x, 0);
    s->output = narrow(opc_multiplier_of(fine / opc_scale(&s->y, 0), 1.0f, 1.0f, 0));
    s->reluish = narrow(opc_multiplier_of(fine / (3.0f / 32768.0f), 1.0f, 1.0f, 0));
    return s->output.shift <= 0 ? OPC_OK : OPC_FAIL(node, OPC_UNSUPPORTED, "output scale too small beside the input's");
}

static int16_t saturate(int32_t x) {
    return (int16_t)opc_clamp(x, INT16_MIN, INT16_MAX);
}

/* relu6(x + 3) / 6 of an input on the fine scale, as Q0.15. */
static int32_t gate(int16_t fine, opc_multiplier m) {
    const int32_t shift = m.shift > 15 ? 15 : m.shift; /* 15 bits saturate everything but 0 */
    int16_t value = shift > 0 ? saturate(fine * (1 << (shift - 1))) : fine;
    value = opc_srdhm16(value, (int16_t)m.mantissa);
    if (shift > 0) {
        value = saturate(value * 2);
    } else if (shift < 0) {
        value = (int16_t)opc_rdbpot(value, -shift);
    }
    return (value + (1 << 15)) >> 1;
}

static int32_t hard_swish(int32_t difference, const swish *s) {
    const int16_t fine = (int16_t)(difference * 128); /* |difference| <= 255 */
    const int32_t scaled = opc_srdhm16(fine, (int16_t)s->output.mantissa);
    /* gate is in [0, 2^15); the product is cut towards zero */
    return opc_rdbpot(gate(fine, s->reluish) * scaled / (1 << 15), -s->output.shift);
}

static opc_status prepare(opc_node *node) {
    swish s;
    return set_up(node, &s);
}

static opc_status invoke(opc_node *node) {
    swish s;
    OPC_TRY(set_up(node, &s));
    const int32_t zero_x = opc_zero_8(&s.x);
    const int32_t zero_y = opc_zero_8(&s.y);
    const uint8_t flip = opc_flip(&s.x);
    for (uint32_t i = 0; i < s.x.elements; i++) {
        const int32_t value = hard_swish(opc_read_8(opc_u8(&s.x) + i, flip) - zero_x, &s);
        ((uint8_t *)s.y.data)[i] = opc_byte_8(opc_clamp(value + zero_y, INT8_MIN, INT8_MAX), flip);
    }
    return OPC_OK;
}

const opc_op opc_hard_swish_int8 = {.code = OPC_CODE_HARD_SWISH,
                                    .key = OPC_KEY_INPUT0,
                                    .flags = OPC_INPLACE_INPUT0,
                                    .types = OPC_BIT(OPC_INT8) | OPC_BIT(OPC_UINT8),
                                    .prepare = prepare,
                                    .invoke = invoke};
