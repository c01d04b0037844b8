/* Integer arithmetic of quantized kernels, bit-exact with TensorFlow Lite Micro's double rounding. */
#ifndef OPCONFORM_FIXEDPOINT_H
#define OPCONFORM_FIXEDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "opconform_kernel.h"

/* A real factor as mantissa * 2^(shift - 31); mantissa is 0 or in [2^30, 2^31). */
typedef struct opc_multiplier {
    int32_t mantissa;
    int32_t shift;
} opc_multiplier;

/* x * 2^shift modulo 2^32; 0 <= shift <= 31. */
static inline int32_t opc_shift_left(int32_t x, int32_t shift) {
    return (int32_t)((uint32_t)x << (uint32_t)shift);
}

/* Floor of x / 2^shift; 0 <= shift <= 31. GCC and Clang shift signed values arithmetically. */
static inline int32_t opc_shift_right(int32_t x, int32_t shift) {
    return x >> shift;
}

static inline int32_t opc_clamp(int32_t x, int32_t lo, int32_t hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

/* clamp(x + zero); the sum wraps, as in TensorFlow Lite Micro, when a factor far above 1 took x to the end of int32. */
static inline int32_t opc_clamp_sum(int32_t x, int32_t zero, int32_t lo, int32_t hi) {
    return opc_clamp((int32_t)((uint32_t)x + (uint32_t)zero), lo, hi);
}

/* Saturating rounding doubling high product: round(a * b / 2^31), half up; the one overflow saturates. */
int32_t opc_srdhm(int32_t a, int32_t b);
/* The same for int16: round(a * b / 2^15). */
int16_t opc_srdhm16(int16_t a, int16_t b);
/* x / 2^exponent, half away from zero; 0 <= exponent <= 31. */
int32_t opc_rdbpot(int32_t x, int32_t exponent);

/* x * m for a 32-bit accumulator: shift left (wraps), srdhm, rdbpot. -31 <= m.shift <= 30. */
int32_t opc_mbqm(int32_t x, opc_multiplier m);
/* x * m for the 64-bit accumulators of int16x8: a 16-bit mantissa and one rounding, half up.
 * |x| < 2^47, -31 <= m.shift < 8. */
int32_t opc_mbqm64(int64_t x, opc_multiplier m);

/* QuantizeMultiplier of the double a * b / c * 2^exponent, without double arithmetic: the product of two floats is
 * exact in a double, the quotient is rounded to 53 bits half to even, then to 31 bits half away from zero. a, b >= 0
 * and c > 0, all finite. Factors under 2^-32 become {0, 0}. */
opc_multiplier opc_multiplier_of(float a, float b, float c, int32_t exponent);
/* The same for many b: a / c, split into integers once. */
typedef struct opc_ratio {
    uint32_t dividend;
    uint32_t divisor;
    int32_t power;
} opc_ratio;
opc_ratio opc_ratio_of(float a, float c, int32_t exponent);
opc_multiplier opc_ratio_times(const opc_ratio *r, float b);
/* The same with the product a * b rounded to a float first, as per-tensor FULLY_CONNECTED and BATCH_MATMUL do. */
opc_multiplier opc_multiplier_of_rounded(float a, float b, float c);
/* The same of one double, for kernels that need double arithmetic anyway. d >= 0 and finite. */
opc_multiplier opc_multiplier_of_double(double d);
/* -1, 0 or 1 as the factor is below, equal to or above 1, for checks such as "the factor must be below 1". */
int opc_multiplier_vs_one(opc_multiplier m);

/* Fused activation codes of the schema (ActivationFunctionType). */
enum {
    OPC_ACT_NONE = 0,
    OPC_ACT_RELU = 1,
    OPC_ACT_RELU_N1_TO_1 = 2,
    OPC_ACT_RELU6 = 3,
    OPC_ACT_TANH = 4,
    OPC_ACT_SIGN_BIT = 5
};

/* Lowest and highest value of an integer dtype (int8, uint8, int16, int32). */
void opc_dtype_range(uint8_t dtype, int32_t *lo, int32_t *hi);
/* Clamp of a quantized output: the dtype's range cut by the activation at zero_point + round(limit / scale).
 * OPC_UNSUPPORTED (reported on the node) for TANH and SIGN_BIT. */
opc_status opc_activation_range(opc_node *node, const opc_tensor *output, uint8_t activation, int32_t *lo, int32_t *hi);
/* Clamp of a float output. The range of NONE is infinite; compare with < and >, so that NaN passes through. */
opc_status opc_float_activation_range(opc_node *node, uint8_t activation, float *lo, float *hi);
static inline float opc_clamp_float(float x, float lo, float hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

#endif
