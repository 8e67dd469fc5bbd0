//! The STM32 parts: what cannot be asked of a chip and has to be known.
//!
//! The built-in table is `parts/parts.csv`, one row per product id (two where siblings share one),
//! each with its source. [`Parts`] reads only the rows of the id asked for, so that a start costs
//! next to nothing. A user's own table has the same form and goes before the built-in one; columns
//! that it leaves out have the defaults of [`Part::generic`].
//!
//! A part that nobody knows is no error here: [`Parts::find`] gives a generic part and says so.

mod csv;
mod family;
mod layout;
mod row;

use std::ops::Range;

use flashwire_protocol::stm32::Command;

pub use family::{Family, Timing};
pub use layout::{Layout, LayoutError};
pub use row::{PartsError, PartsErrorKind};

const BUILT_IN: &str = include_str!("parts/parts.csv");

/// What the tables say of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The answer to Get ID. AN2606, section "Device-dependent bootloader parameters".
    pub product_id: u16,
    /// Decides timings and the rule for programming what is not erased.
    pub family: Family,
    /// What ST calls the group of chips with this id.
    pub name: String,
    /// First address of the flash.
    pub flash_start: u32,
    /// Size of the largest flash sold under this id, in KiB. The chip's own register
    /// ([`flash_size_at`](Self::flash_size_at)) goes before it.
    pub flash_kib: Option<u32>,
    /// Sizes of the pages or sectors from [`flash_start`](Self::flash_start) on.
    pub layout: Option<Layout>,
    /// How many pages one sector of Write Protect spans.
    pub wrp_units: Option<u32>,
    /// The RAM that the loader leaves free. `None` where it uses all of it, or nobody knows.
    pub ram: Option<Range<u32>>,
    /// The option bytes.
    pub option_bytes: Option<Range<u32>>,
    /// The memory that the loader itself is in.
    pub system_memory: Option<Range<u32>>,
    /// Address of the 16-bit flash size, in KiB (see the quirks for exceptions).
    pub flash_size_at: Option<u32>,
    /// Address of the 96-bit unique id (see [`Quirk::SplitUniqueId`]).
    pub unique_id_at: Option<u32>,
    /// Address of the bootloader id: interfaces in the high half, revision in the low.
    pub bootloader_id_at: Option<u32>,
    /// Bootloader ids seen on this part. They tell siblings with one product id apart.
    pub bootloader_ids: Vec<u8>,
    /// Smallest piece that the flash can program, in bytes. Loaders acknowledge and drop what does
    /// not fill whole ones.
    pub program_unit: u32,
    /// What an erased byte reads as.
    pub erased: u8,
    /// The erase command that its loader is expected to list.
    pub erase_command: Option<Command>,
    /// What else is odd about it.
    pub quirks: Vec<Quirk>,
    /// Where the figures come from.
    pub source: String,
    /// What else is known.
    pub notes: String,
}

impl Part {
    /// What is assumed of a part that no table knows: flash at 0x0800_0000, where every STM32 but
    /// the STM32WB0 lineage has it; blocks of 256 bytes, which every known program unit divides;
    /// nothing about its size and pages, so that it can only be erased as a whole.
    pub fn generic(product_id: u16) -> Self {
        Self {
            product_id,
            family: Family::Unknown,
            name: format!("unknown STM32 (product id 0x{product_id:03X})"),
            flash_start: 0x0800_0000,
            flash_kib: None,
            layout: None,
            wrp_units: None,
            ram: None,
            option_bytes: None,
            system_memory: None,
            flash_size_at: None,
            unique_id_at: None,
            bootloader_id_at: None,
            bootloader_ids: Vec::new(),
            program_unit: 256,
            erased: 0xFF,
            erase_command: None,
            quirks: Vec::new(),
            source: String::new(),
            notes: String::new(),
        }
    }

    /// Whether the part has this oddity.
    pub fn has(&self, quirk: Quirk) -> bool {
        self.quirks.contains(&quirk)
    }
}

/// Something that is odd about a part or its loader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quirk {
    /// `no-mass-erase`: the loader refuses to erase everything at once (L0, L1: NACK unless the
    /// read protection is cycled). stm32flash 0.7, flag `F_NO_ME`.
    NoMassErase,
    /// `aligned-system-reads`: small reads in system memory are refused; a block from an aligned
    /// address is not. stm32loader issues 25, 43, 45, 61 (F4, L0).
    AlignedSystemReads,
    /// `no-system-reads`: system memory cannot be read at all. stm32loader (BlueNRG lineage).
    NoSystemReads,
    /// `split-unique-id`: the unique id's words stand at offsets 0x00, 0x04 and 0x14. RM0038
    /// and RM0367, "Device electronic signature"; OpenOCD (L0, L1).
    SplitUniqueId,
    /// `size-low-byte`: only the low byte of the flash size counts. RM0038, "Device electronic
    /// signature" (L1 category 2).
    SizeLowByte,
    /// `size-code`: the flash size is a code, 0 for 384 KiB and 1 for 256 KiB. RM0038,
    /// "Device electronic signature" (L1 category 4).
    SizeCode,
    /// `no-parity`: the loader speaks 8N1. stm32loader (AN4872, AN5471), stm32flash (STM32W).
    NoParity,
    /// `extra-ack`: one ACK too many follows the answer to 0x7F. stm32flash 0.7 (L412, loader
    /// version 13.1).
    ExtraAck,
    /// `no-read-while-writing`: what was just written reads as erased until all writes are done.
    /// ST community thread 115022 (H723).
    NoReadWhileWriting,
    /// `ram-write-corrupt`: RAM written through the loader is damaged. UM1879 (L476, loader version
    /// 9.0).
    RamWriteCorrupt,
    /// `obl-launch`: after the first programming only a reload of the option bytes starts the
    /// application. stm32flash 0.7, flag `F_OBLL`.
    OblLaunch,
    /// `pempty`: after the first programming the "program empty" bit must be toggled. stm32flash
    /// 0.7, flag `F_PEMPTY`.
    Pempty,
    /// `empty-check`: a chip that was blank at power-on starts its loader, whatever BOOT0 says,
    /// until the next power-on. AN2606, "Empty check".
    EmptyCheck,
    /// `shared-flash`: the top of the flash belongs to the radio stack, so erasing everything is
    /// refused or stops short. stm32loader, OpenOCD (WB).
    SharedFlash,
}

impl Quirk {
    const ALL: [(&'static str, Self); 14] = [
        ("no-mass-erase", Self::NoMassErase),
        ("aligned-system-reads", Self::AlignedSystemReads),
        ("no-system-reads", Self::NoSystemReads),
        ("split-unique-id", Self::SplitUniqueId),
        ("size-low-byte", Self::SizeLowByte),
        ("size-code", Self::SizeCode),
        ("no-parity", Self::NoParity),
        ("extra-ack", Self::ExtraAck),
        ("no-read-while-writing", Self::NoReadWhileWriting),
        ("ram-write-corrupt", Self::RamWriteCorrupt),
        ("obl-launch", Self::OblLaunch),
        ("pempty", Self::Pempty),
        ("empty-check", Self::EmptyCheck),
        ("shared-flash", Self::SharedFlash),
    ];

    /// The quirk that a table calls so.
    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, q)| *q)
    }
}

/// The tables of parts: the user's, if there is one, and the built-in one.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    user: Vec<Part>,
}

impl Parts {
    /// The built-in table.
    pub fn built_in() -> Self {
        Self::default()
    }

    /// The built-in table with the rows of `text` before it. The first line names the columns; only
    /// `product_id` is required. Lines that begin with `#` and empty lines are skipped.
    ///
    /// # Errors
    /// The first line that is wrong, and why.
    pub fn with_file(text: &str) -> Result<Self, PartsError> {
        let user = row::parse(text, |_| true)?;
        Ok(Self { user })
    }

    /// All parts with this product id: none, one, or siblings that only the bootloader id tells
    /// apart. Rows of the user's own table stand for all built-in ones of the same id.
    pub fn siblings(&self, product_id: u16) -> Vec<Part> {
        let same = |part: &&Part| part.product_id == product_id;
        let user: Vec<Part> = self.user.iter().filter(same).cloned().collect();
        if !user.is_empty() {
            return user;
        }
        // Only the lines of this id are parsed: starting up is to cost nothing.
        let start = format!("0x{product_id:03X},");
        row::parse(BUILT_IN, |line| line.starts_with(&start)).unwrap_or_default()
    }

    /// The part with this product id and, where siblings share it, this bootloader id; the first
    /// of them if that does not decide.
    pub fn find(&self, product_id: u16, bootloader_id: Option<u8>) -> Option<Part> {
        let mut siblings = self.siblings(product_id);
        let named = siblings
            .iter()
            .position(|part| bootloader_id.is_some_and(|id| part.bootloader_ids.contains(&id)))
            .unwrap_or(0);
        (named < siblings.len()).then(|| siblings.swap_remove(named))
    }

    /// Every part of both tables, the user's first.
    pub fn all(&self) -> Vec<Part> {
        let mut all = self.user.clone();
        all.extend(row::parse(BUILT_IN, |_| true).unwrap_or_default());
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_built_in_table_can_be_read_and_has_its_source() {
        let parts = row::parse(BUILT_IN, |_| true).unwrap();
        assert_eq!(parts.len(), BUILT_IN.lines().count() - 1);
        for part in parts {
            assert!(!part.source.is_empty(), "{}", part.name);
            assert_ne!(part.family, Family::Unknown, "{}", part.name);
            let found =
                Parts::built_in().find(part.product_id, part.bootloader_ids.first().copied());
            assert_eq!(found.as_ref(), Some(&part));
        }
    }

    #[test]
    fn layouts_fill_the_largest_flash_exactly() {
        for part in Parts::built_in().all() {
            let (Some(layout), Some(kib)) = (&part.layout, part.flash_kib) else {
                assert_eq!(part.name, "STM32N6xx", "it has no flash at all");
                continue;
            };
            let bytes: u64 = layout
                .runs(u64::from(kib) * 1024)
                .iter()
                .map(|(unit, count)| unit * count)
                .sum();
            assert_eq!(bytes, u64::from(kib) * 1024, "{}", part.name);
        }
    }

    #[test]
    fn siblings_are_told_apart_by_their_bootloader_id() {
        let parts = Parts::built_in();
        let name = |id| parts.find(0x442, id).unwrap().name;
        assert_eq!(name(Some(0x50)), "STM32F09xxx");
        assert_eq!(name(Some(0x52)), "STM32F030xC");
        assert_eq!(name(None), "STM32F09xxx");
        assert_eq!(parts.siblings(0x442).len(), 2);
    }

    #[test]
    fn a_users_row_goes_before_the_built_in_ones() {
        let text = "# mine\n\nproduct_id,name,flash_kib,layout\n0x442,Mine,64,1K*\n0x7AB,New,8,1K x4;2K*\n";
        let parts = Parts::with_file(text).unwrap();
        let mine = parts.find(0x442, Some(0x52)).unwrap();
        assert_eq!(mine.name, "Mine");
        assert_eq!(mine.flash_kib, Some(64));
        assert_eq!(mine.program_unit, 256, "what it leaves out is generic");
        assert_eq!(parts.find(0x7AB, None).unwrap().name, "New");
        assert_eq!(parts.find(0x410, None).unwrap().family, Family::F1);
        assert_eq!(parts.find(0x7AC, None), None);
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number() {
        let line = |text: &str| Parts::with_file(text).unwrap_err().to_string();
        assert_eq!(
            line("product_id,colour\n"),
            "line 1: there is no column \"colour\""
        );
        assert_eq!(
            line("name\nX\n"),
            "line 1: the column \"product_id\" is missing"
        );
        assert_eq!(line(""), "line 1: the column \"product_id\" is missing");
        assert_eq!(
            line("product_id,flash_kib\n\n# x\n0x999,many\n"),
            "line 4: flash_kib: \"many\" is no number"
        );
        assert_eq!(
            line("product_id,name\n0x999\n"),
            "line 2: 1 fields where the first line names 2"
        );
        assert_eq!(
            line("product_id,name\n0x999,\"open\n"),
            "line 2: a quoted field does not end"
        );
        assert_eq!(
            line("product_id,layout\n0x999,2K x\n"),
            "line 2: layout: \"2K x\" is no run of pages such as 16K x4, 64K or 2K*"
        );
        assert_eq!(
            line("product_id,quirks\n0x999,odd\n"),
            "line 2: quirks: there is no quirk \"odd\""
        );
        assert_eq!(
            line("product_id,ram\n0x999,0x2000-0x1000\n"),
            "line 2: ram: \"0x2000-0x1000\" is no range such as 0x20000000-0x20005000"
        );
        assert_eq!(
            line("product_id,unique_id_at\n0x999,0xFFFFFFFF\n"),
            "line 2: unique_id_at: 0xFFFFFFFF is no address of a chip"
        );
        assert_eq!(
            line("product_id,flash_start,flash_kib\n0x999,0xFF000000,65536\n"),
            "line 2: flash_kib: 65536 KiB do not fit behind flash_start"
        );
        assert_eq!(
            line("product_id,program_unit\n0x999,12\n"),
            "line 2: program_unit: 12 is no power of two from 1 to 256"
        );
        assert_eq!(
            line("product_id\n,\n"),
            "line 2: 2 fields where the first line names 1"
        );
        assert_eq!(
            line("product_id\nabc\n"),
            "line 2: product_id: \"abc\" is no number"
        );
    }
}
