/* The line between the wire worker and the platform that carries it.
 *
 * The worker (worker.c) is portable; a platform (host.c, targets/) gives it bytes, marks and a way to survive.
 */
#ifndef OPCONFORM_MICRO_TRANSPORT_H
#define OPCONFORM_MICRO_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

/* Sizes of the two buffers below; a platform may define others. */
#ifndef OPC_MODEL_BYTES
#define OPC_MODEL_BYTES (16U << 20)
#endif
#ifndef OPC_ARENA_BYTES
#define OPC_ARENA_BYTES (16U << 20)
#endif

/* ---- what the platform gives the worker ---- */

/* Read exactly `size` bytes. 0, or -1 at the end of the input. */
int transport_read(void *data, size_t size);

/* Queue `size` bytes of an answer. 0, or -1 when nobody listens any more. */
int transport_write(const void *data, size_t size);

/* Called exactly once at the end of every answer: everything queued goes out now. 0 or -1.
 * Meters count answers by this call. */
int transport_flush(void);

/* Called right before and right after the invocation of a model, and nowhere else.
 * The meter plugin watches their addresses; on the host they do nothing. */
void opc_measure_begin(void);
void opc_measure_end(void);

/* Which memory of the arena the invocations from now on may touch, for platforms that watch it; both addresses are of
 * bytes inside. Nothing allowed since the last opc_watch_forget means that all of the arena is. */
void opc_watch_forget(void);
void opc_watch_load(const void *first, const void *last);
void opc_watch_store(const void *first, const void *last);

/* ---- what the worker gives the platform ---- */

/* Memory that the meter plugin tells apart by symbol and size: the model (read-only while it runs) and the arena. */
extern uint8_t opc_model_buffer[];
extern uint8_t opc_arena_buffer[];

/* Serve frames until BYE or the end of the input; return the exit status.
 * A platform that survives a fault calls it again on a fresh stack: it then skips what is left of the frame
 * that was being read and goes on. All its state is static, so that this works. */
int worker_main(void);

/* watch.c: allow what the open model may touch. */
struct opc_interpreter;
void worker_watch(struct opc_interpreter *it);
/* watch.c: bytes of the largest scratch among the nodes that are alone in their subgraph, a multiple of 8; beside other
 * nodes the plan does not tell where a scratch ends. */
uint32_t worker_scratch(const struct opc_interpreter *it);

/* Answer the frame being served with ERROR (docs/wire.md): code 6 with the 16 register words, or code 7 with NULL.
 * Called from an exception handler while worker_main is interrupted and before it is entered anew; small stack only. */
void worker_fault(uint16_t code, const char *text, const uint32_t *words);

#endif
