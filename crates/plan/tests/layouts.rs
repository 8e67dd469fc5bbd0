//! Layouts of any content: understood or refused, and never a region that nothing can be done with.

use flashwire_plan::layout::{FMAP_HEADER_BYTES, MOST_REGIONS, fmap_bytes};
use flashwire_plan::{Layout, LayoutError};
use proptest::prelude::*;

fn is_sound(layout: &Layout) {
    let regions = layout.regions();
    assert!((1..=MOST_REGIONS).contains(&regions.len()));
    for region in regions {
        assert!(region.range.start < region.range.end, "{region:?}");
        assert!(!region.name.is_empty() && region.name.trim() == region.name);
        assert_eq!(
            layout.select(&[&region.name]),
            Ok(vec![region.clone()]),
            "each is found by its name"
        );
    }
    let end = regions.iter().map(|region| region.range.end).max().unwrap();
    assert_eq!(layout.check_fits(end), Ok(()));
    assert!(layout.check_fits(end - 1).is_err());
}

/// Regions that do not touch each other's names.
fn regions() -> impl Strategy<Value = Vec<(String, u64, u64)>> {
    let region = (0..1_u64 << 28, 1..1_u64 << 20);
    prop::collection::vec(region, 1..40).prop_map(|regions| {
        let named = regions.into_iter().enumerate();
        named
            .map(|(n, (start, bytes))| (format!("r{n}"), start, start + bytes))
            .collect()
    })
}

proptest! {
    #[test]
    fn any_bytes_are_a_sound_layout_or_none(bytes: Vec<u8>) {
        let read = [
            Layout::parse(&bytes),
            Layout::from_descriptor(&bytes),
            Layout::find_fmap(&bytes),
        ];
        read.into_iter().flatten().for_each(|layout| is_sound(&layout));
    }

    #[test]
    fn any_registers_are_a_sound_descriptor_or_none(
        map in any::<[u32; 2]>(),
        rest in prop::collection::vec(any::<u32>(), 0..100),
    ) {
        let mut bytes = vec![0xFF; 16];
        for word in [0x0FF0_A55A].iter().chain(&map).chain(&rest) {
            bytes.extend(word.to_le_bytes());
        }
        if let Ok(layout) = Layout::from_descriptor(&bytes) {
            is_sound(&layout);
        }
    }

    #[test]
    fn any_areas_are_a_sound_flash_map_or_none(
        memory_bytes: u32,
        count in 0_u16..8,
        areas in prop::collection::vec((any::<u32>(), any::<u32>(), "[A-Z]{0,4}"), 0..8),
    ) {
        let mut bytes = b"__FMAP__\x01\x01".to_vec();
        bytes.extend([0; 8]);
        bytes.extend(memory_bytes.to_le_bytes());
        bytes.extend([0; 32]);
        bytes.extend(count.to_le_bytes());
        for (start, size, name) in &areas {
            bytes.extend(start.to_le_bytes());
            bytes.extend((size % 0x1000).to_le_bytes());
            let mut field = [0; 32];
            field[..name.len()].copy_from_slice(name.as_bytes());
            bytes.extend(field);
            bytes.extend([0; 2]);
        }
        prop_assert_eq!(fmap_bytes(&bytes), Some(FMAP_HEADER_BYTES + 42 * usize::from(count)));
        if let Ok(layout) = Layout::from_fmap(&bytes) {
            is_sound(&layout);
            prop_assert!(layout.check_fits(u64::from(memory_bytes)).is_ok());
        }
    }

    #[test]
    fn a_layout_file_says_what_was_written_into_it(regions in regions()) {
        let lines = regions.iter().map(|(name, start, end)| {
            format!("{start:08x}:{:08x} {name}\n", end - 1)
        });
        let text: String = lines.collect();
        let layout = Layout::parse(text.as_bytes()).unwrap();
        is_sound(&layout);
        let read = layout.regions().iter();
        let read: Vec<_> = read
            .map(|region| (region.name.clone(), region.range.start, region.range.end))
            .collect();
        prop_assert_eq!(&read, &regions);

        // Together they can be used just if no two of them share a byte.
        let names: Vec<&str> = regions.iter().map(|(name, ..)| name.as_str()).collect();
        let overlap = regions.iter().enumerate().any(|(n, (_, start, end))| {
            regions[..n].iter().any(|(_, s, e)| s < end && start < e)
        });
        match layout.select(&names) {
            Ok(selected) => {
                prop_assert!(!overlap);
                prop_assert!(selected.is_sorted_by_key(|region| region.range.start));
            }
            Err(error) => {
                let is_overlap = matches!(error, LayoutError::Overlap { .. });
                prop_assert!(overlap && is_overlap, "{}", error);
            }
        }
    }
}
