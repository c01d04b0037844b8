#include "kernel_runs.h"

#include <string.h>

void opc_for_runs(const opc_binary *t, opc_run_function f, const void *context) {
    opc_walk w;
    opc_run run = {.y = t->out.data, .context = context, .count = 1};
    const uint32_t width = opc_dtype_bytes(t->out.dtype);
    const uint32_t width_a = opc_dtype_bytes(t->in[0].dtype);
    const uint32_t width_b = opc_dtype_bytes(t->in[1].dtype);
    opc_walk_start(&w, &t->out, t->in, 2);
    if (w.rank > 0) { /* the walk goes on over the dimensions outside of a run */
        w.rank--;
        run.count = w.dims[w.rank];
        run.step_a = w.stride[0][w.rank];
        run.step_b = w.stride[1][w.rank];
    }
    for (uint32_t done = 0; done < t->out.elements; done += run.count, opc_walk_next(&w)) {
        run.a = opc_u8(&t->in[0]) + w.offset[0] * width_a;
        run.b = opc_u8(&t->in[1]) + w.offset[1] * width_b;
        f(&run);
        run.y = (uint8_t *)run.y + run.count * width;
    }
}

opc_status opc_pair_prepare(opc_node *node) {
    opc_binary t;
    opc_tensor first;
    const uint8_t dtype = opc_input(node, 0, &first) ? first.dtype : OPC_FLOAT32;
    return opc_binary_check(node, &t, dtype);
}

opc_status opc_pair(opc_node *node, opc_run_function f) {
    opc_binary t;
    (void)opc_binary_views(node, &t);
    opc_for_runs(&t, f, NULL);
    return OPC_OK;
}

opc_status opc_active_pair_prepare(opc_node *node) {
    OPC_TRY(opc_pair_prepare(node));
    return opc_option_u8(node, 0, OPC_ACT_NONE) <= OPC_ACT_RELU6 ? OPC_OK
                                                                 : OPC_FAIL(node, OPC_UNSUPPORTED, "fused activation");
}

opc_status opc_active_pair(opc_node *node, opc_run_function f) {
    opc_tensor y;
    OPC_TRY(opc_pair(node, f));
    (void)opc_output(node, 0, &y);
    opc_clamp_stored(&y, opc_option_u8(node, 0, OPC_ACT_NONE));
    return OPC_OK;
}

opc_status opc_refuse_zero(opc_node *node) {
    opc_tensor divisor;
    (void)opc_input(node, 1, &divisor);
    for (uint32_t i = 0; i < divisor.elements; i++) {
        if (opc_load_index(&divisor, i) == 0) {
            return OPC_FAIL(node, OPC_INVALID_INPUT, "division by zero");
        }
    }
    return OPC_OK;
}

opc_status opc_pair_divide_int(opc_node *node, int32_t (*f)(int32_t a, int32_t b)) {
    opc_binary t;
    opc_walk w;
    OPC_TRY(opc_refuse_zero(node));
    (void)opc_binary_views(node, &t);
    opc_walk_start(&w, &t.out, t.in, 2);
    for (uint32_t i = 0; i < t.out.elements; i++, opc_walk_next(&w)) {
        opc_store_int(&t.out, i, f(opc_load_int(&t.in[0], w.offset[0]), opc_load_int(&t.in[1], w.offset[1])));
    }
    return OPC_OK;
}

bool opc_pair_is_plain(const opc_node *node) {
    opc_binary t;
    return opc_binary_views(node, &t) && t.in[0].scale_count == 0 && t.in[1].scale_count == 0 && t.out.scale_count == 0;
}

uint32_t opc_order_int32(int32_t a, int32_t b) {
    return a < b ? OPC_LESS : a > b ? OPC_GREATER : OPC_EQUAL;
}

static uint32_t order_i8(const void *a, const void *b) {
    return opc_order_int32(*(const int8_t *)a, *(const int8_t *)b);
}
static uint32_t order_u8(const void *a, const void *b) {
    return opc_order_int32(*(const uint8_t *)a, *(const uint8_t *)b);
}
static uint32_t order_i16(const void *a, const void *b) {
    return opc_order_int32(*(const int16_t *)a, *(const int16_t *)b);
}
static uint32_t order_i32(const void *a, const void *b) {
    return opc_order_int32(*(const int32_t *)a, *(const int32_t *)b);
}
static uint32_t order_i64(const void *a, const void *b) {
    const int64_t left = *(const int64_t *)a;
    const int64_t right = *(const int64_t *)b;
    return left < right ? OPC_LESS : left > right ? OPC_GREATER : OPC_EQUAL;
}

/* Sign and magnitude as one integer, in which both zeros are 0. */
static int32_t float_key(int32_t bits) {
    return bits < 0 ? (int32_t)(0x80000000U - (uint32_t)bits) : bits;
}

static uint32_t order_f32(const void *a, const void *b) {
    const int32_t left = float_key(*(const int32_t *)a);
    const int32_t right = float_key(*(const int32_t *)b);
    const int32_t infinity = 0x7F800000;
    const bool number = left <= infinity && left >= -infinity && right <= infinity && right >= -infinity;
    return number ? opc_order_int32(left, right) : OPC_UNORDERED;
}

opc_order opc_order_of(uint8_t dtype) {
    switch (dtype) {
        case OPC_FLOAT32:
            return order_f32;
        case OPC_INT8:
            return order_i8;
        case OPC_UINT8:
        case OPC_BOOL:
            return order_u8;
        case OPC_INT16:
            return order_i16;
        case OPC_INT64:
            return order_i64;
        default:
            return order_i32;
    }
}

/* -1, 0, 1 or 6 in the dtype of a tensor, little end first; floats by their bits, so that integers need no conversion.
 */
static int64_t limit_of(uint8_t dtype, int32_t value) {
    if (dtype != OPC_FLOAT32 || value == 0) {
        return value;
    }
    const uint32_t bits = value == 6 ? 0x40C00000U : value == 1 ? 0x3F800000U : 0xBF800000U;
    return (int64_t)bits;
}

void opc_clamp_stored(const opc_tensor *y, uint8_t activation) {
    if (activation == OPC_ACT_NONE) {
        return;
    }
    const int64_t lo = limit_of(y->dtype, activation == OPC_ACT_RELU_N1_TO_1 ? -1 : 0);
    const int64_t hi = limit_of(y->dtype, activation == OPC_ACT_RELU_N1_TO_1 ? 1 : 6);
    const opc_order order = opc_order_of(y->dtype);
    const uint32_t width = opc_dtype_bytes(y->dtype);
    uint8_t *at = y->data;
    for (uint32_t i = 0; i < y->elements; i++, at += width) {
        if (order(at, &lo) == OPC_LESS) {
            memcpy(at, &lo, width);
        } else if (activation != OPC_ACT_RELU && order(at, &hi) == OPC_GREATER) {
            memcpy(at, &hi, width);
        }
    }
}
