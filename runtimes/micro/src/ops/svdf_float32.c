#include "kernel_svdf.h"

static opc_status set_up(opc_node *node, opc_svdf *s, float *lo, float *hi) {
    OPC_TRY(opc_svdf_fetch(node, s));
    if (s->w_feature.dtype != OPC_FLOAT32 || s->w_time.dtype != OPC_FLOAT32 || s->state.dtype != OPC_FLOAT32 ||
        s->y.dtype != OPC_FLOAT32 || (s->bias.dims != NULL && s->bias.dtype != OPC_FLOAT32)) {
        return OPC_FAIL(node, OPC_UNSUPPORTED, "all tensors must be float32");
    }
    return opc_float_activation_range(node, s->activation, lo, hi);
}

static opc_status prepare(opc_node *node) {
    opc_svdf s;
    float lo;
    float hi;
    return set_up(node, &s, &lo, &hi);
}

static float dot(const float *a, const float *b, uint32_t n) {
    float sum = 0.0f;
    for (uint32_t i = 0; i < n; i++) {
        sum += a[i] * b[i];
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
            state[f * s.memory + s.memory - 1U] = dot(opc_f32(&s.w_feature) + f * s.inputs, x, s.inputs);
        }
        const float *w = s.w_time.data;
        for (uint32_t u = 0; u < s.units; u++) {
            float sum = s.bias.data == NULL ? 0.0f : opc_f32(&s.bias)[u];
            for (uint32_t r = 0; r < s.rank; r++, w += s.memory, state += s.memory) {
                sum += dot(w, state, s.memory);
            }
            *y++ = opc_clamp_float(sum, lo, hi);
        }
    }
    return OPC_OK;
}

const opc_op opc_svdf_float32 = {
    .code = OPC_CODE_SVDF, .key = OPC_KEY_INPUT0, .types = OPC_BIT(OPC_FLOAT32), .prepare = prepare, .invoke = invoke};
