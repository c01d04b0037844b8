/* Sums of float products for cores without a floating-point unit, in integers: one rounding a sum instead of two calls
 * of a library a term. */
#ifndef OPCONFORM_SOFT_DOT_H
#define OPCONFORM_SOFT_DOT_H

#include <stdint.h>

#include "opconform_kernel.h"

#if (defined(__arm__) && !defined(__ARM_FP)) || defined(OPC_SOFT_FLOAT)
#define OPC_HAS_SOFT_DOT
#endif

/* A float as bits, apart: |value| = mantissa * 2^(exponent - 158) with mantissa in [2^31, 2^32), or 0. */
typedef struct opc_part {
    uint32_t mantissa;
    int16_t exponent;
    int16_t sign; /* 0 or -1 */
} opc_part;

enum { OPC_PART_NONE = -4096 };

/* value = sum * 2^(exponent - 284); infinities and NaN are kept apart. */
typedef struct opc_soft {
    int64_t sum;
    int32_t exponent;
    uint32_t special; /* 1: plus infinity is among the terms, 2: minus infinity, 3 and 4: NaN */
} opc_soft;

/* Infinity and NaN have a mantissa, too: see opc_part_is_special. */
opc_part opc_part_of(uint32_t bits);
opc_part opc_part_of_int(int32_t value);
static inline bool opc_part_is_special(opc_part a) {
    return a.exponent == 255;
}

/* Start a sum from one float. */
void opc_soft_start(opc_soft *s, uint32_t bits);
/* Add a * b. Products are cut off 2^-31 below the largest one so far. */
void opc_soft_add(opc_soft *s, opc_part a, opc_part b);
/* Add x[k] * w[k] for k < n, where no x is infinite or NaN and no w is subnormal, infinite or NaN. */
void opc_soft_add_all(opc_soft *s, const opc_part *x, const uint32_t *w, uint32_t n);
/* Nearest float, halves to even. */
uint32_t opc_soft_round(const opc_soft *s);

#endif
