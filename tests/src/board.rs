//! The boards that foreign tools judge, and what their documents say of them.
//!
//! A third statement beside the client's tables and the simulator's, small enough to be checked by
//! eye.

use crate::bench::noise;

/// A board with an STM32.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// The bench, as it stands behind `sim:`. Flash times are a tenth of the typical ones: how long
    /// an erase takes is not what is judged.
    pub bench: &'static str,
    /// What stm32loader calls its family, if it knows it.
    pub family: Option<&'static str>,
    /// Size of the first erase unit, in bytes; all units that an [`image`] touches have this size.
    pub unit_bytes: usize,
    /// Size of the flash, in bytes.
    pub flash_bytes: usize,
    /// Value of an erased byte.
    pub erased: u8,
}

/// STM32F103CB: 128 pages of 1 KiB (PM0075, section 2.1, table 2).
pub const F103: Board = Board {
    bench: "stm32f103cb,flash-percent=10",
    family: Some("F1"),
    unit_bytes: 1024,
    flash_bytes: 128 << 10,
    erased: 0xFF,
};

/// STM32F407VG: sectors of 16, 64 and 128 KiB (RM0090, section 3.3, table 5).
pub const F407: Board = Board {
    bench: "stm32f407vg,flash-percent=10",
    family: Some("F4"),
    unit_bytes: 16 << 10,
    flash_bytes: 1 << 20,
    erased: 0xFF,
};

/// STM32G071RB: 64 pages of 2 KiB (RM0444, section 3.3.1, table 9).
pub const G071: Board = Board {
    bench: "stm32g071rb,flash-percent=10",
    family: Some("G0"),
    unit_bytes: 2048,
    flash_bytes: 128 << 10,
    erased: 0xFF,
};

/// STM32L152RB: 512 pages of 256 bytes, erased to zero (RM0038, section 3.2, table 8).
pub const L152: Board = Board {
    bench: "stm32l152rb,flash-percent=10",
    family: None,
    unit_bytes: 256,
    flash_bytes: 128 << 10,
    erased: 0x00,
};

/// How long the test image is, in bytes: neither whole pages nor whole blocks.
const IMAGE_BYTES: usize = 5000;

/// A program for any of the boards: a vector table that leads into it, and noise.
pub fn image() -> Vec<u8> {
    // Stack pointer and reset vector, with the Thumb bit. ARM DDI 0403, section B1.5.3.
    let vectors = [0x2000_1000_u32, 0x0800_0101];
    let mut image: Vec<u8> = vectors.into_iter().flat_map(u32::to_le_bytes).collect();
    image.extend(noise(IMAGE_BYTES - image.len(), 1));
    image
}

impl Board {
    /// What the flash holds before anybody comes: noise beyond what the image will cover and
    /// beyond the erase units that it touches, then nothing.
    pub fn old_content(&self) -> Vec<u8> {
        let mut content = noise(self.touched_bytes() + 2 * self.unit_bytes, 2);
        content.resize(self.flash_bytes, self.erased);
        content
    }

    /// What it holds after the erase units that the image touches were erased, and the image was
    /// written.
    pub fn touched_content(&self) -> Vec<u8> {
        let mut content = self.old_content();
        content[..self.touched_bytes()].fill(self.erased);
        content[..IMAGE_BYTES].copy_from_slice(&image());
        content
    }

    /// What it holds after everything was erased, and the image was written.
    pub fn fresh_content(&self) -> Vec<u8> {
        let mut content = self.blank();
        content[..IMAGE_BYTES].copy_from_slice(&image());
        content
    }

    /// What it holds after everything was erased.
    pub fn blank(&self) -> Vec<u8> {
        vec![self.erased; self.flash_bytes]
    }

    /// From the start to the end of the last erase unit that the image touches, in bytes.
    fn touched_bytes(&self) -> usize {
        IMAGE_BYTES.next_multiple_of(self.unit_bytes)
    }
}

/// Compares flash contents without printing them.
///
/// # Panics
/// With the first differing address, if they differ.
#[track_caller]
pub fn assert_same_flash(found: &[u8], expected: &[u8]) {
    assert_eq!(found.len(), expected.len(), "size of the flash");
    let differs = found.iter().zip(expected).position(|(f, e)| f != e);
    if let Some(offset) = differs {
        panic!(
            "flash differs at offset {offset:#x}: found {:02x}, expected {:02x}",
            found[offset], expected[offset]
        );
    }
}
