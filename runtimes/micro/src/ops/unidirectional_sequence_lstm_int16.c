#include "kernel_dot.h"
#include "kernel_lstm.h"

static const opc_lstm_types types = {OPC_INT16, OPC_INT8, OPC_INT64, OPC_INT16};

static void sums_of(const opc_lstm *l, const opc_lstm_integer *k, uint32_t gate, uint32_t unit, int32_t sums[2]) {
    const int8_t *w = (const int8_t *)l->weights[gate] + unit * l->depth;
    const int8_t *r = (const int8_t *)l->recurrent[gate] + unit * l->units;
    const int64_t bias = ((const int64_t *)l->bias[gate])[unit];
    const int64_t of_x = opc_add64(opc_dot_s16((const int16_t *)l->x + l->x_at, w, l->depth), bias);
    sums[0] = opc_mbqm64(of_x, k->of_x[gate]);
    sums[1] = opc_mbqm64(opc_dot_s16((const int16_t *)l->h + l->state_at, r, l->units), k->of_h[gate]);
}

static opc_status prepare(opc_node *node) {
    return opc_lstm_integer_prepare(node, types);
}

static opc_status invoke(opc_node *node) {
    return opc_lstm_integer_invoke(node, types, sums_of);
}

const opc_op opc_unidirectional_sequence_lstm_int16 = {.code = OPC_CODE_UNIDIRECTIONAL_SEQUENCE_LSTM,
                                                       .key = OPC_KEY_INPUT0,
                                                       .flags = OPC_STARTS_ANEW,
                                                       .types = OPC_BIT(OPC_INT16),
                                                       .prepare = prepare,
                                                       .invoke = invoke};
