//! Which files are for which chips: what ELF and UF2 files say of their target.

use flashwire_client::stm32::Family;

use crate::number;

/// `e_machine` of ARM (EM_ARM; ELF for the Arm Architecture, section "ELF header").
pub(crate) const ELF_ARM: u16 = 40;

/// `e_machine` of the eight-bit AVR (EM_AVR; System V ABI, "e_machine").
pub(crate) const ELF_AVR: u16 = 83;

/// Other `e_machine` values that firmware comes with. System V ABI, "e_machine".
const MACHINES: [(u16, &str); 9] = [
    (3, "an x86"),
    (8, "a MIPS"),
    (20, "a PowerPC"),
    (62, "an x86-64"),
    (83, "an AVR"),
    (94, "an Xtensa"),
    (105, "an MSP430"),
    (183, "an AArch64"),
    (243, "a RISC-V"),
];

/// What an `e_machine` is called, with its article.
pub(crate) fn machine_name(machine: u16) -> String {
    let known = MACHINES.iter().find(|(id, _)| *id == machine);
    known.map_or_else(
        || format!("machine {machine}"),
        |(_, name)| (*name).to_owned(),
    )
}

/// A UF2 family id: its name and, for ST's, the family of the chip.
struct Uf2Family {
    id: u32,
    name: &'static str,
    stm32: Option<Family>,
}

const fn stm32(id: u32, name: &'static str, family: Family) -> Uf2Family {
    Uf2Family {
        id,
        name,
        stm32: Some(family),
    }
}

const fn other(id: u32, name: &'static str) -> Uf2Family {
    Uf2Family {
        id,
        name,
        stm32: None,
    }
}

/// The ids that files are commonly made with. Source: github.com/microsoft/uf2,
/// `utils/uf2families.json`; ST's are complete.
const UF2_FAMILIES: [Uf2Family; 26] = [
    stm32(0x647824b6, "STM32F0", Family::F0),
    stm32(0x5ee21072, "STM32F1", Family::F1),
    stm32(0x5d1a0a2e, "STM32F2", Family::F2),
    stm32(0x6b846188, "STM32F3", Family::F3),
    stm32(0x57755a57, "STM32F4", Family::F4),
    stm32(0x6d0922fa, "STM32F407", Family::F4),
    stm32(0x8fb060fe, "STM32F407VG", Family::F4),
    stm32(0x53b80f00, "STM32F7", Family::F7),
    stm32(0x300f5633, "STM32G0", Family::G0),
    stm32(0x4c71240a, "STM32G4", Family::G4),
    stm32(0x6db66082, "STM32H7", Family::H7),
    stm32(0x202e3a91, "STM32L0", Family::L0),
    stm32(0x1e1f432d, "STM32L1", Family::L1),
    stm32(0x00ff6919, "STM32L4", Family::L4),
    stm32(0x04240bdf, "STM32L5", Family::L5),
    stm32(0x70d16653, "STM32WB", Family::WB),
    stm32(0x21460ff0, "STM32WL", Family::WL),
    other(0xe48bff56, "RP2040"),
    other(0x68ed2b88, "SAMD21"),
    other(0x55114460, "SAMD51"),
    other(0xada52840, "nRF52840"),
    other(0x621e937a, "nRF52833"),
    other(0x1c5f21b0, "ESP32"),
    other(0xbfdd4eee, "ESP32-S2"),
    other(0xc47e5767, "ESP32-S3"),
    other(0x31d228c6, "GD32F350"),
];

/// Whether a UF2 family id stands for chips of `family`.
pub(crate) fn is_for(id: u32, family: Family) -> bool {
    UF2_FAMILIES
        .iter()
        .any(|row| row.id == id && row.stm32 == Some(family))
}

/// What a UF2 family id stands for: `STM32F4`, or the number where it is not known.
pub fn name(id: u32) -> String {
    let known = UF2_FAMILIES.iter().find(|row| row.id == id);
    known.map_or_else(|| format!("family {id:#010x}"), |row| row.name.to_owned())
}

/// The UF2 family id that a name or a number stands for: `STM32F4`, in any case, or `0x57755a57`.
pub fn id(text: &str) -> Option<u32> {
    let named = UF2_FAMILIES
        .iter()
        .find(|row| row.name.eq_ignore_ascii_case(text));
    let number = || {
        number::parse(text)
            .ok()
            .and_then(|id| u32::try_from(id).ok())
    };
    named.map(|row| row.id).or_else(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_fits_its_own_chips_only() {
        assert!(is_for(0x57755a57, Family::F4));
        assert!(is_for(0x6d0922fa, Family::F4));
        assert!(!is_for(0x57755a57, Family::F1));
        assert!(!is_for(0xe48bff56, Family::F1));
        assert!(!is_for(0x12345678, Family::Unknown));
        assert_eq!(name(0x12345678), "family 0x12345678");
        assert_eq!(id("stm32f4"), Some(0x57755a57));
        assert_eq!(id("0x12345678"), Some(0x12345678));
        assert_eq!(id("STM32Q9"), None);
    }

    #[test]
    fn no_id_stands_twice_in_the_table() {
        for (n, row) in UF2_FAMILIES.iter().enumerate() {
            assert!(
                UF2_FAMILIES[n + 1..].iter().all(|other| other.id != row.id),
                "{}",
                row.name
            );
        }
    }
}
