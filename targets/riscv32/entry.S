/* Reset, traps, the way back from a fault, and the marks that the meter plugin watches. Machine mode throughout.
 * mscratch holds the end of the main stack while anything but a trap handler runs, and 0 while one does. */
    .option norvc                   /* marks and vectors count on instructions of four bytes */

    .equ    MSTATUS_MIE, 8
    .equ    EXIT_FAULT_IN_HANDLER, 70

.macro function name
    .section .text.\name, "ax", %progbits
    .balign 8                       /* a mark must not straddle a translation page of QEMU */
    .global \name
    .type   \name, %function
\name:
.endm

/* Where QEMU begins: at the first word of the memory. */
    .section .vectors, "ax", %progbits
    .global board_reset
    .type   board_reset, %function
board_reset:
    la      sp, opc_main_stack_top
    la      t0, board_fault_entry
    ori     t0, t0, 1               /* vectored: an interrupt goes to its own word of the table */
    csrw    mtvec, t0
    call    platform_init
    la      t0, opc_main_stack_top
    csrw    mscratch, t0
    j       board_thread
    .size   board_reset, . - board_reset

function board_thread
    la      sp, opc_task_stack_top
    csrsi   mstatus, MSTATUS_MIE
    call    platform_serve
    .size   board_thread, . - board_thread

/* Exceptions enter at the first word, the timer at the eighth; nothing else is ever enabled. */
    .section .text.board_fault_entry, "ax", %progbits
    .balign 256
    .global board_fault_entry, board_tick_entry
    .type   board_fault_entry, %function
    .type   board_tick_entry, %function
board_fault_entry:
    .rept   7
    j       board_fault
    .endr
board_tick_entry:
    j       board_tick
    .size   board_fault_entry, . - board_fault_entry

/* Report on the main stack, which no kernel touches, then go on in board_thread. */
board_fault:
    csrrw   sp, mscratch, sp
    beqz    sp, board_lost
    addi    sp, sp, -16
    sw      ra, 0(sp)
    sw      a0, 4(sp)
    csrrw   a0, mscratch, zero
    sw      a0, 8(sp)
    mv      a0, sp
    call    machine_fault           /* (ra, a0 and sp where it happened) */
board_resume:
    la      sp, opc_main_stack_top
    csrw    mscratch, sp
    la      t0, board_thread
    csrw    mepc, t0
    mret

board_lost:
    la      sp, opc_main_stack_top
    li      a0, EXIT_FAULT_IN_HANDLER
    call    machine_exit

/* Entry and exit are blocks of one instruction, so that the plugin can leave the handler out. */
board_tick:
    csrrw   sp, mscratch, sp
    beqz    sp, board_lost
    addi    sp, sp, -80
    sw      ra, 0(sp)
    sw      t0, 4(sp)
    sw      t1, 8(sp)
    sw      t2, 12(sp)
    sw      t3, 16(sp)
    sw      t4, 20(sp)
    sw      t5, 24(sp)
    sw      t6, 28(sp)
    sw      a0, 32(sp)
    sw      a1, 36(sp)
    sw      a2, 40(sp)
    sw      a3, 44(sp)
    sw      a4, 48(sp)
    sw      a5, 52(sp)
    sw      a6, 56(sp)
    sw      a7, 60(sp)
    csrrw   t0, mscratch, zero
    sw      t0, 64(sp)
    call    machine_tick            /* non-zero: the invocation has used its budget */
    bnez    a0, board_expired
    addi    t0, sp, 80
    csrw    mscratch, t0
    lw      ra, 0(sp)
    lw      t0, 4(sp)
    lw      t1, 8(sp)
    lw      t2, 12(sp)
    lw      t3, 16(sp)
    lw      t4, 20(sp)
    lw      t5, 24(sp)
    lw      t6, 28(sp)
    lw      a0, 32(sp)
    lw      a1, 36(sp)
    lw      a2, 40(sp)
    lw      a3, 44(sp)
    lw      a4, 48(sp)
    lw      a5, 52(sp)
    lw      a6, 56(sp)
    lw      a7, 60(sp)
    lw      sp, 64(sp)
    j       board_tick_leave

board_expired:
    li      a0, 0
    call    platform_abandon
    j       board_resume

    .balign 8
    .global board_tick_leave
    .type   board_tick_leave, %function
board_tick_leave:
    mret
    .size   board_tick_leave, . - board_tick_leave

/* opc_invocation is odd while a model is invoked. */
function opc_measure_begin
    la      t0, opc_invocation
    lw      t1, 0(t0)
    addi    t1, t1, 1
    sw      t1, 0(t0)
    j       opc_meter_begin
    .size   opc_measure_begin, . - opc_measure_begin

/* The end of this load tells the plugin the stack pointer at the entry of the invocation. */
    .balign 8
    .global opc_meter_begin
    .type   opc_meter_begin, %function
opc_meter_begin:
    lw      zero, -4(sp)
    ret
    .size   opc_meter_begin, . - opc_meter_begin

function opc_measure_end
    .global opc_meter_end
    .type   opc_meter_end, %function
opc_meter_end:
    j       1f
1:  la      t0, opc_invocation
    lw      t1, 0(t0)
    addi    t1, t1, 1
    sw      t1, 0(t0)
    ret
    .size   opc_measure_end, . - opc_measure_end

/* The addresses of these loads tell the plugin which bytes an invocation may touch. */
function opc_watch_load
    lbu     zero, 0(a0)
    lbu     zero, 0(a1)
    ret
    .size   opc_watch_load, . - opc_watch_load

function opc_watch_store
    lbu     zero, 0(a0)
    lbu     zero, 0(a1)
    ret
    .size   opc_watch_store, . - opc_watch_store

function opc_watch_forget
    ret
    .size   opc_watch_forget, . - opc_watch_forget

function opc_meter_answer
    ret
    .size   opc_meter_answer, . - opc_meter_answer

/* uint32_t semihosting_trap(uint32_t call, const void *block) */
    .section .text.semihosting_trap, "ax", %progbits
    .balign 16
    .global semihosting_trap
    .type   semihosting_trap, %function
semihosting_trap:
    slli    zero, zero, 0x1f
    ebreak
    srai    zero, zero, 7
    ret
    .size   semihosting_trap, . - semihosting_trap
