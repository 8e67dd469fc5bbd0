//! Time as firmware counts it.

/// A moment: microseconds since some start, in 32 bits that wrap round every 71.6 minutes.
///
/// Thirty-two bits, because an AVR counts them without pain and a Cortex-M3 in one instruction; two
/// moments can be compared as long as less than half a round lies between them, 35 minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment(u32);

impl Moment {
    /// The moment at which the counter reads `micros`.
    pub const fn from_micros(micros: u32) -> Self {
        Self(micros)
    }

    /// What the counter reads.
    pub const fn micros(self) -> u32 {
        self.0
    }

    /// This many microseconds later. At most half a round, or it lies in the past.
    #[must_use]
    pub const fn plus_micros(self, micros: u32) -> Self {
        Self(self.0.wrapping_add(micros))
    }

    /// This many milliseconds later.
    #[must_use]
    pub const fn plus_millis(self, millis: u16) -> Self {
        // By multiplications of eight bits: those are all that an AVR can do in an instruction.
        let [low, high] = millis.to_le_bytes();
        let quarter = ((high as u16 * 250) as u32) << 8;
        let quarter = quarter + (low as u16 * 250) as u32;
        self.plus_micros(quarter << 2)
    }

    /// Microseconds from `earlier` to this moment.
    pub const fn micros_since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// Whether `other` is this moment or lies before it.
    pub const fn has_reached(self, other: Self) -> bool {
        self.micros_since(other) <= u32::MAX / 2
    }
}
