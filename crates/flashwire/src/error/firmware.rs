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
    remedy: "the serial adapter at PA9 and PA10, without a method: -p /dev/ttyUSB0 or -p COM5",
    text: "\
An STM32F103 takes new firmware from the bootloader in its ROM, and that listens on one UART: PA9
sends, PA10 receives. A port with another method (serprog:, stm32-i2c:) leads elsewhere: serprog: to
the flash chip behind a programmer, and not into the programmer. Nothing was opened. The whole way
is in docs/programmer-stm32f103.md.\n",
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
