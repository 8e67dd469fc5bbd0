//! Which addresses the options name on a chip.

use std::ops::Range;

use flashwire::Info;

use super::arguments::{Arguments, Place};

/// What is read, erased or summed up where only a start is named and nobody knows what is there: a
/// word, as the original has it.
const WORD_BYTES: u64 = 4;

/// The addresses that the options name: the whole flash, pages, or what begins at an address.
///
/// # Errors
/// There is no such page.
pub(super) fn range(arguments: &Arguments, info: &Info) -> Result<Range<u64>, String> {
    match arguments.place {
        Place::Unsaid => Ok(info.flash.clone()),
        Place::Pages { first, count } => pages(first, count, info),
        Place::Addresses { start, length } => {
            let start = u64::from(start);
            let length = length.map(u64::from);
            let around = region(start, info);
            let most = match (&around, length) {
                (Some(region), _) => region.end,
                (None, Some(length)) => start + length,
                (None, None) => start + WORD_BYTES,
            };
            let end = length.map_or(most, |length| most.min(start + length));
            Ok(start..end)
        }
    }
}

/// The pages from `first` on: `count` of them, or all that follow; up to the end of the flash.
fn pages(first: u32, count: Option<u32>, info: &Info) -> Result<Range<u64>, String> {
    let start = page(u64::from(first), info)
        .ok_or_else(|| format!("there is no page {first}: the flash has {}", pages_of(info)))?;
    let behind = count.map(|count| u64::from(first) + u64::from(count));
    let end = behind.and_then(|behind| page(behind, info));
    Ok(start..end.unwrap_or(info.flash.end))
}

/// How many pages the flash has.
fn pages_of(info: &Info) -> u64 {
    info.erase_units.iter().map(|(count, _)| count).sum()
}

/// The address of a page.
fn page(number: u64, info: &Info) -> Option<u64> {
    let mut left = number;
    let mut address = info.flash.start;
    for &(count, bytes) in &info.erase_units {
        if left < count {
            return Some(address + left * bytes);
        }
        left -= count;
        address += count * bytes;
    }
    None
}

/// Whether an address is where a page begins, or the flash ends.
pub(super) fn is_page_edge(address: u64, info: &Info) -> bool {
    page_floor(address, info) == address
}

/// The beginning of the page that an address is in; the address itself outside of the flash.
fn page_floor(address: u64, info: &Info) -> u64 {
    let mut start = info.flash.start;
    for &(count, bytes) in &info.erase_units {
        let end = start + count * bytes;
        if (start..end).contains(&address) {
            return start + (address - start) / bytes * bytes;
        }
        start = end;
    }
    address
}

/// The first page edge at or behind an address.
pub(super) fn page_ceil(address: u64, info: &Info) -> u64 {
    let floor = page_floor(address, info);
    if floor == address {
        return address;
    }
    let number = (0..pages_of(info)).find(|&number| page(number, info) == Some(floor));
    number
        .and_then(|number| page(number + 1, info))
        .unwrap_or(info.flash.end)
}

/// The memory that an address lies in.
pub(super) fn region(address: u64, info: &Info) -> Option<Range<u64>> {
    let stm32 = info.stm32.as_ref()?;
    [
        Some(info.flash.clone()),
        stm32.free_ram.clone(),
        stm32.option_bytes.clone(),
        stm32.system_memory.clone(),
    ]
    .into_iter()
    .flatten()
    .find(|region| region.contains(&address))
}
