/* The wire worker (docs/wire.md): tensors go straight from the wire into the arena and back. Portable (transport.h). */
#include <string.h>

#include "opconform_kernel.h"
#include "transport.h"

/* Nodes that one invocation may run: an endless WHILE ends, an honest loop of thousands does not. */
#ifndef OPC_NODE_BUDGET
#define OPC_NODE_BUDGET 250000U
#endif

enum { HELLO = 1, OPEN = 2, RUN = 3, CLOSE = 4, BYE = 5, ANSWER = 0x80, ERROR = 192 };
enum { BAD_FRAME = 8, FAULT = 6 };
enum { HEADER_BYTES = 20, METER_ARENA = 1, METER_SCRATCH = 5 };
#define LARGEST_PAYLOAD (OPC_MODEL_BYTES > OPC_ARENA_BYTES ? OPC_MODEL_BYTES : OPC_ARENA_BYTES)
#define LARGEST_LENGTH (16U << 20)

static const char magic[] = {'O', 'P', 'C', '1'};
static const char name[] = "opconform-micro";

uint8_t opc_model_buffer[OPC_MODEL_BYTES] __attribute__((aligned(16)));
uint8_t opc_arena_buffer[OPC_ARENA_BYTES] __attribute__((aligned(16)));

extern const opc_registry opc_registry_all;

/* Static, so that the worker can go on after a fault took its stack away. */
static struct {
    opc_interpreter interpreter;
    uint32_t sequence;
    uint32_t unread; /* bytes of the current payload that are still on the wire */
    uint32_t crc;    /* of what has been read of it */
    uint32_t wanted; /* CRC in its header */
    uint8_t kind;
    bool is_open;
} worker;

/* What an answer is written to: first only counted and summed, then sent. */
typedef struct sink {
    uint32_t length;
    uint32_t crc;
    bool sending;
} sink;

typedef void (*emitter)(sink *to, const void *what);

typedef struct failure {
    const char *text;
    const uint32_t *words; /* 16 registers, or NULL */
    uint16_t code;
} failure;

/* CRC-32 with a table for half bytes: 64 bytes of flash. */
static uint32_t crc_add(uint32_t crc, const void *data, uint32_t size) {
    static const uint32_t table[16] = {0x00000000U, 0x1DB71064U, 0x3B6E20C8U, 0x26D930ACU, 0x76DC4190U, 0x6B6B51F4U,
                                       0x4DB26158U, 0x5005713CU, 0xEDB88320U, 0xF00F9344U, 0xD6D6A3E8U, 0xCB61B38CU,
                                       0x9B64C2B0U, 0x86D3D2D4U, 0xA00AE278U, 0xBDBDF21CU};
    const uint8_t *bytes = data;
    crc = ~crc;
    for (uint32_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ table[crc & 15U];
        crc = (crc >> 4) ^ table[crc & 15U];
    }
    return ~crc;
}

static uint32_t get16(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}
static uint32_t get32(const uint8_t *p) {
    return get16(p) | get16(p + 2) << 16;
}

static void put(sink *to, const void *data, uint32_t size) {
    if (to->sending) {
        (void)transport_write(data, size);
        return;
    }
    to->crc = crc_add(to->crc, data, size);
    to->length += size;
}

static void put8(sink *to, uint32_t value) {
    const uint8_t byte = (uint8_t)value;
    put(to, &byte, 1);
}

static void put16(sink *to, uint32_t value) {
    const uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};
    put(to, bytes, 2);
}

static void put32(sink *to, uint32_t value) {
    put16(to, value & 0xFFFFU);
    put16(to, value >> 16);
}

static void pad(sink *to, uint32_t size) {
    static const uint8_t zeros[4] = {0, 0, 0, 0};
    put(to, zeros, (4U - size % 4U) % 4U);
}

static void answer(uint8_t kind, emitter emit, const void *what) {
    sink counted = {0, 0, false};
    emit(&counted, what);
    sink sent = {0, 0, true};
    put(&sent, magic, sizeof magic);
    put8(&sent, kind);
    put8(&sent, 1);
    put16(&sent, 0);
    put32(&sent, worker.sequence);
    put32(&sent, counted.length);
    put32(&sent, counted.crc);
    emit(&sent, what);
    (void)transport_flush();
}

static void emit_nothing(sink *to, const void *what) {
    (void)to;
    (void)what;
}

static void emit_failure(sink *to, const void *what) {
    const failure *f = what;
    const uint32_t length = (uint32_t)strlen(f->text);
    put16(to, f->code);
    put16(to, length);
    put(to, f->text, length);
    pad(to, length);
    for (uint32_t i = 0; f->words != NULL && i < 16; i++) {
        put32(to, f->words[i]);
    }
}

static void refuse(uint32_t code, const char *text) {
    const failure f = {text, NULL, (uint16_t)code};
    answer(ERROR, emit_failure, &f);
}

static void refuse_status(opc_status status) {
    char text[120];
    (void)opc_error_text(&worker.interpreter, text, sizeof text);
    refuse((uint32_t)status, text);
}

void worker_fault(uint16_t code, const char *text, const uint32_t *words) {
    const failure f = {text, words, code};
    answer(ERROR, emit_failure, &f);
}

static void emit_ready(sink *to, const void *what) {
    (void)what;
    put16(to, 1);
    put16(to, 0);
    put32(to, LARGEST_PAYLOAD);
    put32(to, OPC_ARENA_BYTES);
    put16(to, sizeof name - 1);
    put(to, name, sizeof name - 1);
}

/* A shape that depends on data is not known before it runs. */
static void emit_tensor(sink *to, const opc_tensor *t, bool with_data) {
    const bool unknown = !with_data && (t->flags & OPC_DYNAMIC) != 0;
    put8(to, t->dtype);
    put8(to, t->rank);
    put16(to, 0);
    put32(to, with_data ? t->bytes : 0);
    for (uint32_t i = 0; i < t->rank; i++) {
        put32(to, unknown ? UINT32_MAX : (uint32_t)t->dims[i]);
    }
    if (with_data) {
        put(to, t->data, t->bytes);
        pad(to, t->bytes);
    }
}

static void emit_opened(sink *to, const void *what) {
    const opc_interpreter *it = what;
    const uint32_t inputs = opc_model_input_count(it);
    const uint32_t outputs = opc_model_output_count(it);
    opc_tensor t;
    put16(to, inputs);
    put16(to, outputs);
    put32(to, opc_arena_used(it));
    for (uint32_t i = 0; i < inputs; i++) {
        (void)opc_model_input(it, i, &t);
        emit_tensor(to, &t, false);
    }
    for (uint32_t i = 0; i < outputs; i++) {
        (void)opc_model_output(it, i, &t);
        emit_tensor(to, &t, false);
    }
}

static void put_meter(sink *to, uint32_t id, uint32_t value) {
    put32(to, id);
    put32(to, value);
    put32(to, 0);
}

static void emit_result(sink *to, const void *what) {
    const opc_interpreter *it = what;
    const uint32_t outputs = opc_model_output_count(it);
    put16(to, outputs);
    put16(to, 2);
    put_meter(to, METER_ARENA, opc_arena_used(it));
    put_meter(to, METER_SCRATCH, worker_scratch(it));
    for (uint32_t i = 0; i < outputs; i++) {
        opc_tensor t;
        (void)opc_model_output(it, i, &t);
        emit_tensor(to, &t, true);
    }
}

/* Read `size` bytes of the payload; false when it has fewer or the input ends. */
static bool take(void *data, uint32_t size) {
    if (size > worker.unread) {
        return false;
    }
    if (transport_read(data, size) != 0) {
        worker.unread = 0;
        return false;
    }
    worker.unread -= size;
    worker.crc = crc_add(worker.crc, data, size);
    return true;
}

/* Read and forget; false at the end of the input. */
static bool skip(uint32_t size) {
    uint8_t chunk[32];
    while (size != 0) {
        const uint32_t part = size < sizeof chunk ? size : (uint32_t)sizeof chunk;
        if (!take(chunk, part)) {
            return false;
        }
        size -= part;
    }
    return true;
}

/* Skip the rest of the payload and compare its CRC; answers with an error itself. */
static bool complete(void) {
    const bool whole = skip(worker.unread);
    if (!whole || worker.crc != worker.wanted) {
        refuse(BAD_FRAME, "the CRC of the payload is wrong");
        return false;
    }
    return true;
}

static void open_model(void) {
    const uint32_t bytes = worker.unread;
    worker.is_open = false;
    opc_watch_forget();
    const bool fits = bytes <= OPC_MODEL_BYTES;
    if ((fits && !take(opc_model_buffer, bytes)) || !complete()) {
        return;
    }
    if (!fits) {
        refuse(OPC_NO_MEMORY, "the model is larger than the model buffer");
        return;
    }
    opc_interpreter *it = &worker.interpreter;
    const opc_status status =
        opc_open(it, opc_model_buffer, bytes, opc_arena_buffer, OPC_ARENA_BYTES, &opc_registry_all);
    if (status != OPC_OK) {
        refuse_status(status);
        return;
    }
    opc_set_budget(it, OPC_NODE_BUDGET);
    worker_watch(it);
    worker.is_open = true;
    answer(OPEN | ANSWER, emit_opened, it);
}

/* NULL, or what is wrong with input i. Its data is read only if everything fits. */
static const char *read_input(uint32_t i) {
    opc_tensor t;
    uint8_t head[8];
    (void)opc_model_input(&worker.interpreter, i, &t);
    if (!take(head, sizeof head)) {
        return "the tensors end too early";
    }
    if (head[0] != t.dtype || head[1] != t.rank) {
        return "an input has another type or rank than the model's";
    }
    for (uint32_t d = 0; d < t.rank; d++) {
        uint8_t dim[4];
        if (!take(dim, sizeof dim) || get32(dim) != (uint32_t)t.dims[d]) {
            return "an input has another shape than the model's";
        }
    }
    if (get32(head + 4) != t.bytes || !take(t.data, t.bytes) || !skip((4U - t.bytes % 4U) % 4U)) {
        return "an input has another size than the model's";
    }
    return NULL;
}

static const char *read_inputs(void) {
    const uint32_t count = opc_model_input_count(&worker.interpreter);
    uint8_t head[4];
    if (!take(head, sizeof head)) {
        return "a RUN without tensors";
    }
    if (get16(head) != count || get16(head + 2) != 0) {
        return "the number of inputs is not the model's";
    }
    const char *wrong = NULL;
    for (uint32_t i = 0; wrong == NULL && i < count; i++) {
        wrong = read_input(i);
    }
    return wrong == NULL && worker.unread != 0 ? "bytes behind the last input" : wrong;
}

static void run_model(void) {
    const char *wrong = worker.is_open ? read_inputs() : "no model is open";
    if (!complete()) {
        return;
    }
    if (wrong != NULL) {
        refuse(OPC_INVALID_INPUT, wrong);
        return;
    }
    opc_measure_begin();
    const opc_status status = opc_invoke(&worker.interpreter);
    opc_measure_end();
    if (status != OPC_OK) {
        refuse_status(status);
        return;
    }
    answer(RUN | ANSWER, emit_result, &worker.interpreter);
}

/* Read a header; where no frame begins, say so once and look for the next magic. False at the end of the input. */
static bool read_header(uint8_t *head) {
    bool lost = false;
    if (transport_read(head, HEADER_BYTES) != 0) {
        return false;
    }
    while (memcmp(head, magic, sizeof magic) != 0 || head[5] != 1 || get32(head + 12) > LARGEST_LENGTH) {
        if (!lost) {
            worker.sequence = get32(head + 8);
            refuse(BAD_FRAME, "no frame: wrong magic, version or length");
        }
        lost = true;
        memmove(head, head + 1, HEADER_BYTES - 1);
        if (transport_read(head + HEADER_BYTES - 1, 1) != 0) {
            return false;
        }
    }
    worker.kind = head[4];
    worker.sequence = get32(head + 8);
    worker.unread = get32(head + 12);
    worker.wanted = get32(head + 16);
    worker.crc = 0;
    return true;
}

/* Serve one frame; false after BYE. */
static bool serve(void) {
    if (worker.kind == OPEN) {
        open_model();
        return true;
    }
    if (worker.kind == RUN) {
        run_model();
        return true;
    }
    if (!complete()) {
        return true;
    }
    switch (worker.kind) {
        case HELLO:
            answer(HELLO | ANSWER, emit_ready, NULL);
            return true;
        case CLOSE:
            worker.is_open = false;
            answer(CLOSE | ANSWER, emit_nothing, NULL);
            return true;
        case BYE:
            answer(BYE | ANSWER, emit_nothing, NULL);
            return false;
        default:
            refuse(BAD_FRAME, "unknown kind of frame");
            return true;
    }
}

int worker_main(void) {
    uint8_t head[HEADER_BYTES];
    /* After a fault: the frame it came from may not have been read to its end. */
    (void)skip(worker.unread);
    while (read_header(head)) {
        if (!serve()) {
            return 0;
        }
    }
    return 1;
}
