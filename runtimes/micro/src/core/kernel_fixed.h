/* Fixed-point transcendental functions of the quantized kernels, bit-exact with the public gemmlowp definitions that
 * TensorFlow Lite uses. Qm.n: a signed 32-bit integer with m integer and n = 31 - m fractional bits. */
#ifndef OPCONFORM_KERNEL_FIXED_H
#define OPCONFORM_KERNEL_FIXED_H

#include <stdint.h>

#include "fixedpoint.h"

/* exp(a) as Q0.31 of a <= 0 in Q(bits).(31 - bits); 0 <= bits <= 5. */
int32_t opc_fx_exp(int32_t a, int32_t bits);
/* 1 / (1 + a) as Q0.31; 0 <= a <= 1 in Q0.31. Three Newton steps. */
int32_t opc_fx_one_over_one_plus(int32_t a);
/* logistic(a) and tanh(a) as Q0.31 of a in Q4.27. */
int32_t opc_fx_logistic(int32_t a);
int32_t opc_fx_tanh(int32_t a);
/* x as mantissa in Q0.31 of 1/x and *bits, so that 1/x = mantissa * 2^-bits; x > 0 read with `integer_bits` integer
 * bits. */
int32_t opc_fx_reciprocal(uint32_t x, int32_t integer_bits, int32_t *bits);
/* 1 / sqrt(x); x >= 0, where 0 counts as 1. Five Newton steps. The shift is at most 0. */
opc_multiplier opc_fx_inverse_sqrt(int32_t x);
/* Largest |input| that a multiplier with this left shift keeps inside Q(bits).(31 - bits). */
int32_t opc_fx_radius(int32_t bits, int32_t left_shift);

/* Number of zero bits above the highest set one; 32 for 0. */
int32_t opc_leading_zeros(uint32_t x);
/* x * m where m's shift may lie outside of opc_mbqm's range: products that are too small become 0, too large ones
 * saturate. */
int32_t opc_mbqm_any(int32_t x, opc_multiplier m);

#endif
