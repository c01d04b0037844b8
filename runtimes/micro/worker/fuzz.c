/* Mutates a model and opens and invokes every mutant; sanitizers say when one makes the library misbehave.
 *     fuzz MODEL.tflite SEED COUNT [ARENA_BYTES [MUTANT.tflite]]
 * Prints how often each status came. Exit status 0, 1 for bad usage; a sanitizer or an alarm after SECONDS ends the
 * process otherwise. On an abort the number of the mutant stands on standard error: mutant N of SEED is mutant 0 of
 * SEED + N. With MUTANT.tflite the mutant 0 is written there and not run. With COUNT 0 the model itself is run. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sanitizer/asan_interface.h>

#include "opconform_kernel.h"

extern const opc_registry opc_registry_all;

/* Both sanitizers look these up; an abort can be caught, a plain exit of theirs cannot. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void) {
    return "abort_on_error=1";
}
const char *__ubsan_default_options(void) {
    return "abort_on_error=1:print_stacktrace=1";
}

enum { NODE_BUDGET = 2000, MAX_EDITS = 8, STATUSES = 8, SECONDS = 20 };

typedef struct material {
    const uint8_t *model;
    size_t bytes;
    uint8_t *arena;
    size_t arena_bytes;
} material;

static unsigned long current;

static void say_where(int signal_number) {
    (void)fprintf(stderr, "fuzz: mutant %lu\n", current);
    if (signal_number == SIGALRM) {
        (void)fprintf(stderr, "fuzz: still running after %d seconds\n", (int)SECONDS);
    }
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

/* xorshift64*: the same mutants on every machine. */
static uint32_t draw(uint64_t *state, size_t below) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    const uint64_t word = *state * UINT64_C(2685821657736338717);
    return (uint32_t)((word >> 33) % (below == 0 ? 1 : below));
}

static void overwrite_integer(uint64_t *state, uint8_t *data, size_t bytes) {
    static const uint32_t interesting[] = {0,          1,          2,          4,          7,          8,
                                           16,         127,        128,        255,        256,        0xFFFF,
                                           0x10000,    0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFF0U,
                                           0x40000000, 0x7F800000, 0x20000000};
    const uint32_t value = interesting[draw(state, sizeof interesting / sizeof interesting[0])];
    if (bytes >= 4) {
        memcpy(data + (draw(state, bytes - 3) & ~3U), &value, draw(state, 2) != 0 ? 4 : 2);
    }
}

static void nudge_integer(uint64_t *state, uint8_t *data, size_t bytes) {
    if (bytes >= 4) {
        uint32_t value;
        uint8_t *at = data + (draw(state, bytes - 3) & ~3U);
        memcpy(&value, at, 4);
        value += draw(state, 33) - 16U;
        memcpy(at, &value, 4);
    }
}

static void splice(uint64_t *state, uint8_t *data, size_t bytes) {
    const size_t length = 1 + draw(state, bytes < 64 ? bytes : 64);
    const size_t from = draw(state, bytes - length + 1);
    const size_t to = draw(state, bytes - length + 1);
    memmove(data + to, data + from, length);
}

/* Structure stands in the first kilobytes of most files, or after the weights; small offsets are drawn more often. */
static size_t edit(uint64_t *state, uint8_t *data, size_t bytes) {
    const size_t window = draw(state, 3) == 0 || bytes < 4096 ? bytes : 4096;
    uint8_t *part = draw(state, 2) == 0 ? data : data + (bytes - window);
    switch (draw(state, 8)) {
        case 0:
            part[draw(state, window)] ^= (uint8_t)(1U << draw(state, 8));
            return bytes;
        case 1:
            part[draw(state, window)] = (uint8_t)draw(state, 256);
            return bytes;
        case 2:
            splice(state, part, window);
            return bytes;
        case 3:
            return draw(state, 4) == 0 ? 1 + draw(state, bytes) : bytes;
        case 4:
        case 5:
            nudge_integer(state, part, window);
            return bytes;
        default:
            overwrite_integer(state, part, window);
            return bytes;
    }
}

static opc_status try_model(const material *m, const uint8_t *model, size_t bytes) {
    opc_interpreter it;
    (void)alarm(SECONDS);
    ASAN_UNPOISON_MEMORY_REGION(m->arena, m->arena_bytes); /* the interpreter parts its records */
    opc_status status = opc_open(&it, model, bytes, m->arena, m->arena_bytes, &opc_registry_all);
    if (status != OPC_OK) {
        return status;
    }
    opc_set_budget(&it, NODE_BUDGET);
    for (uint32_t i = 0; i < opc_model_input_count(&it); i++) {
        opc_tensor input;
        (void)opc_model_input(&it, i, &input);
        memset(input.data, (int)i + 1, input.bytes);
    }
    status = opc_invoke(&it);
    uint8_t sum = 0;
    for (uint32_t i = 0; status == OPC_OK && i < opc_model_output_count(&it); i++) {
        opc_tensor output;
        (void)opc_model_output(&it, i, &output);
        for (uint32_t k = 0; k < output.bytes; k++) {
            sum ^= opc_u8(&output)[k];
        }
    }
    volatile uint8_t sunk = sum;
    (void)sunk;
    return status;
}

/* An allocation of its own and of the exact size for every model, so that a read past its end is seen. */
static opc_status try_copy(const material *m, const uint8_t *model, size_t bytes) {
    void *exact = NULL;
    if (posix_memalign(&exact, 16, bytes) != 0) {
        return OPC_NO_MEMORY;
    }
    memcpy(exact, model, bytes);
    const opc_status status = try_model(m, exact, bytes);
    free(exact);
    return status;
}

/* The mutant of a seed in memory of the model's size; returns its own size. */
static size_t make_mutant(const material *m, uint64_t seed, uint8_t *mutant) {
    uint64_t state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    memcpy(mutant, m->model, m->bytes);
    size_t bytes = m->bytes;
    for (uint32_t edits = 1 + draw(&state, MAX_EDITS); edits > 0; edits--) {
        bytes = edit(&state, mutant, bytes);
    }
    return bytes;
}

static bool write_mutant(const char *path, const uint8_t *mutant, size_t bytes) {
    FILE *file = fopen(path, "wb");
    const bool written = file != NULL && fwrite(mutant, 1, bytes, file) == bytes;
    return file != NULL && fclose(file) == 0 && written;
}

static uint8_t *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        return NULL;
    }
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*bytes);
    if (data != NULL && fread(data, 1, *bytes, file) != *bytes) {
        free(data);
        data = NULL;
    }
    (void)fclose(file);
    return data;
}

static void run_all(const material *m, unsigned long seed, unsigned long total, uint8_t *mutant) {
    unsigned long seen[STATUSES] = {0};
    for (current = 0; current < total; current++) {
        const size_t bytes = make_mutant(m, seed + current, mutant);
        seen[try_copy(m, mutant, bytes)]++;
    }
    if (total == 0) {
        seen[try_copy(m, m->model, m->bytes)]++;
    }
    for (uint32_t s = 0; s < STATUSES; s++) {
        if (seen[s] != 0) {
            (void)printf("%s %lu\n", opc_status_text((opc_status)s), seen[s]);
        }
    }
}

int main(int count, char **arguments) {
    material m = {NULL, 0, NULL, count > 4 ? strtoul(arguments[4], NULL, 10) : 65536};
    void *arena = NULL;
    m.model = count >= 4 ? read_file(arguments[1], &m.bytes) : NULL;
    uint8_t *mutant = m.model != NULL ? malloc(m.bytes) : NULL;
    if (mutant == NULL || m.bytes == 0 || posix_memalign(&arena, 16, m.arena_bytes) != 0) {
        (void)fprintf(stderr,
                      "usage: fuzz MODEL.tflite SEED COUNT [ARENA_BYTES [MUTANT.tflite]] (the file must exist)\n");
        return 1;
    }
    m.arena = arena;
    (void)signal(SIGABRT, say_where);
    (void)signal(SIGALRM, say_where);
    const unsigned long seed = strtoul(arguments[2], NULL, 10);
    bool good = true;
    if (count > 5) {
        good = write_mutant(arguments[5], mutant, make_mutant(&m, seed, mutant));
    } else {
        run_all(&m, seed, strtoul(arguments[3], NULL, 10), mutant);
    }
    free(mutant);
    free((void *)(uintptr_t)m.model);
    free(arena);
    return good ? 0 : 1;
}
