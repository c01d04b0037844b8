/* What tells the harness about an image, and is no part of its figures. */
#ifndef OPCONFORM_REPORT_H
#define OPCONFORM_REPORT_H

#include "opconform_kernel.h"

/* Around opc_open and around opc_invoke: the meter plugin measures what lies between. report_end writes status and
 * value in hexadecimal on a line; the second value of opc_open is the need of the arena. */
void report_begin(void);
void report_end(opc_status status, uint32_t value);

/* Give an input of the model its value: zeros. */
void report_input(const opc_tensor *in);

/* End QEMU. */
void report_done(void);

#endif
