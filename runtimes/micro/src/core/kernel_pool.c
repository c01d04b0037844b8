#include "kernel_pool.h"

static opc_status fetch(opc_node *node, opc_pool *p) {
    OPC_TRY(opc_fetch(node, 1, &p->x, &p->y));
    OPC_TRY(opc_same_dtype(node, &p->x, &p->y));
    p->window.x.stride = opc_option_i32(node, 1, 0);
    p->window.y.stride = opc_option_i32(node, 2, 0);
    p->window.x.size = opc_option_i32(node, 3, 0);
    p->window.y.size = opc_option_i32(node, 4, 0);
    p->window.x.dilation = 1;
    p->window.y.dilation = 1;
    p->activation = opc_option_u8(node, 5, OPC_ACT_NONE);
    OPC_TRY(opc_window_plan(node, &p->x, &p->y, opc_option_u8(node, 0, OPC_PADDING_SAME), &p->window));
    p->channels = (uint32_t)p->x.dims[3];
    return p->x.dims[3] == p->y.dims[3] ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "numbers of channels differ");
}

opc_pool_taps opc_pool_position(const opc_pool *p, uint32_t i) {
    const uint32_t width = (uint32_t)p->window.x.output;
    const uint32_t height = (uint32_t)p->window.y.output;
    const uint32_t line = i / width;
    const opc_taps tx = opc_window_taps(&p->window.x, (int32_t)(i - line * width));
    const opc_taps ty = opc_window_taps(&p->window.y, (int32_t)(line % height));
    const uint32_t top = line / height * (uint32_t)p->window.y.input + (uint32_t)(ty.start + ty.first);
    opc_pool_taps t;
    t.row_step = (uint32_t)p->window.x.input * p->channels;
    t.at = top * t.row_step + (uint32_t)(tx.start + tx.first) * p->channels;
    t.first = 0;
    t.rows = (uint32_t)(ty.end - ty.first);
    t.columns = (uint32_t)(tx.end - tx.first);
    return t;
}

static opc_status fetch_integer(opc_node *node, opc_pool *p) {
    OPC_TRY(fetch(node, p));
    if (p->x.scale_count != 0 || p->y.scale_count != 0 || p->activation != OPC_ACT_NONE) {
        OPC_TRY(opc_need_quantized(node, &p->x, &p->y));
    }
    if (!opc_same_quantization(&p->x, &p->y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input and output must have the same quantization");
    }
    return opc_activation_range(node, &p->y, p->activation, &p->lo, &p->hi);
}

opc_status opc_pool_prepare(opc_node *node) {
    opc_pool p;
    return fetch_integer(node, &p);
}

opc_status opc_pool_invoke(opc_node *node, opc_pool_fold fold) {
    opc_pool p;
    OPC_TRY(fetch_integer(node, &p));
    for (uint32_t i = 0, at = 0; at < p.y.elements; i++, at += p.channels) {
        const opc_pool_taps t = opc_pool_position(&p, i);
        fold(&p, &t, at);
    }
    return OPC_OK;
}

static opc_status fetch_float(opc_node *node, opc_pool *p, float *lo, float *hi) {
    OPC_TRY(fetch(node, p));
    return opc_float_activation_range(node, p->activation, lo, hi);
}

opc_status opc_pool_float_prepare(opc_node *node) {
    opc_pool p;
    float lo;
    float hi;
    return fetch_float(node, &p, &lo, &hi);
}

opc_status opc_pool_float_invoke(opc_node *node, opc_pool_float_fold fold) {
    opc_pool p;
    float lo;
    float hi;
    OPC_TRY(fetch_float(node, &p, &lo, &hi));
    float *y = p.y.data;
    const uint32_t positions = p.channels == 0 ? 0 : p.y.elements / p.channels;
    for (uint32_t i = 0; i < positions; i++) {
        const opc_pool_taps t = opc_pool_position(&p, i);
        for (uint32_t c = 0; c < p.channels; c++) {
            *y++ = opc_clamp_float(fold(opc_f32(&p.x) + t.at + c, &t, p.channels), lo, hi);
        }
    }
    return OPC_OK;
}

int32_t opc_pool_mean(int32_t sum, uint32_t count) {
    const int32_t half = (int32_t)(count / 2);
    return opc_add32(sum, sum > 0 ? half : -half) / (int32_t)count;
}

void opc_pool_average(const opc_pool *p, const opc_pool_taps *t, uint32_t at) {
    for (uint32_t c = t->first; c < p->channels; c++) {
        int32_t sum = 0; /* modulo 2^32; |x| <= 2^15, so 2^16 taps are exact */
        for (uint32_t r = 0; r < t->rows; r++) {
            for (uint32_t k = 0; k < t->columns; k++) {
                sum = opc_add32(sum, opc_load_int(&p->x, t->at + r * t->row_step + k * p->channels + c));
            }
        }
        opc_store_int(&p->y, at + c, opc_clamp(opc_pool_mean(sum, t->rows * t->columns), p->lo, p->hi));
    }
}

void opc_pool_largest(const opc_pool *p, const opc_pool_taps *t, uint32_t at) {
    for (uint32_t c = t->first; c < p->channels; c++) {
        int32_t best = p->lo; /* the clamp's own */
        for (uint32_t r = 0; r < t->rows; r++) {
            for (uint32_t k = 0; k < t->columns; k++) {
                const int32_t value = opc_load_int(&p->x, t->at + r * t->row_step + k * p->channels + c);
                best = value > best ? value : best;
            }
        }
        opc_store_int(&p->y, at + c, best < p->hi ? best : p->hi);
    }
}
