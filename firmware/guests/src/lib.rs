//! What the emulator's guests have in common: registers, the start, the clock.
//!
//! Guests are programs that the emulator is tested with. They keep everything on the stack, so that
//! nothing has to be copied or cleared at the start, and need no interrupt handler: what is pending
//! wakes the core, and the program looks. Register addresses and bits: RM0008 rev 21; PM0056 rev 6
//! for those of the core.

#![no_std]

use core::panic::PanicInfo;

/// A register of 32 bits.
#[derive(Clone, Copy)]
pub struct Register(pub u32);

impl Register {
    /// Its value.
    pub fn read(self) -> u32 {
        // SAFETY: guests name registers of the chip only; reading one frees or moves no memory.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    /// Sets it.
    pub fn write(self, value: u32) {
        // SAFETY: guests name registers of the chip only, and those that move memory (DMA) are given
        // memory that lives as long as the program.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }

    /// Replaces the bits of `mask`.
    pub fn change(self, mask: u32, bits: u32) {
        self.write(self.read() & !mask | bits);
    }

    /// Waits until the bits of `mask` are `bits`.
    pub fn wait(self, mask: u32, bits: u32) {
        while self.read() & mask != bits {}
    }
}

/// RCC: section 7.3.
pub const RCC_CR: Register = Register(0x4002_1000);
/// RCC: section 7.3.
pub const RCC_CFGR: Register = Register(0x4002_1004);
/// RCC: section 7.3.
pub const RCC_APB2ENR: Register = Register(0x4002_1018);
/// RCC: section 7.3.
pub const RCC_APB1ENR: Register = Register(0x4002_101c);
/// FLASH: PM0075 rev 2, section 3.1.
pub const FLASH_ACR: Register = Register(0x4002_2000);

/// Runs the core at 72 MHz from the crystal, APB1 at 36 MHz and the USB at 48 MHz.
pub fn use_crystal() {
    const HSE: u32 = 1 << 16;
    const PLL: u32 = 1 << 24;
    const READY: u32 = 1;
    // PPRE1 2, ADCPRE 6, PLLSRC HSE, PLLMUL 9.
    const CFGR: u32 = 4 << 8 | 2 << 14 | 1 << 16 | 7 << 18;

    // Prefetch, two wait states.
    FLASH_ACR.write(0x12);
    RCC_CR.change(0, HSE);
    RCC_CR.wait(HSE << READY, HSE << READY);
    RCC_CFGR.write(CFGR);
    RCC_CR.change(0, PLL);
    RCC_CR.wait(PLL << READY, PLL << READY);
    RCC_CFGR.write(CFGR | 2);
    RCC_CFGR.wait(3 << 2, 2 << 2);
}

/// USART1: section 27.6.
const USART1_SR: Register = Register(0x4001_3800);
const USART1_DR: Register = Register(0x4001_3804);
const USART1_BRR: Register = Register(0x4001_3808);
const USART1_CR1: Register = Register(0x4001_380c);
const GPIOA_CRH: Register = Register(0x4001_0804);

/// PA9 is USART1's TX, at 115200 baud of a bus of `bus_hz`.
pub fn set_up_serial(bus_hz: u32) {
    RCC_APB2ENR.change(0, 1 << 2 | 1 << 14);
    GPIOA_CRH.change(0xf << 4, 0xb << 4);
    USART1_CR1.write(0);
    USART1_BRR.write(bus_hz / 115_200);
    USART1_CR1.write(1 << 13 | 1 << 3);
}

/// Sends a line.
pub fn say(text: &str) {
    for &byte in text.as_bytes().iter().chain(b"\n") {
        USART1_SR.wait(1 << 7, 1 << 7);
        USART1_DR.write(byte.into());
    }
}

/// What the core begins with: PM0056 rev 6, section 2.3.4. Interrupts are never taken.
#[repr(C)]
pub struct Vectors {
    stack_top: unsafe extern "C" fn(),
    reset: extern "C" fn() -> !,
    faults: [extern "C" fn() -> !; 14],
}

unsafe extern "C" {
    /// The end of RAM: an address that the linker knows, not a function.
    fn stack_top();
}

impl Vectors {
    /// Those of a program that begins with `reset`.
    pub const fn new(reset: extern "C" fn() -> !) -> Self {
        Self {
            stack_top,
            reset,
            faults: [stop; 14],
        }
    }
}

extern "C" fn stop() -> ! {
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    stop()
}
