//! The small peripherals: CRC, PWR, BKP, and the unique id with the flash size.

use super::Refusal;

/// The polynomial of the CRC unit: RM0008 rev 21, section 4.2.
const POLYNOMIAL: u32 = 0x04c1_1db7;

/// CRC unit: RM0008 rev 21, section 4.4.
#[derive(Debug)]
pub(super) struct Crc {
    value: u32,
    independent: u32,
}

impl Default for Crc {
    fn default() -> Self {
        Self {
            value: 0xffff_ffff,
            independent: 0,
        }
    }
}

impl Crc {
    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.value,
            0x04 => self.independent,
            0x08 => 0,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) -> Result<(), Refusal> {
        match offset {
            0x00 => {
                self.value ^= value;
                for _ in 0..32 {
                    let top = self.value >> 31 != 0;
                    self.value <<= 1;
                    if top {
                        self.value ^= POLYNOMIAL;
                    }
                }
            }
            0x04 => self.independent = value & 0xff,
            0x08 if value & 1 != 0 => self.value = 0xffff_ffff,
            0x08 => {}
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }
}

/// PWR_CR.DBP: RM0008 rev 21, section 5.4.1.
const CR_DBP: u32 = 1 << 8;
/// PWR_CR.PDDS.
const CR_PDDS: u32 = 1 << 1;
/// Clear bits, which read as zero.
const CR_CLEAR: u32 = 0b1100;

/// Power control: RM0008 rev 21, section 5.4.
#[derive(Debug, Default)]
pub(super) struct Pwr {
    control: u32,
    status: u32,
}

impl Pwr {
    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.control,
            0x04 => self.status,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) -> Result<(), Refusal> {
        match offset {
            0x00 => self.control = value & 0x1ff & !CR_CLEAR,
            // EWUP.
            0x04 => self.status = value & 0x100,
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    /// Whether a deep sleep switches the core's power off.
    pub(super) fn stands_by(&self) -> bool {
        self.control & CR_PDDS != 0
    }

    /// Whether the backup domain may be written.
    pub(super) fn opens_backup(&self) -> bool {
        self.control & CR_DBP != 0
    }
}

/// Backup registers, which survive a reset: RM0008 rev 21, section 6.4.
#[derive(Debug, Default)]
pub(super) struct Bkp {
    data: [u32; 10],
    rtc_calibration: u32,
    control: u32,
}

impl Bkp {
    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x04..=0x28 => self.data[(offset as usize - 4) / 4],
            0x2c => self.rtc_calibration,
            0x30 => self.control,
            0x34 => 0,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, open: bool) -> Result<(), Refusal> {
        if !open {
            return Err(Refusal::Mistake(
                "BKP was written while PWR_CR.DBP was clear",
            ));
        }
        match offset {
            0x04..=0x28 => self.data[(offset as usize - 4) / 4] = value & 0xffff,
            0x2c => self.rtc_calibration = value & 0x3ff,
            0x30 if value & 1 != 0 => return Err(Refusal::NotModelled("the tamper pin")),
            0x30 => self.control = value & 2,
            0x34 => {}
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }
}

/// Where size and unique id stand: RM0008 rev 21, sections 30.1 and 30.2.
const FLASH_SIZE: u32 = 0x1fff_f7e0;
const UNIQUE_ID: u32 = 0x1fff_f7e8;

/// A word of the device electronic signature; None if nothing is there.
pub(super) fn signature(address: u32, flash_bytes: usize, unique_id: &[u8; 12]) -> Option<u32> {
    if address == FLASH_SIZE {
        return Some(0xffff_0000 | (flash_bytes / 1024) as u32);
    }
    let offset = address.checked_sub(UNIQUE_ID)? as usize;
    let bytes = unique_id.get(offset..offset + 4)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_unit_makes_the_published_value() {
        // CRC-32/MPEG-2 of the bytes 12 34 56 78, as any calculator of CRCs has it.
        let mut crc = Crc::default();
        crc.write(0x00, 0x1234_5678).unwrap();
        assert_eq!(crc.read(0x00), Some(0xdf8a_8a2b));
        crc.write(0x08, 1).unwrap();
        assert_eq!(crc.read(0x00), Some(0xffff_ffff));
    }

    #[test]
    fn backup_registers_need_the_key_of_the_power_control() {
        let mut bkp = Bkp::default();
        let mut pwr = Pwr::default();
        assert!(bkp.write(0x04, 0x1234, pwr.opens_backup()).is_err());
        pwr.write(0x00, CR_DBP).unwrap();
        bkp.write(0x04, 0x5_1234, pwr.opens_backup()).unwrap();
        assert_eq!(bkp.read(0x04), Some(0x1234));
    }

    #[test]
    fn the_signature_tells_size_and_unique_id() {
        let id = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        assert_eq!(signature(FLASH_SIZE, 128 * 1024, &id), Some(0xffff_0080));
        assert_eq!(signature(UNIQUE_ID + 8, 0, &id), Some(0x0c0b_0a09));
        assert_eq!(signature(UNIQUE_ID + 12, 0, &id), None);
    }
}
