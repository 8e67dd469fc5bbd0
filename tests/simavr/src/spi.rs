//! The SPI unit of the chip as a master: a byte takes eight bits of the clock that is set. ATmega48A
//! to 328P data sheet (DS40002061B), section 19.
//!
//! Most significant bit first, mode 0 or 3; other settings, the interrupt and the slave are
//! complaints.

/// SPCR.
const SPIE: u8 = 1 << 7;
const SPE: u8 = 1 << 6;
const DORD: u8 = 1 << 5;
const MSTR: u8 = 1 << 4;
const CPOL: u8 = 1 << 3;
const CPHA: u8 = 1 << 2;
/// SPSR.
const SPIF: u8 = 1 << 7;
const WCOL: u8 = 1 << 6;
const SPI2X: u8 = 1 << 0;

/// The unit.
#[derive(Debug, Default)]
pub(crate) struct Spi {
    control: u8,
    double_speed: bool,
    received: u8,
    is_complete: bool,
    collided: bool,
    /// SPSR was read while a flag was set: the next access to SPDR clears it.
    was_seen: bool,
    transfer: Option<Transfer>,
}

#[derive(Clone, Copy, Debug)]
struct Transfer {
    byte: u8,
    done_at: u64,
}

/// A register of the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Register {
    Control,
    Status,
    Data,
}

impl Spi {
    /// The clock divided by how much: table 19-5.
    fn divider(&self) -> u64 {
        let divider = [4, 16, 64, 128][usize::from(self.control & 0b11)];
        if self.double_speed {
            divider / 2
        } else {
            divider
        }
    }

    /// The clock of the bus, in Hz, of a chip whose own is so fast.
    pub(crate) fn hz(&self, clock_hz: u32) -> u32 {
        clock_hz / self.divider() as u32
    }

    /// Whether the pins are the unit's.
    pub(crate) fn is_on(&self) -> bool {
        self.control & (SPE | MSTR) == SPE | MSTR
    }

    /// Whether a byte is under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.transfer.is_some()
    }

    /// What reading a register gives.
    pub(crate) fn read(&mut self, register: Register) -> u8 {
        match register {
            Register::Control => self.control,
            Register::Status => {
                self.was_seen |= self.is_complete || self.collided;
                let flag = |bit, is_set| if is_set { bit } else { 0 };
                flag(SPIF, self.is_complete)
                    | flag(WCOL, self.collided)
                    | flag(SPI2X, self.double_speed)
            }
            Register::Data => {
                self.clear_flags();
                self.received
            }
        }
    }

    /// What writing a register does. Returns what is wrong with it.
    pub(crate) fn write(
        &mut self,
        now: u64,
        register: Register,
        value: u8,
    ) -> Option<&'static str> {
        match register {
            Register::Control => {
                self.control = value;
                if value & SPE == 0 {
                    self.transfer = None;
                } else if value & MSTR == 0 {
                    return Some("the SPI is set to be a slave");
                }
                let is_mode_1_or_2 = (value & CPOL != 0) != (value & CPHA != 0);
                if value & (SPIE | DORD) != 0 || is_mode_1_or_2 {
                    return Some("the SPI is set to what no flash chip speaks, or to interrupts");
                }
            }
            Register::Status => self.double_speed = value & SPI2X != 0,
            Register::Data => {
                self.clear_flags();
                if !self.is_on() {
                    return Some("SPDR was written while the SPI was off");
                }
                if self.is_busy() {
                    self.collided = true;
                    return Some("SPDR was written while a byte was under way");
                }
                self.transfer = Some(Transfer {
                    byte: value,
                    done_at: now + 8 * self.divider(),
                });
            }
        }
        None
    }

    fn clear_flags(&mut self) {
        if std::mem::take(&mut self.was_seen) {
            self.is_complete = false;
            self.collided = false;
        }
    }

    /// When the byte under way is over.
    pub(crate) fn next_event(&self) -> Option<u64> {
        self.transfer.map(|transfer| transfer.done_at)
    }

    /// The byte that has gone out, if it is over; [`complete`](Self::complete) follows.
    pub(crate) fn advance(&mut self, now: u64) -> Option<u8> {
        let done = self.transfer.take_if(|transfer| transfer.done_at <= now)?;
        Some(done.byte)
    }

    /// What came in meanwhile.
    pub(crate) fn complete(&mut self, received: u8) {
        self.received = received;
        self.is_complete = true;
        self.was_seen = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_takes_eight_clocks_of_every_divider() {
        let dividers = [
            (0, SPI2X, 2),
            (0, 0, 4),
            (1, SPI2X, 8),
            (1, 0, 16),
            (2, SPI2X, 32),
            (2, 0, 64),
            (3, SPI2X, 64),
            (3, 0, 128),
        ];
        for (speed, double, divider) in dividers {
            let mut spi = Spi::default();
            spi.write(0, Register::Control, SPE | MSTR | speed);
            spi.write(0, Register::Status, double);
            assert_eq!(spi.hz(16_000_000), 16_000_000 / divider);
            assert_eq!(spi.write(1000, Register::Data, 0x9F), None);
            let done = 1000 + 8 * u64::from(divider);
            assert_eq!(spi.next_event(), Some(done));
            assert_eq!(spi.advance(done - 1), None);
            assert_eq!(spi.advance(done), Some(0x9F));
        }
    }

    #[test]
    fn the_flag_is_cleared_by_data_after_status_and_not_before() {
        let mut spi = Spi::default();
        spi.write(0, Register::Control, SPE | MSTR);
        spi.write(0, Register::Data, 1);
        spi.advance(1000);
        spi.complete(0x5A);
        assert_eq!(spi.read(Register::Data), 0x5A);
        assert_eq!(spi.read(Register::Status), SPIF);
        assert_eq!(spi.read(Register::Data), 0x5A);
        assert_eq!(spi.read(Register::Status), 0);
    }

    #[test]
    fn what_no_programmer_does_is_said() {
        let mut spi = Spi::default();
        assert!(spi.write(0, Register::Data, 0).is_some(), "off");
        assert!(spi.write(0, Register::Control, SPE).is_some(), "a slave");
        assert!(spi.write(0, Register::Control, SPE | MSTR | CPHA).is_some());
        assert!(
            spi.write(0, Register::Control, SPE | MSTR | CPHA | CPOL)
                .is_none()
        );
        assert!(spi.write(0, Register::Data, 1).is_none());
        assert!(spi.write(5, Register::Data, 2).is_some(), "a collision");
        assert_eq!(spi.read(Register::Status) & WCOL, WCOL);
    }
}
