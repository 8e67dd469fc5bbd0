//! Loaders on I2C that foreign tools judge, and what their documents say of them.

use std::process::Command;

use crate::bench::noise;
use crate::board;
use crate::built;
use crate::i2c::BUS;
use crate::served::Served;

/// A loader on I2C, and what AN2606 says of it: a third statement beside the client's tables and the
/// simulator's.
#[derive(Clone, Copy, Debug)]
pub struct Loader {
    /// The part.
    pub name: &'static str,
    /// The address that its loader has.
    pub address: &'static str,
    /// The version of its protocol, as stm32flash writes it.
    pub version: &'static str,
    /// What stm32flash calls the chip.
    pub id: &'static str,
    /// Size of its first erase units, in bytes.
    pub unit_bytes: usize,
    /// Size of its flash, in bytes.
    pub flash_bytes: usize,
}

const KIB: usize = 1024;

/// STM32F072RB (AN2606, section on STM32F071xx/072xx; RM0091, section 3.2).
pub const F072: Loader = Loader {
    name: "stm32f072rb",
    address: "0x3b",
    version: "0x10",
    id: "0x0448",
    unit_bytes: 2 * KIB,
    flash_bytes: 128 * KIB,
};

/// STM32F407VG (AN2606, section on STM32F40xxx/41xxx; RM0090, section 3.3).
pub const F407: Loader = Loader {
    name: "stm32f407vg",
    address: "0x3a",
    version: "0x10",
    id: "0x0413",
    unit_bytes: 16 * KIB,
    flash_bytes: 1024 * KIB,
};

/// STM32G071RB (AN2606, section on STM32G07xxx/08xxx; RM0444, section 3.3.1).
pub const G071: Loader = Loader {
    name: "stm32g071rb",
    address: "0x51",
    version: "0x12",
    id: "0x0460",
    unit_bytes: 2 * KIB,
    flash_bytes: 128 * KIB,
};

/// STM32G0B1RE (AN2606, section on STM32G0B1xx/0C1xx; RM0444, section 3.3.1).
pub const G0B1: Loader = Loader {
    name: "stm32g0b1re",
    address: "0x5d",
    version: "0x12",
    id: "0x0467",
    unit_bytes: 2 * KIB,
    flash_bytes: 512 * KIB,
};

/// STM32H743ZI (AN2606, section on STM32H74xxx/75xxx; RM0433, section 4.3).
pub const H743: Loader = Loader {
    name: "stm32h743zi",
    address: "0x4e",
    version: "0x11",
    id: "0x0450",
    unit_bytes: 128 * KIB,
    flash_bytes: 2048 * KIB,
};

/// STM32L476RG (AN2606, section on STM32L47xxx/48xxx; RM0351, section 3.3.1).
pub const L476: Loader = Loader {
    name: "stm32l476rg",
    address: "0x43",
    version: "0x12",
    id: "0x0415",
    unit_bytes: 2 * KIB,
    flash_bytes: 1024 * KIB,
};

/// All of them that stm32flash 0.7 knows.
pub const LOADERS: [Loader; 6] = [F072, F407, G071, G0B1, H743, L476];

/// How long the images are, in bytes: whole program units of every part (32 bytes on the H7), but
/// neither whole blocks of the protocol nor whole erase units.
pub const IMAGE_BYTES: usize = 156 * 32;

/// A program for any of them, and noise.
pub fn image() -> Vec<u8> {
    board::image()[..IMAGE_BYTES].to_vec()
}

impl Loader {
    /// The bench. Its bus has Fast-mode's clock, and its flash a tenth of the usual times.
    pub fn bench(&self) -> String {
        format!("{},bus=i2c,i2c-hz=400000,flash-percent=10", self.name)
    }

    /// What the flash holds before: noise, to the end of the erase unit behind the image's.
    pub fn old_content(&self) -> Vec<u8> {
        let mut content = noise(self.touched_bytes() + self.unit_bytes, 2);
        content.resize(self.flash_bytes, 0xFF);
        content
    }

    /// What it holds when the image was written and the rest of its erase units erased.
    pub fn written(&self) -> Vec<u8> {
        let mut content = self.old_content();
        content[..self.touched_bytes()].fill(0xFF);
        content[..IMAGE_BYTES].copy_from_slice(&image());
        content
    }

    /// What it holds when everything was erased.
    pub fn blank(&self) -> Vec<u8> {
        vec![0xFF; self.flash_bytes]
    }

    fn touched_bytes(&self) -> usize {
        IMAGE_BYTES.next_multiple_of(self.unit_bytes)
    }

    /// Serves the bench, with its old content.
    ///
    /// # Panics
    /// If it cannot be served.
    pub fn open(&self) -> Served {
        Served::open(&self.bench(), &self.old_content())
    }

    /// flashwire doing one of its commands on the bench, over its own system calls, asking nobody.
    ///
    /// # Panics
    /// If it does not build.
    pub fn flashwire(&self, bench: &Served, command: &str) -> Command {
        let mut program = bench.program(&built::flashwire());
        let port = format!("stm32-i2c:{BUS}@{}", self.address);
        program.args([command, "--yes", "--progress", "none", "--port", &port]);
        // What it keeps of old content goes with the bench, and what its user has set up stays out.
        program.env("XDG_STATE_HOME", bench.file("state"));
        program.env("XDG_CONFIG_HOME", bench.file("config"));
        program
    }
}
