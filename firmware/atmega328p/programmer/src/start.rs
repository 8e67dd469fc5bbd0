//! What runs between a reset and `main`.
//!
//! The vector table has two words an interrupt (DS40002061B, table 12-6). Two interrupts are used,
//! the others are never enabled; what they leave free holds this code, which avr-libc's start-up
//! would take beside its table.

use core::arch::global_asm;

global_asm!(
    ".section .vectors, \"ax\", @progbits",
    ".global __vectors",
    "__vectors:",
    // LLVM keeps zero in r1. A boot loader may have left anything in the stack pointer.
    "    clr  r1",
    "    out  0x3f, r1",            // SREG: no interrupts
    "    ldi  r28, 0xff",
    "    ldi  r29, 0x08",
    "    out  0x3e, r29",           // SPH
    "    out  0x3d, r28",           // SPL: 0x08FF, the last byte of the RAM
    // Constants and initial values: from flash, where they lie after the code. The compiler asks
    // for the two by name wherever there is something to copy or to clear.
    ".global __do_copy_data, __do_clear_bss",
    "__do_copy_data:",
    "__do_clear_bss:",
    "    ldi  r30, lo8(__data_load_start)",
    "    ldi  r31, hi8(__data_load_start)",
    "    ldi  r26, lo8(__data_start)",
    "    ldi  r27, hi8(__data_start)",
    "    ldi  r17, hi8(__data_end)",
    "    rjmp 2f",
    "1:  lpm  r0, Z+",
    "    st   X+, r0",
    "2:  cpi  r26, lo8(__data_end)",
    "    cpc  r27, r17",
    "    brne 1b",
    // Zeros follow.
    "    ldi  r17, hi8(__bss_end)",
    "    rjmp 4f",
    "3:  st   X+, r1",
    "4:  cpi  r26, lo8(__bss_end)",
    "    cpc  r27, r17",
    "    brne 3b",
    "    rjmp {main}",
    ".org 0x48",
    "    jmp  {received}",          // 19, USART Rx complete
    main = sym crate::main,
    received = sym crate::uart::received,
);
