#include "kernel_svdf.h"

/* Weights may be int8; they are converted as they are read. */
static bool weights_fit(const opc_tensor *w) {
    return w->dtype == OPC_FLOAT32 || (w->dtype == OPC_INT8 && opc_is_quantized(w) && opc_zero_point(w, 0) == 0);
}

static opc_status set_up(opc_node *node, opc_svdf *s, float *lo, float *hi) {
    OPC_TRY(opc_svdf_fetch(node, s));
    if (!weights_fit(&s->w_feature) || !weights_fit(&s->w_time) || s->state.dtype != OPC_FLOAT32 ||
        s->y.dtype != OPC_FLOAT32 || (s->bias.dims != NULL && s->bias.dtype != OPC_FLOAT32)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "tensors must be float32, weights float32 or quantized int8");
    }
    return opc_float_activation_range(node, s->activation, lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_svdf s;
    float lo;
    float hi;
    return set_up(node, &s, &lo, &hi);
}

/* Row `row` of n weights times x. */
static float dot(const opc_tensor *w, uint32_t row, const float *x, uint32_t n) {
    float sum = 0.0f;
    if (w->dtype == OPC_INT8) {
        for (uint32_t i = 0; i < n; i++) {
            sum += (float)opc_i8(w)[row * n + i] * x[i];
        }
        return sum * opc_scale(w, 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        sum += opc_f32(w)[row * n + i] * x[i];
    }
    return sum;
}

static opc_status invoke(opc_node *node) {
    opc_svdf s;
    float lo;
    float hi;
    OPC_TRY(set_up(node, &s, &lo, &hi));
    opc_svdf_shift(&s);
    float *state = s.state.data;
    float *y = s.y.data;
    for (uint32_t b = 0; b < s.batches; b++) {
        const float *x = opc_f32(&s.x) + b * s.inputs;
        for (uint32_t f = 0; f < s.filters; f++) {
            state[f * s.memory + s.memory - 1U] = dot(&s.w_feature, f, x, s.inputs);
        }
        for (uint32_t u = 0; u < s.units; u++) {
            float sum = s.bias.data == NULL ? 0.0f : opc_f32(&s.bias)[u];
            for (uint32_t r = 0; r < s.rank; r++, state += s.memory) {
                sum += dot(&s.w_time, u * s.rank + r, state, s.memory);
            }
            *y++ = opc_clamp_float(sum, lo, hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_svdf_float32 = {
    .code = OPC_CODE_SVDF, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_FLOAT32), .prepare = prepare, .invoke = invoke};
