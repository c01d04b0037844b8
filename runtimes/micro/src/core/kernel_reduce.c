#include "kernel_reduce.h"

#include "fixedpoint.h"
#include "kernel_fixed.h"

opc_status opc_reduction_start(opc_node *node, opc_reduction *r) {
    uint32_t axes;
    OPC_TRY(opc_fetch(node, 2, r->in, &r->y));
    OPC_TRY(opc_same_dtype(node, &r->in[0], &r->y));
    OPC_TRY(opc_reduced_axes(node, &r->in[0], &r->in[1], &r->y, opc_option_u8(node, 0, 0) != 0, &axes));
    opc_odometer_start(&r->out, &r->in[0], ~axes);
    opc_odometer_start(&r->over, &r->in[0], axes);
    r->count = r->over.count;
    r->rows = r->count;
    r->run = 1;
    r->step = 0;
    if (r->over.rank > 0 && r->count != 0) {
        /* The innermost dimension is walked by the caller: to the odometer it has one place. */
        r->run = r->over.dims[0];
        r->step = r->over.strides[0];
        r->rows = r->count / r->run;
        r->over.dims[0] = 1;
    }
    return OPC_OK;
}

opc_status opc_reduction_prepare(opc_node *node) {
    opc_reduction r;
    return opc_reduction_start(node, &r);
}

opc_status opc_reduce_float(opc_node *node, bool mean) {
    opc_reduction r;
    OPC_TRY(opc_reduction_start(node, &r));
    for (uint32_t i = 0; i < r.y.elements; i++, opc_odometer_next(&r.out)) {
        float sum = 0;
        for (uint32_t k = 0; k < r.rows; k++, opc_odometer_next(&r.over)) {
            const float *x = opc_f32(&r.in[0]) + r.out.offset + r.over.offset;
            for (uint32_t n = r.run; n != 0; n--, x += r.step) {
                sum += *x;
            }
        }
        ((float *)r.y.data)[i] = mean && r.count != 0 ? sum / (float)r.count : sum;
    }
    return OPC_OK;
}

opc_status opc_reduce_whole(opc_node *node, int64_t (*finish)(int64_t sum, uint32_t count)) {
    opc_reduction r;
    OPC_TRY(opc_reduction_start(node, &r));
    for (uint32_t i = 0; i < r.y.elements; i++, opc_odometer_next(&r.out)) {
        int64_t sum = 0;
        for (uint32_t k = 0; k < r.rows; k++, opc_odometer_next(&r.over)) {
            uint32_t at = r.out.offset + r.over.offset;
            for (uint32_t n = r.run; n != 0; n--, at += r.step) {
                sum = opc_add64(sum, opc_load_index(&r.in[0], at));
            }
        }
        sum = finish != NULL ? finish(sum, r.count) : sum;
        if (r.y.dtype == OPC_INT64) {
            ((int64_t *)r.y.data)[i] = sum;
        } else {
            ((int32_t *)r.y.data)[i] = (int32_t)(uint32_t)sum;
        }
    }
    return OPC_OK;
}

static opc_status start_quantized(opc_node *node, opc_reduction *r) {
    OPC_TRY(opc_reduction_start(node, r));
    OPC_TRY(opc_need_quantized(node, &r->in[0], &r->y));
    if (r->y.dtype == OPC_INT16 && (opc_zero_point(&r->in[0], 0) != 0 || opc_zero_point(&r->y, 0) != 0)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "zero points of int16 must be 0");
    }
    return OPC_OK;
}

opc_status opc_reduce_quantized_prepare(opc_node *node) {
    opc_reduction r;
    return start_quantized(node, &r);
}

/* A factor / count. The division is done on the mantissa, shifted up by as much as fits, at some loss of precision. */
static opc_multiplier divided(opc_multiplier m, uint32_t count) {
    int32_t shift = 31 - opc_leading_zeros(count);
    shift = shift > 31 + m.shift ? 31 + m.shift : shift; /* >= 0, as m.shift >= -31 */
    m.mantissa = (int32_t)(((int64_t)m.mantissa << shift) / count);
    m.shift -= shift;
    return m;
}

/* Modulo 2^32. */
static int32_t sum_run(const opc_tensor *x, uint32_t at, uint32_t run, uint32_t step) {
    uint32_t sum = 0;
    if (x->dtype == OPC_INT16) {
        for (const int16_t *p = opc_i16(x) + at; run != 0; run--, p += step) {
            const int32_t value = *p;
            sum += (uint32_t)value;
        }
        return (int32_t)sum;
    }
    /* A uint8 is read as the int8 that it is 128 above. */
    const uint8_t flip = opc_flip(x);
    const uint32_t count = run;
    for (const uint8_t *p = opc_u8(x) + at; run != 0; run--, p += step) {
        sum += (uint32_t)opc_read_8(p, flip);
    }
    return (int32_t)(sum + count * flip);
}

opc_status opc_reduce_quantized(opc_node *node, bool mean) {
    opc_reduction r;
    int32_t lo;
    int32_t hi;
    OPC_TRY(start_quantized(node, &r));
    opc_multiplier m = opc_multiplier_of(opc_scale(&r.in[0], 0), 1.0f, opc_scale(&r.y, 0), 0);
    m = mean && r.count != 0 ? divided(m, r.count) : m;
    /* the mean of nothing is the integer 0, whatever it stands for; the sum of nothing is the number 0 */
    const int32_t zero = mean && r.count == 0 ? 0 : opc_zero_point(&r.y, 0);
    const int32_t offset = opc_mul32((int32_t)r.count, -opc_zero_point(&r.in[0], 0));
    opc_dtype_range(r.y.dtype, &lo, &hi);
    for (uint32_t i = 0; i < r.y.elements; i++, opc_odometer_next(&r.out)) {
        int32_t sum = offset;
        for (uint32_t k = 0; k < r.rows; k++, opc_odometer_next(&r.over)) {
            sum = opc_add32(sum, sum_run(&r.in[0], r.out.offset + r.over.offset, r.run, r.step));
        }
        opc_store_int(&r.y, i, opc_clamp_sum(opc_mbqm(sum, m), zero, lo, hi));
    }
    return OPC_OK;
}

static opc_status start_extreme(opc_node *node, opc_reduction *r) {
    OPC_TRY(opc_reduction_start(node, r));
    if (!opc_same_quantization(&r->in[0], &r->y)) {
        return OPC_FAIL(node, OPC_INVALID_MODEL, "input and output must have the same quantization");
    }
    if (r->count == 0 && r->y.elements != 0) {
        return OPC_FAIL(node, (r->in[1].flags & OPC_CONSTANT) != 0 ? OPC_INVALID_MODEL : OPC_INVALID_INPUT,
                        "there are no elements to choose from");
    }
    return OPC_OK;
}

opc_status opc_reduce_extreme_prepare(opc_node *node) {
    opc_reduction r;
    return start_extreme(node, &r);
}

opc_status opc_reduce_extreme(opc_node *node, opc_finder *find, bool largest) {
    opc_reduction r;
    OPC_TRY(start_extreme(node, &r));
    const uint32_t width = opc_dtype_bytes(r.y.dtype);
    for (uint32_t i = 0; i < r.y.elements; i++, opc_odometer_next(&r.out)) {
        uint32_t best = r.out.offset;
        for (uint32_t k = 0; k < r.rows; k++, opc_odometer_next(&r.over)) {
            best = find(&r.in[0], largest, best, r.out.offset + r.over.offset, r.run, r.step);
        }
        opc_copy((uint8_t *)r.y.data + i * width, opc_u8(&r.in[0]) + best * width, 1, width);
    }
    return OPC_OK;
}
