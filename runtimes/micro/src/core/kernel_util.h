/* What many kernels share: fetching tensors, axes, index values, rounding. */
#ifndef OPCONFORM_KERNEL_UTIL_H
#define OPCONFORM_KERNEL_UTIL_H

#include "opconform_kernel.h"

/* Exactly `inputs` inputs, all present, and one output, fetched into in[] and *out. OPC_INVALID_MODEL otherwise. */
opc_status opc_fetch(opc_node *node, uint32_t inputs, opc_tensor *in, opc_tensor *out);
/* One input and one output of the same dtype and shape. */
opc_status opc_fetch_unary(opc_node *node, opc_tensor *x, opc_tensor *y);
/* The dtype of the output is that of the input. */
opc_status opc_same_dtype(opc_node *node, const opc_tensor *x, const opc_tensor *y);
/* Both are quantized per tensor. */
opc_status opc_need_quantized(opc_node *node, const opc_tensor *x, const opc_tensor *y);
/* Quantized per tensor (*inner = 0), or per channel along an axis whose neighbours are *inner elements apart. */
opc_status opc_quantized_axis(opc_node *node, const opc_tensor *t, uint32_t *inner);
/* The same scale and zero point, exactly. */
bool opc_same_quantization(const opc_tensor *a, const opc_tensor *b);
/* Scale within one thousandth of `scale`, and this zero point: outputs whose quantization is fixed by the op. */
opc_status opc_need_fixed_output(opc_node *node, const opc_tensor *y, float scale, int32_t zero_point);

/* A negative axis counts from the end. False when it is outside [-rank, rank). */
bool opc_normal_axis(int64_t axis, uint32_t rank, uint32_t *normal);
/* Product of the dimensions [from, to); bounded by the tensor's elements unless one of the others is 0, saturated at
 * 2^30. */
uint32_t opc_product(const int32_t *dims, uint32_t from, uint32_t to);
/* Is the dtype usable as an index: int16, int32, int64? */
bool opc_is_index_type(uint8_t dtype);
/* The i-th value of an integer tensor (int8, uint8, bool, int16, int32, int64). */
int64_t opc_load_index(const opc_tensor *t, uint32_t i);
/* The same, cut off at -2^30 and 2^30 - 1, so that two of them can be added: beyond every size of a tensor. */
int32_t opc_load_size(const opc_tensor *t, uint32_t i);
/* The i-th value of an int64 or, when it fits, of any type that opc_store_int takes. */
void opc_store_index(const opc_tensor *t, uint32_t i, int64_t value);

/* 8-bit kernels read int8 and uint8 alike: byte ^ flip is an int8 whose zero point is shifted by 128 for uint8. */
static inline uint8_t opc_flip(const opc_tensor *t) {
    return t->dtype == OPC_UINT8 ? 0x80U : 0U;
}
static inline int32_t opc_zero_8(const opc_tensor *t) {
    return opc_zero_point(t, 0) - (t->dtype == OPC_UINT8 ? 128 : 0);
}
static inline int32_t opc_read_8(const uint8_t *p, uint8_t flip) {
    return (int8_t)(uint8_t)(*p ^ flip);
}
/* -128 <= value <= 127 */
static inline uint8_t opc_byte_8(int32_t value, uint8_t flip) {
    return (uint8_t)((uint8_t)value ^ flip);
}

/* The i-th element as int32, and back (value in the dtype's range): int8, uint8, int16, int32. */
int32_t opc_load_int(const opc_tensor *t, uint32_t i);
void opc_store_int(const opc_tensor *t, uint32_t i, int32_t value);

/* Modulo 2^32, without undefined behaviour. */
static inline int32_t opc_add32(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}
static inline int32_t opc_sub32(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a - (uint32_t)b);
}
static inline int32_t opc_mul32(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a * (uint32_t)b);
}
static inline int64_t opc_add64(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}
static inline int64_t opc_mul64(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

/* Round to the nearest integer, halves away from zero; saturated to +-2^30, so that a zero point can be added. NaN
 * gives 0. */
int32_t opc_round(float x);

/* y becomes x, byte for byte; nothing to do when they share their memory. */
void opc_pass(const opc_tensor *x, const opc_tensor *y);

/* Copy `count` elements of `width` bytes, which may overlap; count = 0 copies nothing. */
void opc_copy(void *to, const void *from, uint32_t count, uint32_t width);

#define OPC_TRY(call)                                                                                                  \
    do {                                                                                                               \
        const opc_status try_ = (call);                                                                                \
        if (try_ != OPC_OK) {                                                                                          \
            return try_;                                                                                               \
        }                                                                                                              \
    } while (0)

#endif
