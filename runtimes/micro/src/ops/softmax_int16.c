#include "kernel_fixed.h"
#include "kernel_real.h"
#include "kernel_table.h"

/* exp over [-10, 0] is worth a table: every element reads two entries. 1 / (1 + x) is read once a row and computed. */

static float one_over_one_plus(float x) {
    return 1.0f / (1.0f + x);
}

static opc_status set_up(opc_node *node, opc_tensor *x, opc_tensor *y, opc_multiplier *m) {
    OPC_TRY(opc_fetch_unary(node, x, y));
    OPC_TRY(opc_need_quantized(node, x, y));
    OPC_TRY(opc_need_fixed_output(node, y, 1.0f / 32768.0f, 0));
    const float beta = opc_option_f32(node, 0, 0.0f);
    if (x->rank == 0 || opc_zero_point(x, 0) != 0 || !(beta >= 0.0f) || beta > 3.4028234e38f) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "needs rank at least 1, an input zero point of 0 and beta at least 0");
    }
    /* 10 / 65535 as a double: differences on the table's scale */
    *m = opc_multiplier_of_double((double)opc_scale(x, 0) * (double)beta / (10.0 / 65535.0));
    return OPC_OK;
}

static opc_status prepare(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    opc_multiplier m;
    OPC_TRY(set_up(node, &x, &y, &m));
    int16_t *table = opc_alloc(node, OPC_TABLE_ENTRIES * sizeof(int16_t));
    if (table == NULL) {
        return OPC_NO_MEMORY;
    }
    const opc_table_of t = opc_table_plan(opc_exp, 10.0f / 65535.0f, INT16_MAX, 2.0f / 65535.0f, 0);
    for (uint32_t i = 0; i < OPC_TABLE_ENTRIES; i++) {
        table[i] = opc_table_entry(&t, i);
    }
    return OPC_OK;
}

static int16_t saturate(int32_t x) {
    return (int16_t)opc_clamp(x, INT16_MIN, INT16_MAX);
}

static int16_t exponential(const int16_t *table, int32_t difference, opc_multiplier m) {
    const int16_t at = saturate(opc_add32(opc_mbqm_any(difference, m), INT16_MAX));
    const uint32_t i = opc_table_index(at);
    return opc_table_between(table[i], table[i + 1U], at);
}

/* 1 / sum of a sum in [1/2, 1) * 2^31 after normalisation, read as 1 / (1 + x). */
static int16_t reciprocal(uint32_t sum, int32_t zeros) {
    const opc_table_of t = opc_table_plan(one_over_one_plus, 1.0f / 65535.0f, INT16_MIN, 2.0f / 65535.0f, 0);
    const uint32_t shifted = (uint32_t)((((uint64_t)sum << (uint32_t)(zeros - 1)) + (1U << 13)) >> 14); /* < 2^18 */
    const int16_t at = saturate((int32_t)shifted - ((1 << 15) + (1 << 16)));
    const uint32_t i = opc_table_index(at);
    return opc_table_between(opc_table_entry(&t, i), opc_table_entry(&t, i + 1U), at);
}

static void run_row(const int16_t *table, const int16_t *x, int16_t *y, uint32_t depth, opc_multiplier m) {
    int32_t top = INT16_MIN;
    for (uint32_t c = 0; c < depth; c++) {
        top = x[c] > top ? x[c] : top;
    }
    uint32_t sum = 0; /* Q16.15, saturated above 65536 terms */
    for (uint32_t c = 0; c < depth; c++) {
        y[c] = exponential(table, x[c] - top, m);
        const uint32_t term = (uint32_t)(y[c] > 0 ? y[c] : 0);
        sum = sum > INT32_MAX - term ? INT32_MAX : sum + term;
    }
    const int32_t zeros = opc_leading_zeros(sum | 1U); /* >= 1, and 16 at most: the top's own term is 32767 */
    const int64_t factor = reciprocal(sum, zeros);
    const uint32_t right = (uint32_t)(31 - zeros);
    const int64_t half = (INT64_C(1) << right) >> 1;
    for (uint32_t c = 0; c < depth; c++) {
        y[c] = (int16_t)opc_clamp((int32_t)((y[c] * factor + half) >> right), 0, INT16_MAX);
    }
}

static opc_status invoke(opc_node *node) {
    opc_tensor x;
    opc_tensor y;
    opc_multiplier m;
    OPC_TRY(set_up(node, &x, &y, &m));
    const uint32_t depth = (uint32_t)x.dims[x.rank - 1];
    for (uint32_t at = 0; at < x.elements; at += depth) {
        run_row(opc_data(node), opc_i16(&x) + at, (int16_t *)y.data + at, depth, m);
    }
    return OPC_OK;
}

const opc_op opc_softmax_int16 = {.code = OPC_CODE_SOFTMAX,
                                  .key = OPC_KEY_INPUT0,
                                  .flags = OPC_INPLACE_INPUT0,
                                  .types = OPC_BIT(OPC_INT16),
                                  .prepare = prepare,
                                  .invoke = invoke};
