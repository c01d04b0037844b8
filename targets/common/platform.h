/* What the files of the firmware's platform share: those of this folder, and those of an architecture. */
#ifndef OPCONFORM_PLATFORM_H
#define OPCONFORM_PLATFORM_H

#include <stdint.h>

enum { OPC_TICKS_PER_SECOND = 10, OPC_EXIT_FAULT_IN_HANDLER = 70 };

/* ---- transport.c ---- */

/* Open the console; once, before the worker starts. */
void transport_open(void);

/* Bytes of the model that was read last. */
uint32_t transport_model_bytes(void);

/* Drop what is queued of an answer that a fault interrupted; -1 where part of it has left already. */
int transport_abandon(void);

/* ---- platform.c, called by an architecture ---- */

/* After a reset, on any stack: variables get their first values, then machine_start is called. */
void platform_init(void);

/* Serve frames on the process stack; also after a fault, on an empty one. Does not return. */
void platform_serve(void);

/* Called OPC_TICKS_PER_SECOND times a second; non-zero when the invocation has used up its time: it must then end as
 * by a fault, without words. */
uint32_t platform_tick(void);

/* Answer for the invocation that ended by a fault, with the 16 words that the architecture's registers name, or by its
 * time: 0. The caller then goes on in platform_serve. */
void platform_abandon(const uint32_t *words);

/* ---- what an architecture gives ---- */

/* FPU, memory protection and the tick. */
void machine_start(void);

/* A mark for the meter plugin: one answer is complete. */
void opc_meter_answer(void);

#endif
