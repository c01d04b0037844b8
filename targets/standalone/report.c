#include "report.h"

#include "platform.h"
#include "semihosting.h"
#include "worker/transport.h"

void report_begin(void) {
    opc_measure_begin();
}

static void write_hex(uint32_t value, char end) {
    char text[10];
    for (uint32_t i = 0; i < 8; i++) {
        text[i] = "0123456789abcdef"[value >> (28u - 4u * i) & 15u];
    }
    text[8] = end;
    text[9] = '\0';
    (void)semihosting(SYS_WRITE0, text);
}

void report_end(opc_status status, uint32_t value) {
    opc_measure_end();
    opc_meter_answer();
    write_hex((uint32_t)status, ' ');
    write_hex(value, '\n');
}

void report_input(const opc_tensor *in) {
    uint8_t *bytes = in->data;
    for (uint32_t i = 0; i < in->bytes; i++) {
        bytes[i] = 0;
    }
}

void report_done(void) {
    semihosting_exit(0);
}
