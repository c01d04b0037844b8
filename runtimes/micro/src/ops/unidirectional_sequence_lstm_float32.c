#include <math.h>

#include "fixedpoint.h"
#include "kernel_lstm.h"
#include "kernel_real.h"

static const opc_lstm_types types = {OPC_FLOAT32, OPC_FLOAT32, OPC_FLOAT32, OPC_FLOAT32};

static opc_status prepare(opc_node *node) {
    opc_lstm l;
    return opc_lstm_start(node, &l, types);
}

static float dot(const float *x, const float *w, uint32_t n, float sum) {
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i] * w[i];
    }
    return sum;
}

static float weighed(const opc_lstm *l, uint32_t gate, uint32_t u) {
    const float *w = (const float *)l->weights[gate] + u * l->depth;
    const float *r = (const float *)l->recurrent[gate] + u * l->units;
    const float sum = dot((const float *)l->x + l->x_at, w, l->depth, ((const float *)l->bias[gate])[u]);
    return dot((const float *)l->h + l->state_at, r, l->units, sum);
}

/* exp(-x) overflows to infinity where the result is 0. */
static float logistic(float x) {
    return 1.0f / (1.0f + opc_exp(-x));
}

static opc_status invoke(opc_node *node) {
    opc_lstm l;
    OPC_TRY(opc_lstm_start(node, &l, types));
    const float clip = opc_option_f32(node, 1, 0.0f);
    const float bound = clip > 0.0f ? clip : HUGE_VALF;
    for (; l.places != 0; l.places--, opc_lstm_next(&l, sizeof(float))) {
        for (uint32_t u = 0; u < l.units; u++) {
            float *c = (float *)l.c + l.state_at + u;
            const float kept = logistic(weighed(&l, OPC_LSTM_F, u)) * *c;
            const float added = logistic(weighed(&l, OPC_LSTM_I, u)) * opc_tanh(weighed(&l, OPC_LSTM_G, u));
            *c = opc_clamp_float(kept + added, -bound, bound);
            ((float *)l.y)[l.y_at + u] = logistic(weighed(&l, OPC_LSTM_O, u)) * opc_tanh(*c);
        }
    }
    return OPC_OK;
}

const opc_op opc_unidirectional_sequence_lstm_float32 = {.code = OPC_CODE_UNIDIRECTIONAL_SEQUENCE_LSTM,
                                                         .key = OPC_KEY_INPUT0,
                                                         .types = OPC_BIT(OPC_FLOAT32),
                                                         .prepare = prepare,
                                                         .invoke = invoke};
