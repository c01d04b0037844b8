/* What the files of the firmware's platform share. */
#ifndef OPCONFORM_CORTEX_M_PLATFORM_H
#define OPCONFORM_CORTEX_M_PLATFORM_H

#include <stdint.h>

/* Open the console; once, before the worker starts. */
void transport_open(void);

/* Bytes of the model that was read last. */
uint32_t transport_model_bytes(void);

/* Drop what is queued of an answer that a fault interrupted; -1 where part of it has left already. */
int transport_abandon(void);

/* A mark for the meter plugin: one answer is complete. */
void opc_meter_answer(void);

/* Flash read-only and a guard below the process stack, where the core has an MPU. */
void mpu_protect(void);

/* Called by entry.S. */
void platform_init(void);
void platform_serve(void);
uint32_t platform_tick(void);
void platform_fault(const uint32_t *frame, uint32_t exc_return, uint32_t exception);

#endif
