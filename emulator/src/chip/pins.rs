//! GPIO and the part of AFIO that decides about pins: RM0008 rev 21, chapter 9.

use super::Refusal;

/// A port of 16 pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Port {
    /// PA.
    A,
    /// PB.
    B,
    /// PC.
    C,
    /// PD.
    D,
    /// PE.
    E,
}

/// A pin of the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin {
    /// Its port.
    pub port: Port,
    /// Its number, 0 to 15.
    pub number: u8,
}

impl Pin {
    /// Pin `number` of `port`.
    pub const fn new(port: Port, number: u8) -> Self {
        Self {
            port,
            number: number & 15,
        }
    }

    /// A pin by its name, as `PA4` or `pa4`.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        let rest = name.strip_prefix('P')?;
        let port = match rest.chars().next()? {
            'A' => Port::A,
            'B' => Port::B,
            'C' => Port::C,
            'D' => Port::D,
            'E' => Port::E,
            _ => return None,
        };
        let number: u8 = rest[1..].parse().ok()?;
        (number < 16).then_some(Self { port, number })
    }
}

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "P{:?}{}", self.port, self.number)
    }
}

/// What the chip does with a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// It drives it high or low.
    Push(bool),
    /// Nothing but a resistor of some 40 kOhm pulls it high or low.
    Pull(bool),
    /// It lets it float.
    Float,
    /// A peripheral drives it.
    Peripheral,
}

impl Drive {
    /// The level of a wire on which nobody else drives, given what a resistor outside does.
    pub fn level(self, outside: bool) -> bool {
        match self {
            Self::Push(level) | Self::Pull(level) => level,
            Self::Float | Self::Peripheral => outside,
        }
    }
}

/// The registers of one port: section 9.2.
#[derive(Debug)]
struct Registers {
    /// CRL and CRH: four bits a pin, mode below, configuration above.
    configuration: u64,
    output: u16,
    /// Pins whose configuration is locked; bit 16 is LCKK.
    lock: u32,
    /// How far the lock sequence has come.
    lock_step: u8,
    /// Pins that the world outside drives, and where it drives them high.
    driven_outside: u16,
    high_outside: u16,
    /// Kinds of pins, as the configuration has them: outputs of both stages and of the lower one
    /// alone, and inputs with a resistor.
    push_pull: u16,
    open_drain: u16,
    pulled: u16,
}

impl Default for Registers {
    fn default() -> Self {
        Self {
            // Floating inputs: sections 9.2.1 and 9.2.2.
            configuration: 0x4444_4444_4444_4444,
            output: 0,
            lock: 0,
            lock_step: 0,
            driven_outside: 0,
            high_outside: 0,
            push_pull: 0,
            open_drain: 0,
            pulled: 0,
        }
    }
}

/// LCKR.LCKK: section 9.2.7.
const LOCK_KEY: u32 = 1 << 16;

impl Registers {
    fn nibble(&self, number: u8) -> u8 {
        (self.configuration >> (4 * number) & 15) as u8
    }

    /// Table 20 of section 9.1.
    fn drive(&self, number: u8) -> Drive {
        let level = self.output >> number & 1 != 0;
        let nibble = self.nibble(number);
        match (nibble & 3, nibble >> 2) {
            (0, 2) => Drive::Pull(level),
            (0, _) => Drive::Float,
            (_, 0) => Drive::Push(level),
            (_, 1) if level => Drive::Float,
            (_, 1) => Drive::Push(false),
            (_, _) => Drive::Peripheral,
        }
    }

    /// IDR. What floats reads as low.
    fn input(&self) -> u32 {
        let pushed_low = self.open_drain & !self.output;
        let pushed = self.push_pull & self.output;
        let outside = self.high_outside & self.driven_outside & !self.push_pull & !pushed_low;
        let pulled = self.pulled & self.output & !self.driven_outside;
        u32::from(pushed | outside | pulled)
    }

    fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.configuration as u32,
            0x04 => (self.configuration >> 32) as u32,
            0x08 => self.input(),
            0x0c => u32::from(self.output),
            // BSRR and BRR are write-only.
            0x10 | 0x14 => 0,
            0x18 => self.lock,
            _ => return None,
        })
    }

    fn write(&mut self, offset: u32, value: u32) -> Result<(), Refusal> {
        match offset {
            0x00 => self.configure(0, value),
            0x04 => self.configure(8, value),
            // IDR is read-only.
            0x08 => {}
            0x0c => self.output = value as u16,
            0x10 => self.output = self.output & !((value >> 16) as u16) | value as u16,
            0x14 => self.output &= !(value as u16),
            0x18 => self.write_lock(value),
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    fn configure(&mut self, first: u8, value: u32) {
        for index in 0..8 {
            let number = first + index;
            let locked = self.lock & LOCK_KEY != 0 && self.lock >> number & 1 != 0;
            if !locked {
                let nibble = u64::from(value >> (4 * index) & 15);
                self.configuration =
                    self.configuration & !(15 << (4 * number)) | nibble << (4 * number);
            }
        }
        self.push_pull = self.pins_with(|nibble| nibble & 3 != 0 && nibble >> 2 == 0);
        self.open_drain = self.pins_with(|nibble| nibble & 3 != 0 && nibble >> 2 == 1);
        self.pulled = self.pins_with(|nibble| nibble == 0b1000);
    }

    /// The pins of a kind of configuration.
    fn pins_with(&self, kind: fn(u8) -> bool) -> u16 {
        (0..16).fold(0, |pins, number| {
            pins | u16::from(kind(self.nibble(number))) << number
        })
    }

    /// The key has to be written as 1, 0, 1 with the same pins: section 9.2.7.
    fn write_lock(&mut self, value: u32) {
        if self.lock & LOCK_KEY != 0 {
            return;
        }
        let pins = value & 0xffff;
        let key = value & LOCK_KEY != 0;
        self.lock_step = match (self.lock_step, key) {
            (0, true) => 1,
            (1, false) if pins == self.lock => 2,
            (2, true) if pins == self.lock => {
                self.lock |= LOCK_KEY;
                0
            }
            _ => 0,
        };
        if self.lock & LOCK_KEY == 0 {
            self.lock = pins;
        }
    }
}

/// All ports.
#[derive(Debug, Default)]
pub(super) struct Pins {
    ports: [Registers; 5],
}

impl Pins {
    /// The registers forget, the world outside stays as it is.
    pub(super) fn reset_port(&mut self, port: Port) {
        let registers = &mut self.ports[port as usize];
        *registers = Registers {
            driven_outside: registers.driven_outside,
            high_outside: registers.high_outside,
            ..Registers::default()
        };
    }

    pub(super) fn read(&self, port: Port, offset: u32) -> Option<u32> {
        self.ports[port as usize].read(offset)
    }

    pub(super) fn write(&mut self, port: Port, offset: u32, value: u32) -> Result<(), Refusal> {
        self.ports[port as usize].write(offset, value)
    }

    pub(super) fn drive(&self, pin: Pin) -> Drive {
        self.ports[pin.port as usize].drive(pin.number)
    }

    /// Whether a peripheral may drive the pin, push-pull or open-drain.
    pub(super) fn is_alternate_output(&self, pin: Pin) -> bool {
        self.drive(pin) == Drive::Peripheral
    }

    /// Drives a pin from outside, or lets go of it.
    pub(super) fn set_outside(&mut self, pin: Pin, level: Option<bool>) {
        let registers = &mut self.ports[pin.port as usize];
        let bit = 1 << pin.number;
        registers.driven_outside &= !bit;
        registers.high_outside &= !bit;
        if let Some(level) = level {
            registers.driven_outside |= bit;
            registers.high_outside |= u16::from(level) << pin.number;
        }
    }

    /// Levels of all pins of a port as IDR shows them.
    pub(super) fn inputs(&self, port: Port) -> u32 {
        self.ports[port as usize].input()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRL: u32 = 0x00;
    const IDR: u32 = 0x08;
    const ODR: u32 = 0x0c;
    const BSRR: u32 = 0x10;
    const BRR: u32 = 0x14;
    const LCKR: u32 = 0x18;

    #[test]
    fn out_of_reset_pins_float() {
        let pins = Pins::default();
        assert_eq!(pins.drive(Pin::new(Port::B, 7)), Drive::Float);
        assert_eq!(pins.read(Port::B, CRL), Some(0x4444_4444));
    }

    #[test]
    fn set_wins_over_reset_in_bsrr() {
        let mut pins = Pins::default();
        pins.write(Port::A, BSRR, 0x0001_0001).unwrap();
        assert_eq!(pins.read(Port::A, ODR), Some(1));
        pins.write(Port::A, BRR, 1).unwrap();
        assert_eq!(pins.read(Port::A, ODR), Some(0));
    }

    #[test]
    fn each_configuration_drives_as_table_20_says() {
        let mut pins = Pins::default();
        // PA0 to PA5: push-pull, open-drain, alternate push-pull, alternate open-drain, pull,
        // analog.
        pins.write(Port::A, CRL, 0x44_08_fb_73).unwrap();
        let pin = |number| Pin::new(Port::A, number);
        let drives = |pins: &Pins| [0, 1, 2, 3, 4, 5].map(|number| pins.drive(pin(number)));
        use Drive::{Float, Peripheral, Pull, Push};
        assert_eq!(
            drives(&pins),
            [
                Push(false),
                Push(false),
                Peripheral,
                Peripheral,
                Pull(false),
                Float
            ]
        );
        pins.write(Port::A, ODR, 0x3f).unwrap();
        assert_eq!(
            drives(&pins),
            [Push(true), Float, Peripheral, Peripheral, Pull(true), Float]
        );
    }

    #[test]
    fn an_input_shows_the_outside_and_otherwise_its_pull() {
        let mut pins = Pins::default();
        pins.write(Port::C, CRL, 0x0000_0888).unwrap();
        pins.write(Port::C, ODR, 0b011).unwrap();
        pins.set_outside(Pin::new(Port::C, 1), Some(false));
        pins.set_outside(Pin::new(Port::C, 2), Some(true));
        assert_eq!(pins.read(Port::C, IDR), Some(0b101));
    }

    #[test]
    fn idr_shows_what_drives_the_pin_in_every_configuration() {
        for nibble in 0..16 {
            for output in [0, 1] {
                for outside in [None, Some(false), Some(true)] {
                    let mut pins = Pins::default();
                    let pin = Pin::new(Port::B, 3);
                    pins.write(Port::B, CRL, nibble << 12).unwrap();
                    pins.write(Port::B, ODR, output << 3).unwrap();
                    pins.set_outside(pin, outside);
                    let level = match pins.drive(pin) {
                        Drive::Push(level) => level,
                        drive => outside.unwrap_or(drive.level(false)),
                    };
                    let expected = u32::from(level) << 3;
                    assert_eq!(
                        pins.read(Port::B, IDR),
                        Some(expected),
                        "{nibble:#x} {output} {outside:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_locked_pin_keeps_its_configuration() {
        let mut pins = Pins::default();
        for value in [0x1_0001, 0x0_0001, 0x1_0001] {
            pins.write(Port::A, LCKR, value).unwrap();
        }
        pins.write(Port::A, CRL, 0x3333_3333).unwrap();
        assert_eq!(pins.read(Port::A, CRL), Some(0x3333_3334));
        assert_eq!(pins.read(Port::A, LCKR), Some(0x1_0001));
    }

    #[test]
    fn pins_have_names() {
        assert_eq!(Pin::parse("pa4"), Some(Pin::new(Port::A, 4)));
        assert_eq!(Pin::parse("PC13"), Some(Pin::new(Port::C, 13)));
        assert_eq!(Pin::new(Port::C, 13).to_string(), "PC13");
        for wrong in ["", "P", "PA", "PA16", "PF1", "A4", "PA-1"] {
            assert_eq!(Pin::parse(wrong), None, "{wrong}");
        }
    }
}
