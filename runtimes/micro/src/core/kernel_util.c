#include "kernel_util.h"

#include <string.h>

opc_status opc_fetch(opc_node *node, uint32_t inputs, opc_tensor *in, opc_tensor *out) {
    if (opc_input_count(node) != inputs || opc_output_count(node) != 1 || !opc_output(node, 0, out)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "wrong number of inputs or outputs");
    }
    for (uint32_t i = 0; i < inputs; i++) {
        if (!opc_input(node, i, &in[i])) {
            return OPC_FAIL(node, OPC_INVALID_MODEL, "a required input is missing");
        }
    }
    return OPC_OK;
}

opc_status opc_same_dtype(opc_node *node, const opc_tensor *x, const opc_tensor *y) {
    return x->dtype == y->dtype ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "dtypes differ");
}

opc_status opc_fetch_unary(opc_node *node, opc_tensor *x, opc_tensor *y) {
    OPC_TRY(opc_fetch(node, 1, x, y));
    OPC_TRY(opc_same_dtype(node, x, y));
    return opc_same_shape(x, y) ? OPC_OK : OPC_FAIL(node, OPC_INVALID_MODEL, "shapes differ");
}

opc_status opc_need_quantized(opc_node *node, const opc_tensor *x, const opc_tensor *y) {
    return opc_is_quantized(x) && opc_is_quantized(y)
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "per-tensor quantization is missing or invalid");
}

opc_status opc_quantized_axis(opc_node *node, const opc_tensor *t, uint32_t *inner) {
    uint32_t axis;
    *inner = 0;
    if (t->scale_count <= 1) {
        return opc_need_quantized(node, t, t);
    }
    if (!opc_normal_axis(t->axis, t->rank, &axis) || (uint32_t)t->dims[axis] != t->scale_count) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "scales do not fit the quantized axis");
    }
    *inner = opc_product(t->dims, axis + 1, t->rank);
    return OPC_OK;
}

bool opc_same_quantization(const opc_tensor *a, const opc_tensor *b) {
    const float scales[2] = {opc_scale(a, 0), opc_scale(b, 0)};
    /* By their bits, without a subtraction in software: scales are finite and not negative. */
    return memcmp(&scales[0], &scales[1], sizeof scales[0]) == 0 && opc_zero_point(a, 0) == opc_zero_point(b, 0);
}

opc_status opc_need_fixed_output(opc_node *node, const opc_tensor *y, float scale, int32_t zero_point) {
    const float difference = opc_scale(y, 0) - scale;
    const float tolerance = scale * 0.001f;
    return difference <= tolerance && -difference <= tolerance && opc_zero_point(y, 0) == zero_point
               ? OPC_OK
               : OPC_FAIL(node, OPC_INVALID_MODEL, "the output's quantization is not the one this op fixes");
}

bool opc_normal_axis(int64_t axis, uint32_t rank, uint32_t *normal) {
    const int64_t from_start = axis < 0 ? axis + (int64_t)rank : axis;
    *normal = (uint32_t)from_start;
    return from_start >= 0 && from_start < (int64_t)rank;
}

uint32_t opc_product(const int32_t *dims, uint32_t from, uint32_t to) {
    uint64_t product = 1; /* < 2^30 * 2^31 at every step */
    for (uint32_t i = from; i < to; i++) {
        product *= (uint64_t)(uint32_t)dims[i];
        product = product > (1U << 30) ? 1U << 30 : product;
    }
    return (uint32_t)product;
}

bool opc_is_index_type(uint8_t dtype) {
    return dtype == OPC_INT32 || dtype == OPC_INT64 || dtype == OPC_INT16;
}

int64_t opc_load_index(const opc_tensor *t, uint32_t i) {
    return t->dtype == OPC_INT64 ? opc_i64(t)[i] : (int64_t)opc_load_int(t, i);
}

int32_t opc_load_size(const opc_tensor *t, uint32_t i) {
    const int32_t most = (1 << 30) - 1;
    const int64_t value = opc_load_index(t, i);
    return value > most ? most : value < ~most ? ~most : (int32_t)value;
}

void opc_store_index(const opc_tensor *t, uint32_t i, int64_t value) {
    if (t->dtype == OPC_INT64) {
        ((int64_t *)t->data)[i] = value;
    } else {
        opc_store_int(t, i, (int32_t)value);
    }
}

int32_t opc_load_int(const opc_tensor *t, uint32_t i) {
    switch (t->dtype) {
        case OPC_INT8:
            return opc_i8(t)[i];
        case OPC_UINT8:
        case OPC_BOOL:
            return opc_u8(t)[i];
        case OPC_INT16:
            return opc_i16(t)[i];
        default:
            return opc_i32(t)[i];
    }
}

void opc_store_int(const opc_tensor *t, uint32_t i, int32_t value) {
    switch (t->dtype) {
        case OPC_INT8:
        case OPC_UINT8:
            ((uint8_t *)t->data)[i] = (uint8_t)value;
            break;
        case OPC_INT16:
            ((int16_t *)t->data)[i] = (int16_t)value;
            break;
        default:
            ((int32_t *)t->data)[i] = value;
            break;
    }
}

int32_t opc_round(float x) {
    const float limit = 1073741824.0f;
    if (!(x > -limit)) {
        return x <= -limit ? -(1 << 30) : 0;
    }
    if (x >= limit) {
        return 1 << 30;
    }
    const int32_t whole = (int32_t)x;
    const float rest = x - (float)whole; /* exact: both have the same binade or x is an integer */
    return whole + (rest >= 0.5f ? 1 : rest <= -0.5f ? -1 : 0);
}

void opc_copy(void *to, const void *from, uint32_t count, uint32_t width) {
    uint8_t *target = to;
    const uint8_t *source = from;
    uint32_t bytes = count * width; /* <= 2^30 */
    const bool overtakes = (uintptr_t)target - (uintptr_t)source < bytes;
    /* Small C libraries copy bytes. */
    if (!overtakes && (((uintptr_t)target | (uintptr_t)source) & 3U) == 0) {
        for (; bytes >= 4; bytes -= 4, target += 4, source += 4) {
            *(uint32_t *)(void *)target = *(const uint32_t *)(const void *)source;
        }
    }
    if (bytes != 0) {
        memmove(target, source, bytes);
    }
}

void opc_pass(const opc_tensor *x, const opc_tensor *y) {
    if (x->data != y->data) {
        opc_copy(y->data, x->data, y->bytes, 1);
    }
}
