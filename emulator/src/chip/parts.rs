//! The members of the family by name: DS5319 rev 18 (x8, xB), DS15060 (x4, x6) and DS5792 (xC, xD,
//! xE), table 2 of each.

/// A part number without package and temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// In small letters.
    pub name: &'static str,
    /// Flash memory in bytes.
    pub flash_bytes: usize,
    /// SRAM in bytes.
    pub sram_bytes: usize,
}

const fn part(name: &'static str, flash_kib: usize, sram_kib: usize) -> Part {
    Part {
        name,
        flash_bytes: flash_kib * 1024,
        sram_bytes: sram_kib * 1024,
    }
}

/// All of them. Those of more than 128 KiB have peripherals that are not modelled.
pub const PARTS: &[Part] = &[
    part("stm32f103c4", 16, 6),
    part("stm32f103r4", 16, 6),
    part("stm32f103t4", 16, 6),
    part("stm32f103c6", 32, 10),
    part("stm32f103r6", 32, 10),
    part("stm32f103t6", 32, 10),
    part("stm32f103c8", 64, 20),
    part("stm32f103r8", 64, 20),
    part("stm32f103t8", 64, 20),
    part("stm32f103v8", 64, 20),
    part("stm32f103cb", 128, 20),
    part("stm32f103rb", 128, 20),
    part("stm32f103tb", 128, 20),
    part("stm32f103vb", 128, 20),
    part("stm32f103rc", 256, 48),
    part("stm32f103vc", 256, 48),
    part("stm32f103zc", 256, 48),
    part("stm32f103rd", 384, 64),
    part("stm32f103vd", 384, 64),
    part("stm32f103zd", 384, 64),
    part("stm32f103re", 512, 64),
    part("stm32f103ve", 512, 64),
    part("stm32f103ze", 512, 64),
];

/// A part by its name, in letters of any size, with or without what follows the size of its flash
/// (`STM32F103C8T6`).
pub fn find_part(name: &str) -> Option<&'static Part> {
    let name = name.to_ascii_lowercase();
    PARTS.iter().find(|part| {
        name.strip_prefix(part.name)
            .is_some_and(|rest| rest.len() <= 2)
    })
}

/// Where a part of high density has a peripheral and the model has none: RM0008 rev 21, table 3.
pub(super) fn high_density_block(address: u32) -> Option<&'static str> {
    Some(match address & !0x3ff {
        0x4000_0c00 => "TIM5",
        0x4000_1000 => "TIM6",
        0x4000_1400 => "TIM7",
        0x4000_3c00 => "SPI3",
        0x4000_4c00 => "UART4",
        0x4000_5000 => "UART5",
        0x4000_7400 => "DAC",
        0x4001_1c00 => "GPIOF",
        0x4001_2000 => "GPIOG",
        0x4001_3400 => "TIM8",
        0x4001_3c00 => "ADC3",
        0x4001_8000 => "SDIO",
        0x4002_0400 => "DMA2",
        0xa000_0000 => "FSMC",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_as_they_are_printed_on_the_chip() {
        assert_eq!(find_part("STM32F103C8T6"), find_part("stm32f103c8"));
        assert_eq!(
            find_part("stm32f103rc").map(|part| part.flash_bytes),
            Some(256 * 1024)
        );
        for wrong in ["stm32f103", "stm32f103c9", "stm32f407vg", "stm32f103c8t6xx"] {
            assert_eq!(find_part(wrong), None, "{wrong}");
        }
    }
}
