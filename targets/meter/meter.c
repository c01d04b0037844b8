/* QEMU TCG plugin: what an invocation costs and whether it stays inside its memory.
 *
 * Everything passes through one shared page file (meters.py has the same layout). The host writes the watched
 * addresses and allowed ranges before QEMU starts. Between the marks opc_meter_begin and opc_meter_end the plugin
 * counts instructions, loads and stores, notes the lowest store to the stack and the highest to the arena, and keeps
 * the first access that no range allows. opc_meter_answer ends one record, so record i belongs to the i-th answer of
 * the worker.
 *
 * The worker says by opc_watch_load and opc_watch_store which parts of the arena its open model may touch: the
 * addresses of two loads there are the first and the last byte. Once it has said so, the rest of the arena is out of
 * bounds. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "qemu_plugin_v1.h"

#define EXPORT __attribute__((visibility("default")))
#define MAX_RANGES 8
#define MAX_PARTS 64
#define RECORDS 1024 /* a power of two */

enum { ALLOW_LOAD = 1, ALLOW_STORE = 2 };
/* How far from the start of a mark its loads lie: the first one stands there, of two bytes or four. */
enum { BEGIN_BYTES = 4, WATCH_BYTES = 8 };

typedef struct {
    uint64_t low, high, allow, reserved;
} range;

typedef struct {
    uint64_t model_bytes; /* of the frame OPEN that this record's answer is for, else 0; the host writes it before it
                             sends */
    uint64_t windows, instructions, loads, stores, stack, arena;
    uint64_t bad_count, bad_pc, bad_address, bad_bytes, bad_store;
    uint64_t stack_pc; /* the instruction that made the lowest store to the stack */
    uint64_t bad_gap;  /* bytes from the end of the nearest part below to the end of the bad access, 0: unknown */
    uint64_t model_loads;
    uint64_t reserved;
} record;

typedef struct {
    uint64_t magic, answers;
    uint64_t begin, end, tick_entry, tick_leave, fault, answer; /* watched addresses, Thumb bit cleared */
    range stack, arena, model;
    uint64_t range_count;
    range ranges[MAX_RANGES];
    uint64_t quiet_low, quiet_high; /* code that never runs between the marks */
    uint64_t watch_forget, watch_load, watch_store;
    uint64_t padding[6];
    record records[RECORDS];
} page;

_Static_assert(sizeof(record) == 128, "meters.py reads records of 128 bytes");
_Static_assert(offsetof(page, records) == 512, "meters.py finds the records at 512");

EXPORT int qemu_plugin_version = 1;

static page *shared;
static uint64_t executed;          /* instructions since boot, counted a block at a time */
static uint64_t began, tick_began; /* `executed` at the mark */
static uint64_t stack_entry;       /* the stack pointer at opc_meter_begin */
static uint64_t stack_low, stack_pc, arena_top;
static bool open_window, in_tick;
static range parts[MAX_PARTS]; /* of the arena, that the open model may touch */
static uint64_t part_count;    /* 0, or above MAX_PARTS: all of it */
static uint64_t part_low;      /* the first byte of the part that is being told */

static record *current(void) {
    return &shared->records[shared->answers & (RECORDS - 1)];
}

static void on_begin(unsigned int cpu, void *user) {
    (void)cpu;
    (void)user;
    stack_low = shared->stack.high;
    arena_top = shared->arena.low;
    began = executed;
    in_tick = false;
    open_window = true;
}

/* `own`: instructions of the mark itself, already counted with its block. */
static void close_window(uint64_t own) {
    if (!open_window) {
        return;
    }
    record *const r = current();
    open_window = false;
    r->windows++;
    r->instructions += executed - own - began;
    r->stack = stack_low < stack_entry ? stack_entry - stack_low : 0;
    r->stack_pc = stack_pc;
    r->arena = arena_top - shared->arena.low;
}

static void on_end(unsigned int cpu, void *user) {
    (void)cpu;
    (void)user;
    close_window(1);
}

static void on_fault(unsigned int cpu, void *user) {
    (void)cpu;
    (void)user;
    close_window(0);
}

/* The tick's handler lies between two blocks of one instruction each; all of it is taken out of the count. */
static void on_tick_entry(unsigned int cpu, void *user) {
    (void)cpu;
    (void)user;
    tick_began = executed - 1;
    in_tick = true;
}

static void on_tick_leave(unsigned int cpu, void *user) {
    (void)cpu;
    (void)user;
    if (open_window && in_tick) {
        began += executed - tick_began;
    }
    in_tick = false;
}

/* A record's model_bytes is the host's alone: it may already be written for the answers to come. */
static void on_answer(unsigned int cpu, void *user) {
    (void)cpu;
    (void)user;
    open_window = false;
    if (current()->model_bytes != 0) {
        shared->model.high = shared->model.low + current()->model_bytes;
    }
    record *const next = &shared->records[(shared->answers + 1) & (RECORDS - 1)];
    memset(&next->windows, 0, sizeof *next - offsetof(record, windows));
    __atomic_store_n(&shared->answers, shared->answers + 1, __ATOMIC_RELEASE);
}

static bool inside(const range *r, uint64_t address, uint64_t end) {
    return address >= r->low && end <= r->high;
}

static bool allowed(uint64_t address, uint64_t end, uint64_t need) {
    for (uint64_t i = 0; i < shared->range_count; i++) {
        if (inside(&shared->ranges[i], address, end) && (shared->ranges[i].allow & need) != 0) {
            return true;
        }
    }
    return false;
}

static bool inside_parts(uint64_t address, uint64_t end, uint64_t need) {
    if (part_count == 0 || part_count > MAX_PARTS) {
        return true;
    }
    for (uint64_t i = 0; i < part_count; i++) {
        if (inside(&parts[i], address, end) && (parts[i].allow & need) != 0) {
            return true;
        }
    }
    return false;
}

/* Bytes from the end of the nearest part that ends at or below `address`, but inside the access, to its end. */
static uint64_t gap_behind(uint64_t address, uint64_t end) {
    uint64_t nearest = 0;
    for (uint64_t i = 0; i < part_count && part_count <= MAX_PARTS; i++) {
        const uint64_t high = parts[i].high;
        nearest = high < end && parts[i].low <= address && high > nearest ? high : nearest;
    }
    return nearest != 0 ? end - nearest : 0;
}

static void on_forget(unsigned int cpu, void *user) {
    (void)cpu;
    (void)user;
    part_count = 0;
}

/* Outside of invocations: a load that tells a part, or one that matters to nobody. */
static void note_part(uint64_t pc, uint64_t address) {
    const bool store = pc - shared->watch_store < WATCH_BYTES;
    if (!store && pc - shared->watch_load >= WATCH_BYTES) {
        return;
    }
    if (pc == shared->watch_load || pc == shared->watch_store) {
        part_low = address;
        return;
    }
    if (part_count < MAX_PARTS) {
        const range told = {part_low, address + 1, store ? ALLOW_LOAD | ALLOW_STORE : ALLOW_LOAD, 0};
        parts[part_count] = told;
    }
    part_count += part_count <= MAX_PARTS;
}

static void on_bad(uint64_t pc, uint64_t address, uint64_t bytes, bool store) {
    record *const r = current();
    if (r->bad_count++ == 0) {
        r->bad_pc = pc;
        r->bad_address = address;
        r->bad_bytes = bytes;
        r->bad_store = store;
        r->bad_gap = inside(&shared->arena, address, address + bytes) ? gap_behind(address, address + bytes) : 0;
    }
}

/* Registered for loads and stores alike: QEMU 7.2 delivers both whatever is asked for. */
static void on_access(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void *user) {
    (void)cpu;
    const uint64_t pc = (uint64_t)(uintptr_t)user;
    if (!open_window) {
        note_part(pc, address);
        return;
    }
    if (in_tick) {
        return;
    }
    const bool store = qemu_plugin_mem_is_store(info);
    const uint64_t bytes = (uint64_t)1 << qemu_plugin_mem_size_shift(info);
    const uint64_t end = address + bytes;
    if (pc - shared->begin < BEGIN_BYTES) { /* what opc_meter_begin does is not part of the invocation */
        stack_entry = end;
        stack_low = end;
        stack_pc = 0;
        return;
    }
    record *const r = current();
    r->loads += !store;
    r->stores += store;
    if (inside(&shared->stack, address, end)) {
        if (store && address < stack_low) {
            stack_low = address;
            stack_pc = pc;
        }
    } else if (inside(&shared->arena, address, end)) {
        arena_top = store && end > arena_top ? end : arena_top;
        if (!inside_parts(address, end, store ? ALLOW_STORE : ALLOW_LOAD)) {
            on_bad(pc, address, bytes, store);
        }
    } else if (!store && inside(&shared->model, address, end)) {
        r->model_loads++;
    } else if (!allowed(address, end, store ? ALLOW_STORE : ALLOW_LOAD)) {
        on_bad(pc, address, bytes, store);
    }
}

static void watch(struct qemu_plugin_insn *insn, uint64_t pc) {
    const struct {
        uint64_t address;
        qemu_plugin_vcpu_udata_cb_t callback;
    } marks[] = {
        {shared->begin, on_begin},           {shared->end, on_end},     {shared->tick_entry, on_tick_entry},
        {shared->tick_leave, on_tick_leave}, {shared->fault, on_fault}, {shared->answer, on_answer},
        {shared->watch_forget, on_forget},
    };
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        if (marks[i].address == pc) {
            qemu_plugin_register_vcpu_insn_exec_cb(insn, marks[i].callback, QEMU_PLUGIN_CB_NO_REGS, NULL);
        }
    }
}

static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    const size_t count = qemu_plugin_tb_n_insns(tb);
    const uint64_t first = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    if (first >= shared->quiet_low && first < shared->quiet_high) {
        return;
    }
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &executed, count);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *const insn = qemu_plugin_tb_get_insn(tb, i);
        const uint64_t pc = qemu_plugin_insn_vaddr(insn);
        watch(insn, pc);
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
                                         (void *)(uintptr_t)pc);
    }
}

/* One argument: page=PATH of the shared file, at least sizeof(page) bytes. */
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc, char **argv) {
    (void)info;
    if (argc != 1 || strncmp(argv[0], "page=", 5) != 0) {
        return -1;
    }
    const int file = open(argv[0] + 5, O_RDWR);
    if (file < 0) {
        return -1;
    }
    void *const map = mmap(NULL, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (map == MAP_FAILED) {
        return -1;
    }
    shared = map;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    return 0;
}
