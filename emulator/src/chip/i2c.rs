//! I2C1 and I2C2 with nobody else on the bus: RM0008 rev 21, chapter 26.
//!
//! A master that starts, finds no slave (AF), and stops. A slave is never addressed. The SMBus
//! additions only keep what is written to them.

use crate::time::Time;

use super::Refusal;

/// I2C_CR1: section 26.6.1.
const CR1_PE: u32 = 1 << 0;
const CR1_START: u32 = 1 << 8;
const CR1_STOP: u32 = 1 << 9;
const CR1_SWRST: u32 = 1 << 15;
const CR1_BITS: u32 = 0xbffb;

/// I2C_CR2: section 26.6.2.
const CR2_ITERREN: u32 = 1 << 8;
const CR2_ITEVTEN: u32 = 1 << 9;
const CR2_BITS: u32 = 0x1f3f;

/// I2C_SR1: section 26.6.6.
const SR1_SB: u32 = 1 << 0;
const SR1_AF: u32 = 1 << 10;
/// Flags that are cleared by writing 0.
const SR1_ERRORS: u32 = 0xdf00;

/// I2C_SR2: section 26.6.7.
const SR2_MSL: u32 = 1 << 0;
const SR2_BUSY: u32 = 1 << 1;

/// Bits of an address with its acknowledge.
const ADDRESS_BITS: u64 = 9;

/// What goes on on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Start,
    Address,
    Stop,
}

/// One I2C.
#[derive(Debug, Default)]
pub(super) struct I2c {
    cr1: u32,
    cr2: u32,
    addresses: [u32; 2],
    data: u32,
    status: u32,
    status2: u32,
    clock_control: u32,
    rise: u32,
    under_way: Option<(Phase, Time)>,
}

impl I2c {
    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.cr1,
            0x04 => self.cr2,
            0x08 | 0x0c => self.addresses[(offset as usize - 0x08) / 4],
            0x10 => self.data,
            0x14 => self.status,
            0x18 => self.status2,
            0x1c => self.clock_control,
            0x20 => self.rise,
            _ => return None,
        })
    }

    /// Writes a register. `clock` is the period of PCLK1.
    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Time,
        clock: Time,
    ) -> Result<(), Refusal> {
        match offset {
            0x00 if value & CR1_SWRST != 0 => {
                *self = Self {
                    cr1: CR1_SWRST,
                    ..Self::default()
                };
            }
            0x00 => self.write_cr1(value & CR1_BITS, now, clock),
            0x04 => self.cr2 = value & CR2_BITS,
            0x08 | 0x0c => self.addresses[(offset as usize - 0x08) / 4] = value & 0xffff,
            0x10 => {
                self.data = value & 0xff;
                if self.status & SR1_SB != 0 {
                    self.status &= !SR1_SB;
                    let end = now + self.bit(clock) * ADDRESS_BITS;
                    self.under_way = Some((Phase::Address, end));
                }
            }
            0x14 => self.status &= value | !SR1_ERRORS,
            // SR2 is read-only.
            0x18 => {}
            0x1c => self.clock_control = value & 0xcfff,
            0x20 => self.rise = value & 0x3f,
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    fn write_cr1(&mut self, value: u32, now: Time, clock: Time) {
        self.cr1 = value;
        if value & CR1_PE == 0 {
            self.cr1 &= !(CR1_START | CR1_STOP);
            self.status = 0;
            self.status2 = 0;
            self.under_way = None;
        } else if value & CR1_STOP != 0 {
            self.under_way = Some((Phase::Stop, now + self.bit(clock)));
        } else if value & CR1_START != 0 && self.under_way.is_none() {
            self.under_way = Some((Phase::Start, now + self.bit(clock)));
        }
    }

    /// One period of SCL: section 26.6.8.
    fn bit(&self, clock: Time) -> Time {
        let count = u64::from(self.clock_control & 0xfff).max(1);
        let parts = match self.clock_control >> 14 {
            0 | 1 => 2,
            2 => 3,
            _ => 25,
        };
        clock * (count * parts)
    }

    pub(super) fn next_event(&self) -> Time {
        self.under_way.map_or(Time::NEVER, |(_, end)| end)
    }

    /// Does what is due at `now`.
    pub(super) fn service(&mut self, now: Time) {
        let Some((phase, _)) = self.under_way.filter(|&(_, end)| end <= now) else {
            return;
        };
        self.under_way = None;
        match phase {
            Phase::Start => {
                self.cr1 &= !CR1_START;
                self.status |= SR1_SB;
                self.status2 = SR2_MSL | SR2_BUSY;
            }
            // Nobody pulls the line low.
            Phase::Address => self.status |= SR1_AF,
            Phase::Stop => {
                self.cr1 &= !CR1_STOP;
                self.status2 = 0;
            }
        }
    }

    /// The lines of the event and the error interrupt.
    pub(super) fn interrupts(&self) -> (bool, bool) {
        let event = self.cr2 & CR2_ITEVTEN != 0 && self.status & SR1_SB != 0;
        let error = self.cr2 & CR2_ITERREN != 0 && self.status & SR1_AF != 0;
        (event, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PCLK1 at 36 MHz, SCL at 100 kHz.
    const CLOCK: Time = Time::period_of(36_000_000);

    #[test]
    fn nobody_answers_an_address_and_the_bus_is_let_go() {
        let mut i2c = I2c::default();
        let mut now = Time::ZERO;
        let write = |i2c: &mut I2c, offset, value, now| {
            i2c.write(offset, value, now, CLOCK).unwrap();
        };
        write(&mut i2c, 0x1c, 180, now);
        write(&mut i2c, 0x00, CR1_PE, now);
        write(&mut i2c, 0x00, CR1_PE | CR1_START, now);
        now = i2c.next_event();
        assert_eq!(now, Time::from_micros(10));
        i2c.service(now);
        assert_eq!((i2c.read(0x14), i2c.read(0x18)), (Some(SR1_SB), Some(3)));
        write(&mut i2c, 0x10, 0xa0, now);
        assert_eq!(i2c.next_event(), Time::from_micros(100));
        now = i2c.next_event();
        i2c.service(now);
        assert_eq!(i2c.read(0x14), Some(SR1_AF));
        write(&mut i2c, 0x04, CR2_ITERREN, now);
        assert_eq!(i2c.interrupts(), (false, true));
        write(&mut i2c, 0x14, !SR1_AF, now);
        write(&mut i2c, 0x00, CR1_PE | CR1_STOP, now);
        i2c.service(i2c.next_event());
        assert_eq!((i2c.read(0x00), i2c.read(0x18)), (Some(CR1_PE), Some(0)));
    }

    #[test]
    fn a_software_reset_forgets_everything() {
        let mut i2c = I2c::default();
        i2c.write(0x20, 37, Time::ZERO, CLOCK).unwrap();
        i2c.write(0x00, CR1_SWRST, Time::ZERO, CLOCK).unwrap();
        assert_eq!(i2c.read(0x20), Some(0));
        i2c.write(0x00, 0, Time::ZERO, CLOCK).unwrap();
        assert_eq!(i2c.read(0x00), Some(0));
    }
}
