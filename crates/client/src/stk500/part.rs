//! What a signature says.

use std::fmt;
use std::ops::Range;

use flashwire_protocol::stk500::SIGNATURE_BYTES;

/// Bytes of a page, which is what is erased and programmed at once: 64 words. ATmega328P data sheet
/// DS40002061B, "Memory Programming", "Page Size".
pub const PAGE_BYTES: usize = 128;

/// The three bytes by which an AVR says what it is: manufacturer, family and flash size, part.
/// ATmega328P data sheet DS40002061B, "Memory Programming", "Signature Bytes".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signature(pub [u8; SIGNATURE_BYTES]);

impl fmt::Display for Signature {
    /// As data sheets print it: `1E 95 0F`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([high, middle, low]) = self;
        write!(f, "{high:02X} {middle:02X} {low:02X}")
    }
}

/// A microcontroller whose flash can be written here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    /// What it answers.
    pub signature: Signature,
    /// The flash that no bootloader of Arduino's lies in: `boards.txt` of Arduino's AVR boards
    /// 1.8.7 gives 30720 bytes to a Nano. A loader that begins later cannot be told from a sketch
    /// that reaches so far, and a Nano with optiboot starts at the end of this.
    pub application: Range<u32>,
}

/// The flash below the largest boot section of Arduino boards with an ATmega328P: 1024 words at word
/// 0x3C00. Data sheet DS40002061B, "Boot Loader Support", "ATmega328/328P Boot Loader Parameters".
const APPLICATION: Range<u32> = 0..0x7800;

/// The two that Arduino boards of this kind have. They differ in their signature alone.
const PARTS: [Part; 2] = [
    Part {
        name: "ATmega328P",
        signature: Signature([0x1E, 0x95, 0x0F]),
        application: APPLICATION,
    },
    Part {
        name: "ATmega328",
        signature: Signature([0x1E, 0x95, 0x14]),
        application: APPLICATION,
    },
];

/// Others that a message should name. Signatures from their data sheets, as avrdude 7.1 lists them.
const OTHERS: [(&str, [u8; SIGNATURE_BYTES]); 17] = [
    ("an ATmega8", [0x1E, 0x93, 0x07]),
    ("an ATmega88", [0x1E, 0x93, 0x0A]),
    ("an ATmega88P", [0x1E, 0x93, 0x0F]),
    ("an ATmega8U2", [0x1E, 0x93, 0x89]),
    ("an ATmega168", [0x1E, 0x94, 0x06]),
    ("an ATmega168P", [0x1E, 0x94, 0x0B]),
    ("an ATmega168PB", [0x1E, 0x94, 0x15]),
    ("an ATmega16U2", [0x1E, 0x94, 0x89]),
    ("an ATmega328PB", [0x1E, 0x95, 0x16]),
    ("an ATmega32U4", [0x1E, 0x95, 0x87]),
    ("an ATmega32U2", [0x1E, 0x95, 0x8A]),
    ("an ATmega644P", [0x1E, 0x96, 0x0A]),
    ("an ATmega4809", [0x1E, 0x96, 0x51]),
    ("an ATmega1280", [0x1E, 0x97, 0x03]),
    ("an ATmega1284P", [0x1E, 0x97, 0x05]),
    ("an ATmega2560", [0x1E, 0x98, 0x01]),
    ("no chip at all", [0x00, 0x00, 0x00]),
];

impl Part {
    /// The part of a signature, if it is one that can be written here.
    pub fn of(signature: Signature) -> Option<&'static Self> {
        PARTS.iter().find(|part| part.signature == signature)
    }
}

/// What a signature is that no [`Part`] has, in words.
pub(super) fn describe(signature: Signature) -> &'static str {
    let known = OTHERS.iter().find(|(_, other)| *other == signature.0);
    known.map_or("a chip that is not known here", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_chips_of_an_uno_are_taken_and_their_kin_are_named() {
        let part = |signature| Part::of(Signature(signature)).map(|part| part.name);
        assert_eq!(part([0x1E, 0x95, 0x0F]), Some("ATmega328P"));
        assert_eq!(part([0x1E, 0x95, 0x14]), Some("ATmega328"));
        for (name, signature) in OTHERS {
            assert_eq!(part(signature), None, "{name}");
            assert_eq!(describe(Signature(signature)), name);
        }
        let stranger = Signature([0x1E, 0x42, 0x42]);
        assert_eq!(describe(stranger), "a chip that is not known here");
        assert_eq!(stranger.to_string(), "1E 42 42");
    }

    #[test]
    fn the_application_is_whole_pages() {
        for part in PARTS {
            assert_eq!(part.application.start, 0);
            assert_eq!(part.application.end as usize % PAGE_BYTES, 0);
        }
    }
}
