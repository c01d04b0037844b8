#include "kernel_curve.h"
#include <string.h>

#include "kernel_lstm.h"

/* Sums have 12 fractional bits, gates 15. */
#define SUM_QUANTUM (1.0f / 4096.0f)
#define GATE_QUANTUM (1.0f / 32768.0f)

/* The binary logarithm of the cell's quantum and 12 more: 2^(power - 12). False when it is no power of two, or one
 * that makes the cell saturate at less than 2^-16 or more than 2^15. */
static bool cell_power(float scale, int32_t *power) {
    const opc_multiplier m = opc_multiplier_of(scale, 1.0f, 1.0f, 0); /* exact: mantissa * 2^(shift - 31) */
    *power = m.shift - 1 + 12;
    return m.mantissa == 1 << 30 && *power >= -19 && *power <= 12;
}

/* clip / scale cut to a whole number of quanta; without a bound, or with one below a quantum, that of int16. */
static int32_t clip_of(float clip, float scale) {
    const opc_multiplier m = opc_multiplier_of(clip, 1.0f, scale, 0);
    const int32_t quanta = m.shift > 15 ? 32768 : m.shift <= 0 ? 0 : m.mantissa >> (31 - m.shift);
    return quanta == 0 ? 32768 : quanta;
}

static opc_status check_quantized(opc_node *node, const opc_tensor *x, const opc_tensor *h, const opc_tensor *y) {
    OPC_TRY(opc_need_quantized(node, x, h));
    if (!opc_same_quantization(h, y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "output and output state must have the same quantization");
    }
    return x->dtype != OPC_INT16 || (opc_zero_point(x, 0) == 0 && opc_zero_point(h, 0) == 0)
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
}

static opc_status factors(opc_node *node, opc_lstm_integer *k, const opc_tensor *x, const opc_tensor *h) {
    for (uint32_t gate = 0; gate < OPC_LSTM_GATES; gate++) {
        opc_tensor w;
        opc_tensor r;
        opc_input(node, 1U + gate, &w);
        opc_input(node, 5U + gate, &r);
        OPC_TRY(opc_need_quantized(node, &w, &r));
        if (opc_zero_point(&w, 0) != 0 || opc_zero_point(&r, 0) != 0) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "weights must have zero point 0");
        }
        k->of_x[gate] = opc_multiplier_of_rounded(opc_scale(&w, 0), opc_scale(x, 0), SUM_QUANTUM);
        k->of_h[gate] = opc_multiplier_of_rounded(opc_scale(&r, 0), opc_scale(h, 0), SUM_QUANTUM);
        if (k->of_x[gate].shift > 7 || k->of_h[gate].shift > 7) {
            return OPC_FAIL(node, OPC_UNSUPPORTED, "scales of a gate's weights too large");
        }
    }
    return OPC_OK;
}

opc_status opc_lstm_integer_prepare(opc_node *node, opc_lstm_types types) {
    opc_lstm l;
    opc_tensor x;
    opc_tensor h;
    opc_tensor c;
    opc_tensor y;
    OPC_TRY(opc_lstm_start(node, &l, types));
    opc_input(node, 0, &x);
    opc_input(node, 18, &h);
    opc_input(node, 19, &c);
    opc_output(node, 0, &y);
    OPC_TRY(check_quantized(node, &x, &h, &y));
    opc_lstm_integer *k = opc_alloc(node, sizeof *k);
    if (k == NULL) {
        return OPC_NO_MEMORY;
    }
    const float scale = opc_scale(&c, 0);
    if (!opc_is_quantized(&c) || opc_zero_point(&c, 0) != 0 || !cell_power(scale, &k->power)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "the quantum of the cell must be a power of two");
    }
    k->added = opc_multiplier_of(GATE_QUANTUM, GATE_QUANTUM, scale, 0);
    k->out = opc_multiplier_of(GATE_QUANTUM, GATE_QUANTUM, opc_scale(&h, 0), 0);
    k->clip = clip_of(opc_option_f32(node, 1, 0.0f), scale);
    k->zero_x = opc_zero_point(&x, 0);
    k->zero_h = opc_zero_point(&h, 0);
    opc_dtype_range(types.io, &k->lo, &k->hi);
    return factors(node, k, &x, &h);
}

static int32_t clamp16(int32_t x) {
    return opc_clamp(x, INT16_MIN, INT16_MAX);
}

/* c in steps of 1 / 12288, rounded half up. |place| < 2^30 */
static int32_t place_of_cell(int32_t c, int32_t power) {
    return power >= 0 ? opc_shift_left(3 * c, power) : (3 * c + (1 << (-power - 1))) >> -power;
}

/* One unit: c is updated, and the new output returned. */
static int32_t update(const opc_lstm_integer *k, const int32_t *z, int16_t *c) {
    const opc_multiplier of_gate = {1 << 30, -14};
    const int32_t i = opc_curve_logistic(3 * z[OPC_LSTM_I]);
    const int32_t f = opc_curve_logistic(3 * z[OPC_LSTM_F]);
    const int32_t g = opc_curve_tanh(3 * z[OPC_LSTM_G]);
    const int32_t o = opc_curve_logistic(3 * z[OPC_LSTM_O]);
    const int32_t kept = clamp16(opc_mbqm(f * *c, of_gate));
    const int32_t added = clamp16(opc_mbqm(i * g, k->added));
    *c = (int16_t)opc_clamp(clamp16(kept + added), -k->clip, k->clip);
    const int32_t seen = opc_curve_tanh(place_of_cell(*c, k->power));
    return opc_clamp_sum(opc_mbqm(o * seen, k->out), k->zero_h, k->lo, k->hi);
}

opc_status opc_lstm_integer_invoke(opc_node *node, opc_lstm_types types, opc_lstm_sums *sums) {
    opc_lstm l;
    opc_lstm_integer *k = opc_data(node);
    OPC_TRY(opc_lstm_start(node, &l, types));
    if (k->started == 0 && types.io == OPC_INT8) {
        memset(l.h, k->zero_h, l.states); /* int16 has no other zero point than 0 */
    }
    k->started = 1;
    for (; l.places != 0; l.places--, opc_lstm_next(&l, opc_dtype_bytes(types.io))) {
        for (uint32_t u = 0; u < l.units; u++) {
            int32_t z[OPC_LSTM_GATES];
            for (uint32_t gate = 0; gate < OPC_LSTM_GATES; gate++) {
                int32_t parts[2];
                sums(&l, k, gate, u, parts);
                z[gate] = clamp16(clamp16(parts[0]) + clamp16(parts[1]));
            }
            const int32_t value = update(k, z, (int16_t *)l.c + l.state_at + u);
            if (types.io == OPC_INT8) {
                ((int8_t *)l.y)[l.y_at + u] = (int8_t)value;
            } else {
                ((int16_t *)l.y)[l.y_at + u] = (int16_t)value;
            }
        }
    }
    return OPC_OK;
}
