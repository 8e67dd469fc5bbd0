//! What firmware does all day while it waits or drives pins: one loop over the same registers again
//! and again. What the emulator's speed at peripherals is measured with.
//!
//! The first word of the RAM says which loop; whoever starts the program puts it there.

#![no_std]
#![no_main]

use guests::{RCC_APB1ENR, RCC_APB2ENR, Register, Vectors, use_crystal};

#[used]
#[unsafe(link_section = ".vectors")]
static VECTORS: Vectors = Vectors::new(reset);

/// Which loop.
const CHOICE: Register = Register(0x2000_0000);

const RCC_AHBENR: Register = Register(0x4002_1014);
const GPIOA_CRL: Register = Register(0x4001_0800);
const GPIOA_IDR: Register = Register(0x4001_0808);
const GPIOA_BSRR: Register = Register(0x4001_0810);
const GPIOA_BRR: Register = Register(0x4001_0814);
/// Bit 0 of GPIOA_ODR in the bit-band alias: PM0056, section 2.2.5.
const GPIOA_ODR_0: Register = Register(0x4221_0180);
const SPI1_CR1: Register = Register(0x4001_3000);
const SPI1_SR: Register = Register(0x4001_3008);
const SPI1_DR: Register = Register(0x4001_300c);
const USART1_SR: Register = Register(0x4001_3800);
const TIM2_CR1: Register = Register(0x4000_0000);
const TIM2_CNT: Register = Register(0x4000_0024);
const TIM2_ARR: Register = Register(0x4000_002c);
const TIM2_SR: Register = Register(0x4000_0010);
const TIM2_DIER: Register = Register(0x4000_000c);
const USB_ISTR: Register = Register(0x4000_5c44);
const IWDG_KR: Register = Register(0x4000_3000);
const SYST_CSR: Register = Register(0xe000_e010);
const SYST_RVR: Register = Register(0xe000_e014);
const SYST_CVR: Register = Register(0xe000_e018);
const NVIC_ISER0: Register = Register(0xe000_e100);
const NVIC_ICPR0: Register = Register(0xe000_e280);

#[unsafe(no_mangle)]
extern "C" fn reset() -> ! {
    use_crystal();
    RCC_AHBENR.write(0x15);
    // AFIO, GPIOA, SPI1, USART1; TIM2, USB.
    RCC_APB2ENR.write(1 | 1 << 2 | 1 << 12 | 1 << 14);
    RCC_APB1ENR.write(1 | 1 << 23);
    // PA0 is an output; PA5 and PA7 are SPI1's.
    GPIOA_CRL.write(0xb4b4_4443);
    match CHOICE.read() {
        1 => toggle_a_pin(),
        2 => toggle_a_pin_by_its_alias(),
        3 => look_at_pins(),
        4 => exchange_by_polling(),
        5 => wait_for_a_character(),
        6 => read_a_timer(),
        7 => wait_for_a_timer(),
        8 => wait_by_systick(),
        9 => wait_for_the_usb(),
        10 => sleep_between_ticks(),
        _ => feed_the_watchdog(),
    }
}

fn toggle_a_pin() -> ! {
    loop {
        GPIOA_BSRR.write(1);
        GPIOA_BRR.write(1);
    }
}

fn toggle_a_pin_by_its_alias() -> ! {
    loop {
        GPIOA_ODR_0.write(1);
        GPIOA_ODR_0.write(0);
    }
}

fn look_at_pins() -> ! {
    loop {
        GPIOA_IDR.wait(1 << 4, 1 << 4);
        GPIOA_IDR.wait(1 << 4, 0);
    }
}

/// 9 MHz, as most drivers do it.
fn exchange_by_polling() -> ! {
    // SSM, SSI, SPE, BR 2, MSTR.
    SPI1_CR1.write(1 << 9 | 1 << 8 | 1 << 6 | 2 << 3 | 1 << 2);
    let mut byte = 0;
    loop {
        SPI1_SR.wait(1 << 1, 1 << 1);
        SPI1_DR.write(byte);
        SPI1_SR.wait(1, 1);
        byte = SPI1_DR.read().wrapping_add(1) & 0xff;
    }
}

fn wait_for_a_character() -> ! {
    loop {
        USART1_SR.wait(1 << 5, 1 << 5);
    }
}

fn read_a_timer() -> ! {
    TIM2_CR1.write(1);
    loop {
        TIM2_CNT.wait(0x8000, 0x8000);
        TIM2_CNT.wait(0x8000, 0);
    }
}

/// 100 kHz.
fn wait_for_a_timer() -> ! {
    TIM2_ARR.write(719);
    TIM2_CR1.write(1);
    loop {
        TIM2_SR.wait(1, 1);
        TIM2_SR.write(0);
    }
}

fn wait_by_systick() -> ! {
    SYST_RVR.write(71_999);
    SYST_CVR.write(0);
    SYST_CSR.write(5);
    loop {
        SYST_CSR.wait(1 << 16, 1 << 16);
    }
}

fn wait_for_the_usb() -> ! {
    loop {
        USB_ISTR.wait(1 << 15, 1 << 15);
    }
}

/// An interrupt at 10 kHz ends each sleep. It is masked, so that it wakes and is not taken.
fn sleep_between_ticks() -> ! {
    const TIM2: u32 = 1 << 28;
    TIM2_ARR.write(7199);
    TIM2_DIER.write(1);
    NVIC_ISER0.write(TIM2);
    TIM2_CR1.write(1);
    // SAFETY: no handler is run, and none is needed.
    unsafe { core::arch::asm!("cpsid i") }
    loop {
        // SAFETY: the core stands still until the timer wakes it.
        unsafe { core::arch::asm!("wfi") }
        TIM2_SR.write(0);
        NVIC_ICPR0.write(TIM2);
    }
}

fn feed_the_watchdog() -> ! {
    IWDG_KR.write(0xcccc);
    loop {
        IWDG_KR.write(0xaaaa);
    }
}
