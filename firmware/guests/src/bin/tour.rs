//! Touches what the start-up code of other people's programs touches, and says on USART1 what went
//! well: the vendor's libraries, Arduino cores, operating systems and Rust HALs between them.

#![no_std]
#![no_main]

use guests::{
    RCC_APB1ENR, RCC_APB2ENR, RCC_CFGR, RCC_CR, Register, Vectors, say, set_up_serial, use_crystal,
};

#[used]
#[unsafe(link_section = ".vectors")]
static VECTORS: Vectors = Vectors::new(reset);

/// A step of the tour: its name, and whether it went well.
type Step = (&'static str, fn() -> bool);

const STEPS: &[Step] = &[
    ("system control", system_control),
    ("cycle counter", cycle_counter),
    ("trace", trace),
    ("systick", systick),
    ("nvic", nvic),
    ("bus resets", bus_resets),
    ("pins", pins),
    ("identity", identity),
    ("bit band", bit_band),
    ("crc unit", crc_unit),
    ("dma", dma),
    ("exti", exti),
    ("timers", timers),
    ("adc", adc),
    ("i2c", i2c),
    ("backup and rtc", backup),
    ("watchdogs", watchdogs),
];

#[unsafe(no_mangle)]
extern "C" fn reset() -> ! {
    // SystemInit of the vendor's library: back to the state of a reset, whoever was here before.
    RCC_CR.change(0, 1);
    RCC_CFGR.change(!0xf8ff_0000, 0);
    RCC_CR.change(0x0109_0000, 0);
    RCC_CR.change(1 << 18, 0);
    RCC_CFGR.change(0x7f << 16, 0);
    Register(0x4002_1008).write(0x009f_0000);
    use_crystal();
    RCC_APB2ENR.write(0x7e7d);
    RCC_APB1ENR.write(0x18e6_4807);
    Register(0x4002_1014).write(0x55);
    set_up_serial(72_000_000);
    for &(name, step) in STEPS {
        say(name);
        if !step() {
            say("FAILED");
        }
    }
    say("done");
    loop {
        // The watchdogs run.
        Register(0x4000_3000).write(0xaaaa);
        Register(0x4000_2c00).write(0xff);
    }
}

fn system_control() -> bool {
    let vtor = Register(0xe000_ed08);
    vtor.write(0x0800_0000);
    // CPACR: no coprocessor can be switched on.
    Register(0xe000_ed88).change(0, 0xf << 20);
    // SHCSR: memory, bus and usage faults.
    Register(0xe000_ed24).change(0, 7 << 16);
    // CCR: DIV_0_TRP, STKALIGN. AIRCR: priority group 3.
    Register(0xe000_ed14).change(0, 1 << 4 | 1 << 9);
    Register(0xe000_ed0c).write(0x05fa_0300);
    // ACTLR and MPU_TYPE are looked for and not there.
    let mpu = Register(0xe000_ed90).read();
    Register(0xe000_e008).write(0);
    vtor.read() == 0x0800_0000
        && Register(0xe000_ed0c).read() == 0xfa05_0300
        && Register(0xe000_ed00).read() >> 4 & 0xfff == 0xc23
        && mpu == 0
}

fn cycle_counter() -> bool {
    Register(0xe000_edfc).change(0, 1 << 24);
    Register(0xe000_1004).write(0);
    Register(0xe000_1000).change(0, 1);
    let first = Register(0xe000_1004).read();
    let second = Register(0xe000_1004).read();
    second > first && second < 1000
}

fn trace() -> bool {
    // TPIU and ITM as for SWO, with DBGMCU_CR.TRACE_IOEN.
    Register(0xe004_2004).change(0, 1 << 5);
    Register(0xe004_00f0).write(2);
    Register(0xe004_0010).write(7);
    Register(0xe004_0304).write(0);
    Register(0xe000_0fb0).write(0xc5ac_ce55);
    Register(0xe000_0e80).write(0x1_000d);
    Register(0xe000_0e00).write(1);
    Register(0xe000_0000).wait(1, 1);
    Register(0xe000_0000).write(u32::from(b'x'));
    Register(0xe000_edf0).read() & 1 == 0
}

fn systick() -> bool {
    Register(0xe000_e014).write(71_999);
    Register(0xe000_e018).write(0);
    Register(0xe000_e010).write(5);
    // SHPR3: the lowest priority.
    Register(0xe000_ed20).change(0xff << 24, 0xf0 << 24);
    Register(0xe000_e010).wait(1 << 16, 1 << 16);
    Register(0xe000_e010).read() & 1 << 16 == 0 && Register(0xe000_e01c).read() == 9000
}

fn nvic() -> bool {
    // Everything off, as operating systems begin; four bits of priority.
    Register(0xe000_e180).write(u32::MAX);
    Register(0xe000_e184).write(u32::MAX);
    Register(0xe000_e280).write(u32::MAX);
    Register(0xe000_e414).write(0xffff_ffff);
    Register(0xe000_e414).read() == 0xf0f0_f0f0 && Register(0xe000_e100).read() == 0
}

fn bus_resets() -> bool {
    // ChibiOS: everything but what is in use; libopencm3: one after the other.
    for (register, value) in [
        (0x4002_1010, !(1 << 28)),
        (0x4002_100c, !(1 << 14 | 1 << 2)),
    ] {
        Register(register).write(value);
        Register(register).write(0);
    }
    // The clock security system has nothing to do.
    RCC_CR.change(0, 1 << 19);
    Register(0x4002_2000).read() & 0x3f == 0x32
}

fn pins() -> bool {
    // AFIO: the pins of JTAG, and USART1 where it is.
    Register(0x4001_0004).write(0x0200_0000);
    Register(0x4001_1004).change(0xf << 20, 2 << 20);
    Register(0x4001_1010).write(1 << 13);
    Register(0x4001_1014).write(1 << 13);
    Register(0x4001_0c00).change(0xf << 8, 8 << 8);
    Register(0x4001_0c10).write(1 << 2);
    Register(0x4001_0c08).read() & 1 << 2 != 0 && Register(0x4001_100c).read() & 1 << 13 == 0
}

fn identity() -> bool {
    let kib = Register(0x1fff_f7e0).read() & 0xffff;
    let id = [0x1fff_f7e8, 0x1fff_f7ec, 0x1fff_f7f0].map(|address| Register(address).read());
    // DBGMCU_IDCODE reads as zero without a debugger; option bytes leave the chip open.
    let code = Register(0xe004_2000).read();
    let options = Register(0x4002_201c).read();
    (16..=128).contains(&kib) && id[0] != id[1] && code == 0 && options & 3 == 0
}

fn bit_band() -> bool {
    // GPIOC's clock, and LED, by their own addresses.
    let alias =
        |address: u32, bit: u32| Register(0x4200_0000 + (address & 0xf_ffff) * 32 + bit * 4);
    alias(0x4002_1018, 4).write(1);
    alias(0x4001_100c, 13).write(1);
    alias(0x4001_100c, 13).read() == 1 && Register(0x4001_100c).read() & 1 << 13 != 0
}

fn crc_unit() -> bool {
    Register(0x4002_3008).write(1);
    Register(0x4002_3000).write(0x1234_5678);
    Register(0x4002_3000).read() == 0xdf8a_8a2b
}

fn dma() -> bool {
    let source = *b"flashwire-guests";
    let target = [0_u8; 16];
    let channel = |register: u32| Register(0x4002_0008 + register);
    channel(0).write(0);
    channel(4).write(source.len() as u32 / 4);
    channel(8).write(source.as_ptr() as u32);
    channel(12).write(target.as_ptr() as u32);
    // MEM2MEM, words, both addresses count up.
    channel(0).write(0x4ac1);
    core::hint::black_box((&source, &target));
    Register(0x4002_0000).wait(2, 2);
    Register(0x4002_0004).write(0xf);
    channel(0).write(0);
    // SAFETY: `target` lives; it is read as it is and not as the compiler knows it.
    let moved = unsafe { target.as_ptr().cast::<[u8; 16]>().read_volatile() };
    moved == source
}

fn exti() -> bool {
    // libopencm3 asks for interrupt and event. PB2 is pulled up: no edge comes.
    Register(0x4001_0008).write(1 << 8);
    for register in [0x4001_0400, 0x4001_0404, 0x4001_0408, 0x4001_040c] {
        Register(register).change(0, 1 << 2);
    }
    let quiet = Register(0x4001_0414).read() & 1 << 2 == 0;
    Register(0x4001_0410).write(1 << 2);
    let told = Register(0x4001_0414).read() & 1 << 2 != 0;
    Register(0x4001_0414).write(1 << 2);
    Register(0x4001_0400).write(0);
    Register(0x4001_0404).write(0);
    quiet && told
}

fn timers() -> bool {
    // TIM1 to TIM4: a count a microsecond, PWM on channel 1, outputs on (TIM1_BDTR).
    for base in [0x4001_2c00, 0x4000_0000, 0x4000_0400, 0x4000_0800] {
        let timer = |offset: u32| Register(base + offset);
        timer(0x08).write(0);
        timer(0x28).write(71);
        timer(0x2c).write(99);
        timer(0x34).write(50);
        timer(0x18).write(0x68);
        timer(0x20).write(1);
        timer(0x44).write(0x8000);
        timer(0x14).write(1);
        timer(0x10).write(0);
        timer(0x0c).write(0);
        timer(0x00).write(0x81);
        timer(0x10).wait(3, 3);
    }
    true
}

fn adc() -> bool {
    let adc = |offset: u32| Register(0x4001_2400 + offset);
    // On, with the temperature sensor; calibrated; channel 16 at its slowest.
    adc(0x08).write(1 << 23 | 1);
    adc(0x08).change(0, 1 << 3);
    adc(0x08).wait(1 << 3, 0);
    adc(0x08).change(0, 1 << 2);
    adc(0x08).wait(1 << 2, 0);
    adc(0x0c).write(7 << 18);
    adc(0x34).write(16);
    adc(0x08).change(0, 7 << 17 | 1 << 20);
    adc(0x08).change(0, 1 << 22);
    adc(0x00).wait(2, 2);
    // Between -40 and 125 degrees Celsius.
    (1100..=2300).contains(&adc(0x4c).read())
}

fn i2c() -> bool {
    // Looks for a part at 0x3c and finds none.
    let i2c = |offset: u32| Register(0x4000_5400 + offset);
    i2c(0x00).write(1 << 15);
    i2c(0x00).write(0);
    i2c(0x04).write(36);
    i2c(0x1c).write(180);
    i2c(0x20).write(37);
    i2c(0x00).write(1);
    i2c(0x00).change(0, 1 << 8);
    i2c(0x14).wait(1, 1);
    i2c(0x10).write(0x78);
    i2c(0x14).wait(1 << 10, 1 << 10);
    i2c(0x14).write(0);
    i2c(0x00).change(0, 1 << 9);
    i2c(0x18).wait(2, 0);
    true
}

fn backup() -> bool {
    // PWR and BKP have clocks; the door is opened; the RTC counts the internal oscillator.
    Register(0x4000_7000).change(0, 1 << 8);
    Register(0x4000_6c04).write(0x4f42);
    Register(0x4002_1024).change(0, 1);
    Register(0x4002_1024).wait(2, 2);
    Register(0x4002_1020).write(1 << 16);
    Register(0x4002_1020).write(0);
    Register(0x4000_6c04).write(0x4f42);
    Register(0x4002_1020).change(0, 2 << 8);
    Register(0x4002_1020).change(0, 1 << 15);
    let rtc = |offset: u32| Register(0x4000_2800 + offset);
    rtc(0x04).change(1 << 3, 0);
    rtc(0x04).wait(1 << 3, 1 << 3);
    rtc(0x04).wait(1 << 5, 1 << 5);
    rtc(0x04).change(0, 1 << 4);
    rtc(0x08).write(0);
    // A thousandth of a second.
    rtc(0x0c).write(39);
    rtc(0x18).write(0);
    rtc(0x1c).write(5);
    rtc(0x04).change(1 << 4, 0);
    while rtc(0x1c).read() < 7 {}
    Register(0x4000_6c04).read() == 0x4f42
}

fn watchdogs() -> bool {
    Register(0x4000_3000).write(0x5555);
    Register(0x4000_3004).write(4);
    Register(0x4000_3008).write(0xfff);
    Register(0x4000_300c).wait(3, 0);
    Register(0x4000_3000).write(0xcccc);
    Register(0x4000_3000).write(0xaaaa);
    Register(0x4000_2c04).write(3 << 7 | 0x7f);
    Register(0x4000_2c00).write(0xff);
    true
}
