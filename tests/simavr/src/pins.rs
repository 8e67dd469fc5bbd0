//! The pins of an Arduino Uno, by the numbers on its board: 0 to 13, and 14 to 19 for A0 to A5.

/// Ports B, C and D as the program has set them. DS40002061B, section 14.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pins {
    /// DDRB, DDRC, DDRD.
    pub(crate) directions: [u8; 3],
    /// PORTB, PORTC, PORTD.
    pub(crate) outputs: [u8; 3],
}

/// What a pin does to what is wired to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// Nothing, or a pull-up resistor.
    Released,
    /// It is driven low.
    Low,
    /// It is driven high.
    High,
}

impl Pins {
    /// What a pin does.
    pub(crate) fn drive(self, pin: u8) -> Drive {
        let (port, bit) = match pin {
            0..=7 => (2, pin),
            8..=13 => (0, pin - 8),
            _ => (1, pin - 14),
        };
        if self.directions[port] >> bit & 1 == 0 {
            Drive::Released
        } else if self.outputs[port] >> bit & 1 == 0 {
            Drive::Low
        } else {
            Drive::High
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_on_the_board() {
        // PB2 is 10, PD7 is 7, PC5 is A5.
        let pins = Pins {
            directions: [1 << 2, 1 << 5, 1 << 7],
            outputs: [0, 1 << 5, 0],
        };
        assert_eq!(pins.drive(10), Drive::Low);
        assert_eq!(pins.drive(7), Drive::Low);
        assert_eq!(pins.drive(19), Drive::High);
        assert_eq!(pins.drive(11), Drive::Released);
    }
}
