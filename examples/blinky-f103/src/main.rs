//! An application to flash: blinks the LED of a Blue Pill (STM32F103, LED on PC13) once a second
//! and counts on USART1 (PA9, 115200 baud 8N1), the serial port that the chip is flashed through.
//!
//! It needs no crate, no start-up code and no interrupt, so that all there is to know about the
//! flashed bytes stands on this page. It runs after a reset as well as straight from the ROM's
//! boot loader, which leaves the clock tree as it needed it.
//!
//! Register addresses and bits: RM0008 (STM32F10xxx reference manual); SysTick: ARM DDI 0403
//! (ARMv7-M Architecture Reference Manual), section B3.3.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

/// Clock of the core and of every bus after [`use_internal_clock`], in Hz. RM0008, section 7.2.2.
const CLOCK_HZ: u32 = 8_000_000;

/// What a terminal is set to.
const BAUD: u32 = 115_200;

/// LED on for this long, then off for this long.
const HALF_BLINK_MS: u32 = 500;

/// A peripheral's register.
#[derive(Clone, Copy)]
struct Register(u32);

// Section 3.3: memory map. Sections 7.3, 9.2, 27.6: RCC, GPIO and USART registers.
const RCC_CR: Register = Register(0x4002_1000);
const RCC_CFGR: Register = Register(0x4002_1004);
const RCC_APB2ENR: Register = Register(0x4002_1018);
const GPIOA_CRH: Register = Register(0x4001_0804);
const GPIOC_CRH: Register = Register(0x4001_1004);
const GPIOC_BSRR: Register = Register(0x4001_1010);
const USART1_SR: Register = Register(0x4001_3800);
const USART1_DR: Register = Register(0x4001_3804);
const USART1_BRR: Register = Register(0x4001_3808);
const USART1_CR1: Register = Register(0x4001_380C);
const SYST_CSR: Register = Register(0xE000_E010);
const SYST_RVR: Register = Register(0xE000_E014);
const SYST_CVR: Register = Register(0xE000_E018);

impl Register {
    fn read(self) -> u32 {
        // SAFETY: the constants above are the only registers, and all of them may be read at any
        // time without harm.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    fn write(self, value: u32) {
        // SAFETY: the constants above are the only registers; none of them moves or frees memory.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }

    /// Replaces the bits of `mask`.
    fn change(self, mask: u32, bits: u32) {
        self.write(self.read() & !mask | bits);
    }

    /// Waits until the bits of `mask` are `bits`.
    fn wait(self, mask: u32, bits: u32) {
        while self.read() & mask != bits {}
    }
}

fn main() -> ! {
    use_internal_clock();
    set_up_pins();
    set_up_serial();
    set_up_ticks();

    say(b"flashwire blinky: it runs\r\n");
    let mut blinks = 0_u32;
    loop {
        light(true);
        wait_ms(HALF_BLINK_MS);
        light(false);
        wait_ms(HALF_BLINK_MS);

        blinks = blinks.wrapping_add(1);
        say(b"blink ");
        say_number(blinks);
        say(b"\r\n");
    }
}

/// Runs everything from the 8 MHz oscillator in the chip, undivided, as after a reset.
fn use_internal_clock() {
    const HSION: u32 = 1;
    const HSIRDY: u32 = 1 << 1;
    const SW: u32 = 0b11;
    const SWS: u32 = 0b11 << 2;
    const PRESCALERS: u32 = 0x3FF << 4;

    RCC_CR.change(0, HSION);
    RCC_CR.wait(HSIRDY, HSIRDY);
    RCC_CFGR.change(SW | PRESCALERS, 0);
    RCC_CFGR.wait(SWS, 0);
}

/// PA9 is USART1's TX, PC13 the LED.
fn set_up_pins() {
    const IOPAEN: u32 = 1 << 2;
    const IOPCEN: u32 = 1 << 4;
    const USART1EN: u32 = 1 << 14;
    // Four bits a pin, pin 8 first. Section 9.2.2.
    const PIN9: u32 = 0xF << 4;
    const PIN9_FUNCTION_PUSH_PULL_50MHZ: u32 = 0b1011 << 4;
    const PIN13: u32 = 0xF << 20;
    const PIN13_OUTPUT_PUSH_PULL_2MHZ: u32 = 0b0010 << 20;

    RCC_APB2ENR.change(0, IOPAEN | IOPCEN | USART1EN);
    GPIOA_CRH.change(PIN9, PIN9_FUNCTION_PUSH_PULL_50MHZ);
    GPIOC_CRH.change(PIN13, PIN13_OUTPUT_PUSH_PULL_2MHZ);
}

fn set_up_serial() {
    const UE_AND_TE: u32 = 1 << 13 | 1 << 3;

    USART1_CR1.write(0);
    USART1_BRR.write((CLOCK_HZ + BAUD / 2) / BAUD);
    USART1_CR1.write(UE_AND_TE);
}

/// SysTick counts milliseconds.
fn set_up_ticks() {
    const ENABLE_FROM_CORE_CLOCK: u32 = 1 | 1 << 2;

    SYST_RVR.write(CLOCK_HZ / 1000 - 1);
    SYST_CVR.write(0);
    SYST_CSR.write(ENABLE_FROM_CORE_CLOCK);
}

fn wait_ms(duration_ms: u32) {
    // Reading it clears it.
    const COUNTFLAG: u32 = 1 << 16;

    for _ in 0..duration_ms {
        SYST_CSR.wait(COUNTFLAG, COUNTFLAG);
    }
}

/// The LED lies between 3.3 V and the pin: low is on.
fn light(on: bool) {
    const SET_PIN13: u32 = 1 << 13;
    const RESET_PIN13: u32 = 1 << (13 + 16);

    GPIOC_BSRR.write(if on { RESET_PIN13 } else { SET_PIN13 });
}

fn say(text: &[u8]) {
    const TXE: u32 = 1 << 7;

    for &byte in text {
        USART1_SR.wait(TXE, TXE);
        USART1_DR.write(byte.into());
    }
}

/// In decimal, without leading zeros.
fn say_number(number: u32) {
    let mut power = 1_000_000_000;
    while power > 1 && number < power {
        power /= 10;
    }
    while power > 0 {
        say(&[b'0' + (number / power % 10) as u8]);
        power /= 10;
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    stop()
}

/// What the core begins with: RM0008, section 10.1.2, and ARM DDI 0403, section B1.5.3. Only the
/// faults of the core are here, for no interrupt is ever enabled.
#[repr(C)]
struct Vectors {
    stack_top: unsafe extern "C" fn(),
    reset: extern "C" fn() -> !,
    faults: [extern "C" fn() -> !; 14],
}

unsafe extern "C" {
    /// The end of RAM: an address that the linker knows, not a function.
    fn stack_top();
}

#[used]
#[unsafe(link_section = ".vectors")]
static VECTORS: Vectors = Vectors {
    stack_top,
    reset,
    faults: [stop; 14],
};

#[unsafe(no_mangle)]
extern "C" fn reset() -> ! {
    main()
}

extern "C" fn stop() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
