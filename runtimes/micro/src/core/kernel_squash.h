/* LOGISTIC and TANH of quantized inputs. */
#ifndef OPCONFORM_KERNEL_SQUASH_H
#define OPCONFORM_KERNEL_SQUASH_H

#include "kernel_fixed.h"
#include "kernel_util.h"

/* 8-bit: inputs rescaled to Q4.27, `function` of them in Q0.31, rounded to `output_bits` fractional bits; inputs
 * outside of
 * +-(2^4 - 1) saturate. */
typedef struct opc_squash8 {
    int32_t (*function)(int32_t q4);
    int32_t output_bits;
    int32_t output_zero; /* of int8 */
    float output_scale;
} opc_squash8;
opc_status opc_squash8_prepare(opc_node *node, const opc_squash8 *s);
opc_status opc_squash8_invoke(opc_node *node, const opc_squash8 *s);

/* int16: inputs times `mantissa`, rounded and shifted right by `shift`, index the table of the logistic function at
 * steps of 1/24 * 2^-9. */
typedef struct opc_squash16 {
    opc_tensor x;
    opc_tensor y;
    int32_t mantissa; /* <= 2^18 */
    int32_t shift;    /* 0 ... 31 */
} opc_squash16;
/* largest_pot: an input scale of 2^-12 ... 2^(largest_pot - 12) is exact and needs no multiplier of its own. */
opc_status opc_squash16_fetch(opc_node *node, opc_squash16 *s, int32_t largest_pot);
int32_t opc_squash16_input(const opc_squash16 *s, uint32_t i);
/* With f(i) = 65536 * logistic(i / 24): f(i) plus half of what linear interpolation misses in the middle to i + 1,
 * rounded. The last entry is 65535. A table, because four of these exponentials an element would cost more than 512
 * bytes are worth. */
extern const uint16_t opc_logistic_table[256];

#endif
