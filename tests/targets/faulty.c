/* A worker that misbehaves on command: the fake for the tests of boards, faults and meters.
 *
 * HELLO, OPEN, CLOSE and BYE are served as docs/wire.md says. RUN takes one int32 tensor [command, argument, ...],
 * does what the command says between the measure marks, and sends the tensor back (RUN and RESULT have the same
 * layout). */
#include <string.h>

#include "semihosting.h"
#include "worker/transport.h"

enum { HELLO = 1, OPEN, RUN, CLOSE, BYE, READY = 129, OPENED, RESULT, CLOSED, GONE, ERROR = 192 };
enum command {
    ECHO,
    UNDEFINED_INSTRUCTION,
    LOAD_UNMAPPED,
    STACK_OVERFLOW,
    ENDLESS_LOOP,
    STORE_PAST_ARENA,
    LOAD_PAST_MODEL,
    SPIN_WITHOUT_INTERRUPTS,
    EXIT,
    COUNTED_LOOP,
    STORE_TO_NULL,
    DIVIDE_BY_ZERO,
    REFUSE,
    GARBAGE,
    FILL_ARENA,
    USE_STACK,
    LOAD_MODEL
};

typedef struct {
    uint8_t magic[4];
    uint8_t kind, version;
    uint16_t reserved;
    uint32_t sequence, length, crc;
} header;

uint8_t opc_model_buffer[OPC_MODEL_BYTES];
uint8_t opc_arena_buffer[OPC_ARENA_BYTES];

static header current;
static uint32_t unread;
static uint8_t payload[512];

static uint32_t crc_add(uint32_t crc, const void *data, uint32_t size) {
    const uint8_t *bytes = data;
    for (uint32_t i = 0; i < size * 8u; i++) {
        const uint32_t bit = (crc ^ ((uint32_t)bytes[i / 8u] >> (i % 8u))) & 1u;
        crc = (crc >> 1) ^ (bit != 0 ? 0xEDB88320u : 0u);
    }
    return crc;
}

static void answer(uint8_t kind, const void *data, uint32_t size) {
    const header h = {"OPC1", kind, 1, 0, current.sequence, size, ~crc_add(0xFFFFFFFFu, data, size)};
    (void)transport_write(&h, sizeof h);
    (void)transport_write(data, size);
    (void)transport_flush();
}

static void refuse(uint16_t code, const char *text, const uint32_t *words) {
    uint8_t out[160] = {0};
    const uint16_t length = (uint16_t)strlen(text); /* < 80 */
    uint32_t size = (4u + length + 3u) & ~3u;
    memcpy(out, &code, 2);
    memcpy(out + 2, &length, 2);
    memcpy(out + 4, text, length);
    if (words != 0) {
        memcpy(out + size, words, 64);
        size += 64;
    }
    answer(ERROR, out, size);
}

void worker_fault(uint16_t code, const char *text, const uint32_t *words) {
    refuse(code, text, words);
}

/* Reads at most `size` bytes of the payload. */
static int take(void *to, uint32_t size) {
    size = size < unread ? size : unread;
    unread -= size;
    return transport_read(to, size);
}

static int skip_rest(void) {
    while (unread != 0) {
        if (take(payload, sizeof payload) != 0) {
            return -1;
        }
    }
    return 0;
}

#pragma GCC diagnostic ignored "-Winfinite-recursion"
__attribute__((noinline)) static uint32_t overflow(volatile uint32_t *above) {
    volatile uint32_t frame[16];
    frame[0] = *above + 1u;
    return overflow(frame) + frame[0];
}

#if defined(__riscv)
#define UNDEFINED ".word 0"
#define NO_INTERRUPTS "csrci mstatus, 8\n 1: j 1b"
#define COUNT_DOWN "1: addi a0, a0, -1\n bnez a0, 1b\n ret\n"
#else
#define UNDEFINED "udf #7"
#define NO_INTERRUPTS "cpsid i\n 1: b 1b"
#define COUNT_DOWN "1: subs r0, #1\n bne 1b\n bx lr\n"
#endif

/* 2 n instructions, and the return. */
__attribute__((naked, noinline)) static void counted_loop(uint32_t n) {
    (void)n;
    __asm volatile(COUNT_DOWN);
}

__attribute__((noinline)) static void store_bytes(volatile uint8_t *to, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        to[i] = 1;
    }
}

__attribute__((noinline)) static uint8_t load_byte(const volatile uint8_t *from) {
    return *from;
}

/* `n` bytes of stack, at most 1024. */
__attribute__((noinline)) static void use_stack(uint32_t n) {
    volatile uint8_t frame[1024];
    store_bytes(frame + sizeof frame - n, n);
}

__attribute__((noinline)) static void misbehave_hard(uint32_t command, volatile uint32_t *argument) {
    switch (command) {
        case UNDEFINED_INSTRUCTION:
            __asm volatile(UNDEFINED);
            break;
        case LOAD_UNMAPPED:
            (void)load_byte((const volatile uint8_t *)0xB0000000u);
            break;
        case STACK_OVERFLOW:
            (void)overflow(argument);
            break;
        case SPIN_WITHOUT_INTERRUPTS:
            __asm volatile(NO_INTERRUPTS);
            break;
        case EXIT:
            semihosting_exit(17);
            break;
        case STORE_TO_NULL:
            store_bytes((volatile uint8_t *)*argument, 1);
            break;
        default:
            break;
    }
}

__attribute__((noinline)) static void misbehave(uint32_t command, volatile uint32_t *argument) {
    switch (command) {
        case ENDLESS_LOOP:
            for (;;) {
                __asm volatile("");
            }
        case STORE_PAST_ARENA:
            store_bytes(opc_arena_buffer + sizeof opc_arena_buffer - 4, 4u + *argument);
            break;
        case LOAD_PAST_MODEL:
        case LOAD_MODEL:
            (void)load_byte(opc_model_buffer + *argument);
            break;
        case COUNTED_LOOP:
            counted_loop(*argument);
            break;
        case DIVIDE_BY_ZERO:
            *argument = *argument / (*argument - *argument);
            break;
        case FILL_ARENA:
            store_bytes(opc_arena_buffer, *argument);
            break;
        case USE_STACK:
            use_stack(*argument);
            break;
        default:
            misbehave_hard(command, argument);
            break;
    }
}

static void run(uint32_t size) {
    uint32_t words[2] = {0, 0};
    if (size >= 24) {
        memcpy(words, payload + 16, sizeof words);
    }
    opc_measure_begin();
    misbehave(words[0], &words[1]);
    opc_measure_end();
    if (words[0] == REFUSE) {
        refuse(3, "refused on command", 0);
    } else if (words[0] == GARBAGE) {
        (void)transport_write("this is no frame at all", 23);
        (void)transport_flush();
    } else {
        answer(RESULT, payload, size);
    }
}

static void hello(void) {
    struct {
        uint16_t version, reserved;
        uint32_t largest, arena;
        uint16_t length;
        char name[6];
    } ready = {1, 0, sizeof opc_model_buffer, sizeof opc_arena_buffer, 6, "faulty"};
    answer(READY, &ready, sizeof ready);
}

static int serve(void) {
    uint32_t size = current.length;
    static const uint8_t opened[8] = {0xFF, 0xFF, 0xFF, 0xFF}; /* numbers of tensors: unknown */
    if (current.kind == OPEN) {
        if (take(opc_model_buffer, sizeof opc_model_buffer) != 0) {
            return -1;
        }
        answer(OPENED, opened, sizeof opened);
        return 0;
    }
    size = size < sizeof payload ? size : sizeof payload;
    if (take(payload, size) != 0) {
        return -1;
    }
    switch (current.kind) {
        case HELLO:
            hello();
            break;
        case RUN:
            run(size);
            break;
        case CLOSE:
            answer(CLOSED, payload, 0);
            break;
        case BYE:
            answer(GONE, payload, 0);
            return 1;
        default:
            refuse(8, "unknown kind", 0);
            break;
    }
    return 0;
}

int worker_main(void) {
    for (;;) {
        if (skip_rest() != 0 || transport_read(&current, sizeof current) != 0) {
            return 1;
        }
        unread = current.length;
        const int end = serve();
        if (end != 0) {
            return end > 0 ? 0 : 1;
        }
    }
}
