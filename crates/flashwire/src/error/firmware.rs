//! The hints about the images that flashwire brings along.

use super::hint::{Exit, Hint};

pub(super) static FIRMWARE_UNKNOWN: Hint = Hint {
    code: "firmware-unknown",
    exit: Exit::Usage,
    likely: "a typing mistake",
    remedy: "`flashwire firmware list` shows what there is",
    text: "\
The images that flashwire brings along have names, and this is none of them. An image of your own is
a file: `flashwire write FILE -p {port}`.\n",
};

pub(super) static FIRMWARE_PORT: Hint = Hint {
    code: "firmware-port",
    exit: Exit::Usage,
    likely: "the port is that of a programmer which runs already, or of something else",
    remedy: "the serial port that leads to the board's bootloader, without a method: -p /dev/ttyUSB0 or -p COM5",
    text: "\
An STM32F103 takes new firmware from the bootloader in its ROM, and that listens on one UART: PA9
sends, PA10 receives. A port with another method (serprog:, stm32-i2c:) leads elsewhere: serprog:
to the flash chip behind a programmer, and not into the programmer. An Arduino takes it from its
bootloader, on its own USB port (`stk500:`, which need not be said). Nothing was opened. The whole
ways are in docs/programmer-stm32f103.md and docs/programmer-arduino.md.\n",
};

pub(super) static FIRMWARE_CHIP: Hint = Hint {
    code: "firmware-chip",
    exit: Exit::Refused,
    likely: "another board is connected than the one the image is for",
    remedy: "`flashwire firmware list` shows the chip of each image; `flashwire info -p {port}` yours",
    text: "\
An image uses the pins, the clocks and the USB of the chip that it was made for, and would do
nothing on another. Nothing was erased. The STM32F103 image is for STM32F103x8 and larger: x6 lacks
the RAM, and F100, F105, F107 and the other families are other chips.\n",
};

pub(super) static FIRMWARE_SPACE: Hint = Hint {
    code: "firmware-space",
    exit: Exit::Refused,
    likely: "the chip is a smaller one of its family",
    remedy: "a board with an STM32F103C8 or larger: 64 KiB of flash and 20 KiB of RAM",
    text: "\
The chip is of the right kind and has too little flash or RAM for the image. It would not start, so
it was not written; nothing was erased. The figures are those that the chip's bootloader and the
table of parts give; `flashwire info -p {port}` shows them.\n",
};

pub(super) static FIRMWARE_SILENT: Hint = Hint {
    code: "firmware-silent",
    exit: Exit::Silent,
    likely: "the board's USB chip does not do this speed",
    remedy: "the build for 115200 baud: `flashwire firmware install programmer-atmega328p -p {port}`",
    text: "\
The image was written, read back and found right, and the bootloader was told to start it. Then it
was asked for its name at the speed that it was built for, and did not answer. The USB chips of
Arduino boards differ: FTDI's do 2 Mbaud, CH340 1 Mbaud and often 2, the ATmega16U2 of an Uno
115200 and seldom more. docs/programmer-arduino.md says which build is for which. The bootloader
is still there: another image can be installed in the same way.\n",
};
