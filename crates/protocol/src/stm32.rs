//! ST ROM bootloader protocol over UART (AN3155).
