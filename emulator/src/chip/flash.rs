//! The embedded flash and its controller: PM0075 rev 2; times from DS5319 rev 18, table 28.
//!
//! While it is written or erased it cannot be read: the core waits, if its code or data is there.

use crate::time::Time;

use super::Refusal;

/// Where the main flash begins.
pub(super) const FLASH_BASE: u32 = 0x0800_0000;
/// Erase unit of parts up to medium density, and of those of high density: PM0075 section 2.1.
const PAGE_BYTES: usize = 1024;
const LARGE_PAGE_BYTES: usize = 2048;
/// What one bit of the option bytes protects: four pages, or two large ones; the last bit everything
/// behind (PM0075 section 2.4.2).
const GROUP_BYTES: u32 = 4096;
const LAST_GROUP: u32 = 31;
/// Option bytes: PM0075 section 2.2, eight pairs of a byte and its complement.
pub(super) const OPTIONS_BASE: u32 = 0x1fff_f800;
pub(super) const OPTIONS_BYTES: u32 = 16;

/// Programming a half-word, typical.
const PROGRAM: Time = Time::from_nanos(52_500);
/// Erasing a page or everything: between 20 and 40 ms.
const ERASE: Time = Time::from_millis(30);

/// FLASH_KEYR: PM0075 section 2.3.1.
const KEY1: u32 = 0x4567_0123;
const KEY2: u32 = 0xcdef_89ab;

/// FLASH_SR: PM0075 section 3.5.
const SR_BSY: u32 = 1 << 0;
const SR_PGERR: u32 = 1 << 2;
const SR_WRPRTERR: u32 = 1 << 4;
const SR_EOP: u32 = 1 << 5;

/// FLASH_CR: PM0075 section 3.6.
const CR_PG: u32 = 1 << 0;
const CR_PER: u32 = 1 << 1;
const CR_MER: u32 = 1 << 2;
const CR_OPTPG: u32 = 1 << 4;
const CR_OPTER: u32 = 1 << 5;
const CR_STRT: u32 = 1 << 6;
const CR_LOCK: u32 = 1 << 7;
const CR_OPTWRE: u32 = 1 << 9;
const CR_ERRIE: u32 = 1 << 10;
const CR_EOPIE: u32 = 1 << 12;
/// Everything that can be written while the controller is unlocked.
const CR_BITS: u32 = 0x1477;

/// The value of the RDP byte that leaves the flash open: PM0075 section 2.4.1.
const RDP_OPEN: u8 = 0xa5;

/// A lock that two keys in a row open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Closed,
    FirstKey,
    Open,
    /// A wrong key came: closed until the next reset.
    Jammed,
}

impl Lock {
    /// False if the key was wrong.
    fn turn(&mut self, key: u32) -> bool {
        *self = match (*self, key) {
            (Self::Closed, KEY1) => Self::FirstKey,
            (Self::FirstKey, KEY2) => Self::Open,
            (Self::Open, _) => Self::Open,
            _ => Self::Jammed,
        };
        *self != Self::Jammed
    }
}

/// Flash memory and controller.
#[derive(Debug)]
pub(super) struct Flash {
    memory: Vec<u8>,
    /// Option bytes as they are stored.
    options: [u8; OPTIONS_BYTES as usize],
    /// Option bytes as they were loaded at the last reset: they are the ones in force.
    loaded: [u8; OPTIONS_BYTES as usize],
    acr: u32,
    lock: Lock,
    option_lock: Lock,
    status: u32,
    control: u32,
    address: u32,
    busy_until: Time,
    /// End of operation is yet to be told.
    unfinished: bool,
    /// Changes with the content.
    version: u32,
}

impl Flash {
    /// Erased flash of `size_bytes`, open.
    pub(super) fn new(size_bytes: usize) -> Self {
        let options = [
            RDP_OPEN, !RDP_OPEN, 0xff, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0xff, 0x00, 0xff,
            0x00, 0xff, 0x00,
        ];
        Self {
            memory: vec![0xff; size_bytes],
            options,
            loaded: options,
            acr: 0x30,
            lock: Lock::Closed,
            option_lock: Lock::Closed,
            status: 0,
            control: CR_LOCK,
            address: 0,
            busy_until: Time::ZERO,
            unfinished: false,
            version: 0,
        }
    }

    /// Content and option bytes stay; the latter come into force.
    pub(super) fn reset(&mut self) {
        self.loaded = self.options;
        self.acr = 0x30;
        self.lock = Lock::Closed;
        self.option_lock = Lock::Closed;
        self.status = 0;
        self.control = CR_LOCK;
        self.busy_until = Time::ZERO;
        self.unfinished = false;
    }

    #[inline]
    pub(super) fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// Its content, for a programmer outside.
    pub(super) fn memory_mut(&mut self) -> &mut [u8] {
        self.version += 1;
        &mut self.memory
    }

    pub(super) fn options(&self) -> &[u8] {
        &self.options
    }

    #[inline]
    pub(super) fn version(&self) -> u32 {
        self.version
    }

    /// End of the operation under way; zero if there is none.
    #[inline]
    pub(super) fn busy_until(&self) -> Time {
        self.busy_until
    }

    pub(super) fn next_event(&self) -> Time {
        if self.unfinished {
            self.busy_until
        } else {
            Time::NEVER
        }
    }

    /// Wait states that the program chose: ACR.LATENCY.
    pub(super) fn wait_states(&self) -> u32 {
        self.acr & 7
    }

    /// Ends the operation under way if its time is over.
    pub(super) fn settle(&mut self, now: Time) {
        if self.unfinished && self.busy_until <= now {
            self.unfinished = false;
            self.busy_until = Time::ZERO;
            self.status |= SR_EOP;
        }
    }

    pub(super) fn read(&mut self, offset: u32, now: Time) -> Option<u32> {
        self.settle(now);
        Some(match offset {
            0x00 => self.acr | (self.acr & 0x10) << 1,
            // KEYR and OPTKEYR are write-only.
            0x04 | 0x08 => 0,
            0x0c => self.status | if self.unfinished { SR_BSY } else { 0 },
            0x10 => self.control,
            0x14 => self.address,
            0x1c => self.option_register(),
            0x20 => {
                let byte = |index: usize| u32::from(self.loaded[8 + 2 * index]);
                byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24
            }
            _ => return None,
        })
    }

    /// FLASH_OBR: PM0075 section 3.8.
    fn option_register(&self) -> u32 {
        let mismatch = self
            .loaded
            .chunks_exact(2)
            .any(|pair| pair[0] != !pair[1] && pair != [0xff, 0xff]);
        u32::from(mismatch)
            | u32::from(self.is_read_protected()) << 1
            | u32::from(self.loaded[2]) << 2
            | u32::from(self.loaded[4]) << 10
            | u32::from(self.loaded[6]) << 18
    }

    fn is_read_protected(&self) -> bool {
        self.loaded[0] != RDP_OPEN || self.loaded[1] != !RDP_OPEN
    }

    /// Writes a register.
    ///
    /// # Errors
    /// [`Refusal::BusFault`] for a wrong key (PM0075 section 2.3.1).
    pub(super) fn write(&mut self, offset: u32, value: u32, now: Time) -> Result<(), Refusal> {
        self.settle(now);
        match offset {
            // LATENCY, HLFCYA, PRFTBE.
            0x00 => self.acr = value & 0x1f,
            0x04 => {
                if !self.lock.turn(value) {
                    return Err(Refusal::BusFault("a wrong key for the flash"));
                }
                if self.lock == Lock::Open {
                    self.control &= !CR_LOCK;
                }
            }
            0x08 => {
                if !self.option_lock.turn(value) {
                    return Err(Refusal::BusFault("a wrong key for the option bytes"));
                }
                if self.option_lock == Lock::Open {
                    self.control |= CR_OPTWRE;
                }
            }
            0x0c => self.status &= !(value & (SR_PGERR | SR_WRPRTERR | SR_EOP)),
            0x10 => return self.write_control(value, now),
            0x14 => self.address = value,
            // OBR and WRPR are read-only.
            0x1c | 0x20 => {}
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    fn write_control(&mut self, value: u32, now: Time) -> Result<(), Refusal> {
        if self.control & CR_LOCK != 0 {
            return Err(Refusal::Mistake("FLASH_CR was written while it was locked"));
        }
        if value & CR_LOCK != 0 {
            self.lock = Lock::Closed;
            self.control |= CR_LOCK;
            return Ok(());
        }
        // OPTWRE can only be cleared.
        let option_write = self.control & value & CR_OPTWRE;
        if option_write == 0 {
            self.option_lock = Lock::Closed;
        }
        self.control = value & CR_BITS & !CR_STRT | option_write;
        if value & CR_STRT != 0 {
            return self.start_erase(now);
        }
        Ok(())
    }

    fn start_erase(&mut self, now: Time) -> Result<(), Refusal> {
        if self.unfinished {
            return Err(Refusal::Mistake(
                "an erase was started while the flash was busy",
            ));
        }
        match self.control & (CR_PER | CR_MER | CR_OPTER) {
            CR_PER => {
                let offset = self.address.wrapping_sub(FLASH_BASE) as usize;
                let page_bytes = if self.memory.len() > super::MEDIUM_DENSITY_BYTES {
                    LARGE_PAGE_BYTES
                } else {
                    PAGE_BYTES
                };
                let start = offset / page_bytes * page_bytes;
                if start >= self.memory.len() {
                    return Err(Refusal::Mistake("the page to be erased does not exist"));
                }
                if self.is_write_protected(start as u32) {
                    self.status |= SR_WRPRTERR;
                    return Ok(());
                }
                self.memory_mut()[start..start + page_bytes].fill(0xff);
            }
            CR_MER => {
                let size = self.memory.len() as u32;
                if (0..size)
                    .step_by(GROUP_BYTES as usize)
                    .any(|offset| self.is_write_protected(offset))
                {
                    self.status |= SR_WRPRTERR;
                    return Ok(());
                }
                self.memory_mut().fill(0xff);
            }
            CR_OPTER if self.control & CR_OPTWRE != 0 => self.options.fill(0xff),
            CR_OPTER => {
                return Err(Refusal::Mistake(
                    "the option bytes were to be erased while locked",
                ));
            }
            _ => return Err(Refusal::Mistake("FLASH_CR.STRT without one kind of erase")),
        }
        self.begin(now, ERASE);
        Ok(())
    }

    fn begin(&mut self, now: Time, duration: Time) {
        self.busy_until = now + duration;
        self.unfinished = true;
    }

    /// Whether the page at `offset` is protected (PM0075 section 2.4.2); with readout protection the
    /// first group always is (section 2.4.1).
    fn is_write_protected(&self, offset: u32) -> bool {
        let group = (offset / GROUP_BYTES).min(LAST_GROUP);
        let byte = self.loaded[8 + 2 * (group / 8) as usize];
        byte >> (group % 8) & 1 == 0 || group == 0 && self.is_read_protected()
    }

    /// A half-word is written to the main flash at `offset`: PM0075 section 2.3.3.
    ///
    /// # Errors
    /// [`Refusal::Mistake`] if the controller does not expect one.
    pub(super) fn program(&mut self, offset: u32, value: u16, now: Time) -> Result<(), Refusal> {
        self.settle(now);
        if self.control & CR_PG == 0 {
            return Err(Refusal::Mistake(
                "the flash was written while FLASH_CR.PG was clear",
            ));
        }
        let index = offset as usize & !1;
        let Some(old) = self.memory.get(index..index + 2) else {
            return Err(Refusal::Mistake("the flash was written behind its end"));
        };
        let old = u16::from_le_bytes([old[0], old[1]]);
        if self.is_write_protected(offset) {
            self.status |= SR_WRPRTERR;
        } else if old != 0xffff && value != 0 {
            self.status |= SR_PGERR;
        } else {
            self.memory_mut()[index..index + 2].copy_from_slice(&value.to_le_bytes());
            self.begin(now, PROGRAM);
        }
        Ok(())
    }

    /// A half-word is written to the option bytes at `offset`: PM0075 section 2.3.5. The controller
    /// makes the complement itself.
    ///
    /// # Errors
    /// [`Refusal::Mistake`] if the controller does not expect one.
    pub(super) fn program_option(
        &mut self,
        offset: u32,
        value: u16,
        now: Time,
    ) -> Result<(), Refusal> {
        self.settle(now);
        if self.control & (CR_OPTPG | CR_OPTWRE) != CR_OPTPG | CR_OPTWRE {
            return Err(Refusal::Mistake(
                "an option byte was written while they were locked",
            ));
        }
        let index = offset as usize & !1;
        if self.options[index] != 0xff {
            self.status |= SR_PGERR;
            return Ok(());
        }
        let byte = value as u8;
        // Opening a protected flash erases it first: PM0075 section 2.4.1.
        if index == 0 && byte == RDP_OPEN && self.is_read_protected() {
            self.memory_mut().fill(0xff);
        }
        self.options[index] = byte;
        self.options[index + 1] = !byte;
        self.begin(now, PROGRAM);
        Ok(())
    }

    pub(super) fn interrupts(&self) -> bool {
        self.control & CR_EOPIE != 0 && self.status & SR_EOP != 0
            || self.control & CR_ERRIE != 0 && self.status & (SR_PGERR | SR_WRPRTERR) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYR: u32 = 0x04;
    const OPTKEYR: u32 = 0x08;
    const SR: u32 = 0x0c;
    const CR: u32 = 0x10;
    const AR: u32 = 0x14;

    fn unlocked() -> Flash {
        let mut flash = Flash::new(65536);
        flash.write(KEYR, KEY1, Time::ZERO).unwrap();
        flash.write(KEYR, KEY2, Time::ZERO).unwrap();
        flash
    }

    fn status(flash: &mut Flash, now: Time) -> u32 {
        flash.read(SR, now).unwrap()
    }

    #[test]
    fn a_wrong_key_jams_the_lock_until_reset() {
        let mut flash = Flash::new(65536);
        flash.write(KEYR, KEY1, Time::ZERO).unwrap();
        let wrong = flash.write(KEYR, KEY1, Time::ZERO);
        assert!(matches!(wrong, Err(Refusal::BusFault(_))));
        assert!(flash.write(KEYR, KEY1, Time::ZERO).is_err());
        flash.reset();
        flash.write(KEYR, KEY1, Time::ZERO).unwrap();
        flash.write(KEYR, KEY2, Time::ZERO).unwrap();
        assert_eq!(flash.read(CR, Time::ZERO), Some(0));
    }

    #[test]
    fn a_half_word_takes_its_time_and_only_once() {
        let mut flash = unlocked();
        flash.write(CR, CR_PG, Time::ZERO).unwrap();
        flash.program(0x100, 0x1234, Time::ZERO).unwrap();
        assert_eq!(status(&mut flash, Time::from_micros(52)), SR_BSY);
        assert_eq!(status(&mut flash, Time::from_micros(53)), SR_EOP);
        flash.write(SR, SR_EOP, Time::from_micros(53)).unwrap();
        flash.program(0x100, 0x1230, Time::from_micros(60)).unwrap();
        assert_eq!(status(&mut flash, Time::from_micros(60)), SR_PGERR);
        assert_eq!(flash.memory()[0x100..0x102], [0x34, 0x12]);
        // Zero is allowed on top of anything.
        flash.program(0x100, 0, Time::from_micros(70)).unwrap();
        assert_eq!(flash.memory()[0x100..0x102], [0, 0]);
    }

    #[test]
    fn a_page_is_erased_and_its_neighbours_stay() {
        let mut flash = unlocked();
        flash.memory_mut()[1023..2049].fill(0);
        flash.write(CR, CR_PER, Time::ZERO).unwrap();
        flash.write(AR, FLASH_BASE + 1500, Time::ZERO).unwrap();
        flash.write(CR, CR_PER | CR_STRT, Time::ZERO).unwrap();
        assert_eq!(status(&mut flash, Time::from_millis(29)), SR_BSY);
        assert_eq!(status(&mut flash, Time::from_millis(30)), SR_EOP);
        assert_eq!(flash.memory()[1023], 0);
        assert!(flash.memory()[1024..2048].iter().all(|&byte| byte == 0xff));
        assert_eq!(flash.memory()[2048], 0);
    }

    #[test]
    fn nothing_works_while_it_is_locked() {
        let mut flash = Flash::new(65536);
        let locked = flash.write(CR, CR_PG, Time::ZERO);
        assert!(matches!(locked, Err(Refusal::Mistake(_))));
        let write = flash.program(0, 0, Time::ZERO);
        assert!(matches!(write, Err(Refusal::Mistake(_))));
        assert_eq!(flash.memory()[0], 0xff);
    }

    #[test]
    fn pages_of_a_part_of_high_density_are_twice_as_large() {
        let mut flash = unlocked();
        flash.memory = vec![0; 256 * 1024];
        flash.write(CR, CR_PER, Time::ZERO).unwrap();
        flash.write(AR, FLASH_BASE + 0x3_0400, Time::ZERO).unwrap();
        flash.write(CR, CR_PER | CR_STRT, Time::ZERO).unwrap();
        let erased = flash.memory().iter().filter(|&&byte| byte == 0xff).count();
        assert_eq!(erased, 2048);
        assert_eq!(flash.memory()[0x3_0000], 0xff);
    }

    #[test]
    fn a_protected_page_can_be_neither_written_nor_erased() {
        let mut flash = unlocked();
        // WRP0: the second group of four pages.
        flash.options[8] = 0xfd;
        flash.reset();
        flash.write(KEYR, KEY1, Time::ZERO).unwrap();
        flash.write(KEYR, KEY2, Time::ZERO).unwrap();
        flash.write(CR, CR_PG, Time::ZERO).unwrap();
        flash.program(4096, 0, Time::ZERO).unwrap();
        assert_eq!(status(&mut flash, Time::ZERO), SR_WRPRTERR);
        assert_eq!(flash.memory()[4096], 0xff);
        flash.write(SR, SR_WRPRTERR, Time::ZERO).unwrap();
        flash.write(CR, CR_MER, Time::ZERO).unwrap();
        flash.write(CR, CR_MER | CR_STRT, Time::ZERO).unwrap();
        assert_eq!(status(&mut flash, Time::ZERO), SR_WRPRTERR);
    }

    #[test]
    fn opening_a_protected_flash_erases_it() {
        let mut flash = unlocked();
        flash.options[..2].copy_from_slice(&[0, 0xff]);
        flash.memory_mut()[0x8000] = 0;
        flash.reset();
        for _ in 0..2 {
            flash.lock = Lock::Closed;
            flash.write(KEYR, KEY1, Time::ZERO).unwrap();
            flash.write(KEYR, KEY2, Time::ZERO).unwrap();
        }
        flash.write(OPTKEYR, KEY1, Time::ZERO).unwrap();
        flash.write(OPTKEYR, KEY2, Time::ZERO).unwrap();
        flash.write(CR, CR_OPTWRE | CR_OPTER, Time::ZERO).unwrap();
        let start = CR_OPTWRE | CR_OPTER | CR_STRT;
        flash.write(CR, start, Time::ZERO).unwrap();
        let now = Time::from_millis(31);
        flash.write(CR, CR_OPTWRE | CR_OPTPG, now).unwrap();
        flash.program_option(0, u16::from(RDP_OPEN), now).unwrap();
        assert_eq!(flash.memory()[0x8000], 0xff);
        assert_eq!(flash.options()[..2], [RDP_OPEN, !RDP_OPEN]);
        assert_eq!(flash.option_register() & 2, 2, "in force after a reset");
        flash.reset();
        assert_eq!(flash.option_register() & 3, 0);
    }
}
