/* What the smallest firmware needs of a RISC-V core: handlers that never come back. */
#include "machine.h"

#include "platform.h"
#include "report.h"

void machine_start(void) {}

uint32_t machine_tick(void) {
    return 0;
}

static void fail(void) {
    report_end(OPC_INTERNAL, 0);
    report_done();
}

void machine_fault(const uint32_t *frame) {
    (void)frame;
    fail();
}

void machine_exit(uint32_t status) {
    (void)status;
    fail();
}

void platform_abandon(const uint32_t *words) {
    (void)words;
    fail();
}
