#include <string.h>

#include "kernel_cast.h"

/* The fraction is cut off. In integers, so that no image needs the conversions of libgcc; what does not fit in 64 bits
 * has no defined result, and gives some number. */
static uint64_t truncated(uint32_t bits) {
    const uint64_t mantissa = (bits & 0x7FFFFFU) | 0x800000U;
    const int32_t exponent = (int32_t)((bits >> 23) & 0xFFU) - 150; /* value = mantissa * 2^exponent */
    const uint64_t magnitude = exponent < -23 ? 0
                               : exponent < 0 ? mantissa >> (uint32_t)-exponent
                                              : mantissa << ((uint32_t)exponent & 63U);
    return bits >> 31 != 0 ? 0U - magnitude : magnitude;
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    OPC_TRY(opc_cast_fetch(node, &x, &y));
    for (uint32_t i = 0; i < x.elements; i++) {
        uint32_t bits;
        memcpy(&bits, opc_f32(&x) + i, sizeof bits);
        /* any number but the zeros is true, also below 1 */
        const bool as_it_is = y.dtype == OPC_BOOL || y.dtype == OPC_FLOAT32;
        opc_cast_store(&y, i, !as_it_is ? truncated(bits) : y.dtype == OPC_BOOL ? bits << 1 : bits);
    }
    return OPC_OK;
}

const opc_op opc_cast_float32 = {.code = OPC_CODE_CAST,
                                 .key = OPC_KEY_INPUT0,
                                 .flags = OPC_INPLACE_INPUT0,
                                 .types = OPC_BIT(OPC_FLOAT32),
                                 .prepare = opc_cast_prepare,
                                 .invoke = invoke};
