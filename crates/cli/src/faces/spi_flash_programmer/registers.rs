//! Registers as the original shows them.

use flashwire::SpiStatus;

/// Status register 1: block protect bits BP0 to BP2 (W25Q64JV, section 7.1).
const LEVELS: u8 = 0x1C;
/// Status register 2: the registers are locked.
const SRL: u8 = 0x01;
/// Status register 2: the protection is the other way round.
const CMP: u8 = 0x40;

/// Registers of a line of a dump.
const LINE_BYTES: usize = 8;

/// A line of the original's dump; what is missing in it leaves its blanks.
pub(super) fn dump(bytes: &[u8]) -> String {
    let pairs = (0..LINE_BYTES).map(|index| {
        let byte = bytes.get(index);
        byte.map_or(String::new(), |byte| format!("{byte:02X}"))
    });
    format!("00000000: {}", pairs.collect::<Vec<_>>().join(" "))
}

/// The three status registers; one that the chip does not have reads as nobody drives the line.
pub(super) fn bytes(status: &SpiStatus) -> [u8; 3] {
    [
        status.sr1,
        status.sr2.unwrap_or(0xFF),
        status.sr3.unwrap_or(0xFF),
    ]
}

/// Whether the status registers can be written.
pub(super) fn configuration(status: &SpiStatus) -> &'static str {
    match status.sr2 {
        Some(sr2) if sr2 & SRL != 0 => "Configuration is fully protected",
        _ => "Configuration is unprotected",
    }
}

/// How much of the memory is protected.
pub(super) fn content(status: &SpiStatus) -> &'static str {
    let complement = status.sr2.is_some_and(|sr2| sr2 & CMP != 0);
    let whole = if complement { 0 } else { LEVELS };
    if !status.is_protected {
        "Flash content is unprotected"
    } else if status.sr1 & LEVELS == whole {
        "Flash content is fully protected"
    } else {
        "Flash content is partially protected"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_has_the_blanks_of_the_original() {
        assert_eq!(dump(&[0xEF, 0x40, 0x14]), "00000000: EF 40 14     ");
    }
}
