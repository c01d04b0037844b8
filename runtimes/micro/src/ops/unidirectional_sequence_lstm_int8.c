#include "dense.h"
#include "kernel_lstm.h"

static const opc_lstm_types types = {OPC_INT8, OPC_INT8, OPC_INT32, OPC_INT16};

static void sums_of(const opc_lstm *l, const opc_lstm_integer *k, uint32_t gate, uint32_t unit, int32_t sums[2]) {
    const int8_t *w = (const int8_t *)l->weights[gate] + unit * l->depth;
    const int8_t *r = (const int8_t *)l->recurrent[gate] + unit * l->units;
    const int32_t bias = ((const int32_t *)l->bias[gate])[unit];
    const uint32_t of_x = opc_dense_dot8((const int8_t *)l->x + l->x_at, w, l->depth, k->zero_x);
    const uint32_t of_h = opc_dense_dot8((const int8_t *)l->h + l->state_at, r, l->units, k->zero_h);
    sums[0] = opc_mbqm(opc_add32((int32_t)of_x, bias), k->of_x[gate]);
    sums[1] = opc_mbqm((int32_t)of_h, k->of_h[gate]);
}

static opc_status prepare(opc_node *node) {
    return opc_lstm_integer_prepare(node, types);
}

static opc_status invoke(opc_node *node) {
    return opc_lstm_integer_invoke(node, types, sums_of);
}

const opc_op opc_unidirectional_sequence_lstm_int8 = {.code = OPC_CODE_UNIDIRECTIONAL_SEQUENCE_LSTM,
                                                      .key = OPC_KEY_INPUT0,
                                                      .flags = OPC_STARTS_ANEW,
                                                      .types = OPC_BIT(OPC_INT8),
                                                      .prepare = prepare,
                                                      .invoke = invoke};
