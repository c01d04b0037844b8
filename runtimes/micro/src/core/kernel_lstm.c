#include "kernel_lstm.h"

#include <string.h>

/* Positions of inputs; four of each for the gates. */
enum { X = 0, WEIGHTS = 1, RECURRENT = 5, PEEPHOLES = 9, BIASES = 12, PROJECTION = 16, H = 18, C = 19, NORMS = 20 };
/* UnidirectionalSequenceLSTMOptions */
enum { ACTIVATION = 0, TIME_MAJOR = 3, DIAGONAL = 5 };

static bool absent(const opc_node *node, uint32_t from, uint32_t to) {
    opc_tensor t;
    bool none = true;
    for (uint32_t i = from; i < to; i++) {
        none = none && !opc_input(node, i, &t);
    }
    return none;
}

static opc_status check_form(opc_node *node) {
    const uint32_t inputs = opc_input_count(node);
    if ((inputs != 20 && inputs != 24) || opc_output_count(node) != 1) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "needs 24 inputs (or 20, without norms) and one output");
    }
    if (absent(node, WEIGHTS, WEIGHTS + 1) || !absent(node, PEEPHOLES, BIASES) || !absent(node, PROJECTION, H) ||
        !absent(node, NORMS, inputs) || opc_option_u8(node, DIAGONAL, 0) != 0) {
        return OPC_FAIL(node, OPC_UNSUPPORTED,
                        "coupled gates, peepholes, projection, norms and diagonal recurrent weights");
    }
    return opc_option_u8(node, ACTIVATION, OPC_ACT_NONE) == OPC_ACT_TANH
               ? OPC_OK
               : OPC_FAIL(node, OPC_UNSUPPORTED, "an activation of the cell other than tanh");
}

/* The data of four neighbouring inputs [rows, columns], or [rows] when columns is -1. */
static bool take(const opc_node *node, uint32_t first, uint8_t dtype, uint32_t rows, int32_t columns,
                 const void **data) {
    bool fits = true;
    for (uint32_t i = 0; i < OPC_LSTM_GATES; i++) {
        opc_tensor t;
        fits = fits && opc_input(node, first + i, &t) && t.dtype == dtype && t.rank == (columns < 0 ? 1 : 2) &&
               (uint32_t)t.dims[0] == rows && (columns < 0 || t.dims[1] == columns);
        data[i] = fits ? t.data : NULL;
    }
    return fits;
}

static bool take_state(const opc_node *node, uint32_t i, uint8_t dtype, int32_t batches, uint32_t units, void **data) {
    opc_tensor t;
    const bool fits = opc_input(node, i, &t) && t.dtype == dtype && (t.flags & OPC_VARIABLE) != 0 && t.rank == 2 &&
                      t.dims[0] == batches && (uint32_t)t.dims[1] == units;
    *data = t.data;
    return fits;
}

static opc_status fetch(opc_node *node, opc_lstm *l, opc_lstm_types types, bool time_major, int32_t *batches) {
    opc_tensor x;
    opc_tensor y;
    const bool found = opc_input(node, X, &x) && opc_output(node, 0, &y);
    if (!found || x.dtype != types.io || y.dtype != types.io || x.rank != 3 || y.rank != 3 || x.dims[0] != y.dims[0] ||
        x.dims[1] != y.dims[1]) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input and output must be sequences of one dtype");
    }
    l->x = x.data;
    l->y = y.data;
    l->depth = (uint32_t)x.dims[2];
    l->units = (uint32_t)y.dims[2];
    l->places = y.elements == 0 ? 0 : (uint32_t)(x.dims[0] * x.dims[1]);
    l->repeat = time_major ? 1U : (uint32_t)x.dims[1];
    *batches = x.dims[time_major ? 1 : 0];
    return OPC_OK;
}

opc_status opc_lstm_start(opc_node *node, opc_lstm *l, opc_lstm_types types) {
    int32_t batches = 0;
    memset(l, 0, sizeof *l);
    OPC_TRY(check_form(node));
    OPC_TRY(fetch(node, l, types, opc_option_u8(node, TIME_MAJOR, 0) != 0, &batches));
    l->states = (uint32_t)batches * l->units;
    const bool parameters = take(node, WEIGHTS, types.weights, l->units, (int32_t)l->depth, l->weights) &&
                            take(node, RECURRENT, types.weights, l->units, (int32_t)l->units, l->recurrent) &&
                            take(node, BIASES, types.bias, l->units, -1, l->bias);
    if (!parameters) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "a gate's weights or bias are missing or do not fit");
    }
    const bool states = take_state(node, H, types.io, batches, l->units, &l->h) &&
                        take_state(node, C, types.cell, batches, l->units, &l->c);
    const float clip = opc_option_f32(node, 1, 0.0f);
    uint32_t bits;
    memcpy(&bits, &clip, sizeof bits);
    if (bits > 0x7F800000U && bits != 0x80000000U) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the cell's bound is negative or no number");
    }
    return states ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "output and cell state must be variables that fit");
}

void opc_lstm_next(opc_lstm *l, uint32_t width) {
    opc_copy((uint8_t *)l->h + l->state_at * width, (const uint8_t *)l->y + l->y_at * width, l->units, width);
    l->x_at += l->depth;
    l->y_at += l->units;
    l->run++;
    if (l->run == l->repeat) {
        l->run = 0;
        l->state_at += l->units;
        l->state_at = l->state_at == l->states ? 0 : l->state_at;
    }
}
