/* Elementary functions of float32 in integer arithmetic: within 0.6 units in the last place, the same bits on every
 * machine, and without the double arithmetic and the large argument reductions of a C library. Results below the normal
 * range are 0. */
#ifndef OPCONFORM_KERNEL_REAL_H
#define OPCONFORM_KERNEL_REAL_H

float opc_exp(float x);
/* exp(x) - 1 where x is below 0, also next to 0; x itself elsewhere: the curve of ELU. */
float opc_elu(float x);
float opc_log(float x);
/* Within 3 units. */
float opc_tanh(float x);
float opc_sin(float x);
float opc_cos(float x);

#endif
