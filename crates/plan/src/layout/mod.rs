//! Named parts of a memory: which addresses a name stands for.
//!
//! Three descriptions are read: the text files that flashrom takes with `-l`, the table that Intel
//! chipsets find at the start of their flash chip ([`Layout::from_descriptor`]), and coreboot's flash
//! map ([`Layout::from_fmap`]). Regions may lie in each other, as those of a flash map do; only
//! those that are used together must not ([`Layout::select`]).
//!
//! Not here: reading files or chips. What is read is not believed: a table that points beyond the
//! memory is an error.

mod descriptor;
mod error;
mod fmap;
mod text;

use std::ops::Range;

use crate::ranges;

pub use descriptor::DESCRIPTOR_BYTES;
pub use error::LayoutError;
pub use fmap::{FMAP_HEADER_BYTES, fmap_bytes};

/// Most regions of a layout: more than anybody names, and few enough for any memory.
pub const MOST_REGIONS: usize = 4096;

/// A named part of a memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// What it is called; never empty, no white space around it.
    pub name: String,
    /// Its addresses, counted from the start of the memory; never empty.
    pub range: Range<u64>,
}

/// All regions of a memory, in the order of their description, each name once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    regions: Vec<Region>,
}

impl Layout {
    /// Reads a layout file of flashrom: a region a line, `START:END NAME`, both addresses
    /// hexadecimal, END the last byte that belongs to it. Blank lines, and lines that begin with
    /// `#`, say nothing.
    ///
    /// # Errors
    /// [`LayoutError::Line`] with the first line that is none of these,
    /// [`LayoutError::SameName`], [`LayoutError::NoRegions`], [`LayoutError::TooMany`].
    pub fn parse(text: &[u8]) -> Result<Self, LayoutError> {
        text::parse(text)
    }

    /// Reads an Intel flash descriptor. `bytes` is the beginning of the memory, at least
    /// [`DESCRIPTOR_BYTES`] of it. Regions are called as flashrom calls them: `fd`, `bios`, `me`,
    /// `gbe`, `pd`, and so on.
    ///
    /// # Errors
    /// [`LayoutError::NoDescriptor`] where there is none, [`LayoutError::BadDescriptor`] where it
    /// contradicts itself.
    pub fn from_descriptor(bytes: &[u8]) -> Result<Self, LayoutError> {
        descriptor::parse(bytes)
    }

    /// Reads the flash map that begins at `bytes`.
    ///
    /// # Errors
    /// [`LayoutError::NoFmap`] if none begins there, [`LayoutError::BadFmap`] if one does and makes
    /// no sense.
    pub fn from_fmap(bytes: &[u8]) -> Result<Self, LayoutError> {
        fmap::parse(bytes)
    }

    /// Finds the first flash map in `bytes` that makes sense, wherever it begins.
    ///
    /// # Errors
    /// [`LayoutError::NoFmap`] if there is none; if there are only some that make no sense, why the
    /// first of them does not.
    pub fn find_fmap(bytes: &[u8]) -> Result<Self, LayoutError> {
        fmap::find(bytes)
    }

    /// All of them.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The regions with these names, in order of address.
    ///
    /// # Errors
    /// [`LayoutError::UnknownRegion`], [`LayoutError::Overlap`] if two of them share bytes;
    /// one that is named twice shares all of its own.
    pub fn select(&self, names: &[&str]) -> Result<Vec<Region>, LayoutError> {
        let mut selected = Vec::with_capacity(names.len());
        for &name in names {
            let region = self.regions.iter().find(|region| region.name == name);
            selected.push(region.cloned().ok_or_else(|| self.unknown(name))?);
        }
        selected.sort_by_key(|region| region.range.start);
        for pair in selected.windows(2) {
            if let Some(range) = ranges::overlap(&pair[0].range, &pair[1].range) {
                return Err(LayoutError::Overlap {
                    first: pair[0].name.clone(),
                    second: pair[1].name.clone(),
                    range,
                });
            }
        }
        Ok(selected)
    }

    /// Checks that all regions lie in a memory of this size.
    ///
    /// # Errors
    /// [`LayoutError::Outside`] with the first that does not.
    pub fn check_fits(&self, memory_bytes: u64) -> Result<(), LayoutError> {
        let outside = |region: &&Region| region.range.end > memory_bytes;
        match self.regions.iter().find(outside) {
            Some(region) => Err(LayoutError::Outside {
                name: region.name.clone(),
                range: region.range.clone(),
                memory_bytes,
            }),
            None => Ok(()),
        }
    }

    fn unknown(&self, name: &str) -> LayoutError {
        let names = self.regions.iter().map(|region| region.name.clone());
        LayoutError::UnknownRegion {
            name: name.to_owned(),
            known: names.collect(),
        }
    }

    /// A layout of regions with names of their own.
    fn of(regions: Vec<Region>) -> Result<Self, LayoutError> {
        if regions.is_empty() {
            return Err(LayoutError::NoRegions);
        }
        let mut names: Vec<&str> = regions.iter().map(|region| region.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            let name = pair[0].to_owned();
            return Err(LayoutError::SameName { name });
        }
        Ok(Self { regions })
    }
}

/// The little-endian word at `at`, if all of it is there.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    word.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let text = "\
            000000:0fffff all\n\
            000000:00ffff boot\n\
            010000:01ffff app\n";
        Layout::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn regions_are_selected_in_order_of_address() {
        let selected = layout().select(&["app", "boot"]).unwrap();
        let names: Vec<&str> = selected.iter().map(|region| region.name.as_str()).collect();
        assert_eq!(names, ["boot", "app"]);
        assert_eq!(selected[1].range, 0x1_0000..0x2_0000);
    }

    #[test]
    fn what_is_selected_together_does_not_overlap() {
        let overlap = layout().select(&["app", "all"]).unwrap_err();
        assert_eq!(
            overlap.to_string(),
            "the regions all and app share 0x00010000..0x00020000"
        );
        // The same one twice.
        assert!(matches!(
            layout().select(&["app", "app"]),
            Err(LayoutError::Overlap { .. })
        ));
    }

    #[test]
    fn a_name_that_nothing_has_is_answered_with_all_that_there_are() {
        assert_eq!(
            layout().select(&["aap"]).unwrap_err().to_string(),
            "there is no region aap; there are: all, boot, app"
        );
    }

    #[test]
    fn a_region_beyond_the_memory_is_named() {
        assert_eq!(layout().check_fits(0x10_0000), Ok(()));
        assert_eq!(
            layout().check_fits(0xF_FFFF).unwrap_err().to_string(),
            "the region all, 0x00000000..0x00100000, goes beyond the memory of 1048575 bytes"
        );
    }
}
