/* The worker as a process: frames on standard input and output. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "transport.h"

/* Answers are collected here, so that one answer is one write as a rule. */
static uint8_t queue[1U << 16];
static size_t queued;

static uint8_t ahead[1U << 16];
static size_t ahead_from;
static size_t ahead_to;

static size_t read_some(void *data, size_t size) {
    for (;;) {
        const ssize_t got = read(STDIN_FILENO, data, size);
        if (got >= 0) {
            return (size_t)got;
        }
        if (errno != EINTR) {
            return 0;
        }
    }
}

int transport_read(void *data, size_t size) {
    uint8_t *to = data;
    while (size != 0) {
        if (ahead_from == ahead_to) {
            ahead_from = 0;
            ahead_to = read_some(ahead, sizeof ahead);
            if (ahead_to == 0) {
                return -1;
            }
        }
        const size_t there = ahead_to - ahead_from;
        const size_t part = there < size ? there : size;
        memcpy(to, ahead + ahead_from, part);
        ahead_from += part;
        to += part;
        size -= part;
    }
    return 0;
}

static int send_all(const uint8_t *data, size_t size) {
    while (size != 0) {
        const ssize_t sent = write(STDOUT_FILENO, data, size);
        if (sent < 0 && errno != EINTR) {
            return -1;
        }
        const size_t done = sent < 0 ? 0 : (size_t)sent;
        data += done;
        size -= done;
    }
    return 0;
}

int transport_flush(void) {
    const size_t size = queued;
    queued = 0;
    return send_all(queue, size);
}

int transport_write(const void *data, size_t size) {
    if (size > sizeof queue - queued && transport_flush() != 0) {
        return -1;
    }
    if (size > sizeof queue) {
        return send_all(data, size);
    }
    memcpy(queue + queued, data, size);
    queued += size;
    return 0;
}

void opc_measure_begin(void) {}
void opc_measure_end(void) {}

/* Under the address sanitizer an access to any other part of the arena ends the process. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>

static bool is_watched;

void opc_watch_forget(void) {
    ASAN_UNPOISON_MEMORY_REGION(opc_arena_buffer, OPC_ARENA_BYTES);
    is_watched = false;
}

void opc_watch_load(const void *first, const void *last) {
    if (!is_watched) {
        ASAN_POISON_MEMORY_REGION(opc_arena_buffer, OPC_ARENA_BYTES);
    }
    is_watched = true;
    ASAN_UNPOISON_MEMORY_REGION(first, (size_t)((const char *)last - (const char *)first) + 1);
}
#else
void opc_watch_forget(void) {}
void opc_watch_load(const void *first, const void *last) {
    (void)first;
    (void)last;
}
#endif

void opc_watch_store(const void *first, const void *last) {
    opc_watch_load(first, last);
}

int main(void) {
    return worker_main();
}
