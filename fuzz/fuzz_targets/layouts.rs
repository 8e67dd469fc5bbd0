//! Layout files, Intel flash descriptors and flash maps, as a broken chip or editor would leave
//! them: understood or refused, and what is understood can be used.

#![no_main]

use flashwire_plan::Layout;
use flashwire_plan::layout::fmap_bytes;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = fmap_bytes(bytes);
    let read = [
        Layout::parse(bytes),
        Layout::from_descriptor(bytes),
        Layout::from_fmap(bytes),
        Layout::find_fmap(bytes),
    ];
    for layout in read.into_iter().flatten() {
        for region in layout.regions() {
            assert!(region.range.start < region.range.end);
            assert!(layout.select(&[&region.name]).is_ok());
        }
        let names: Vec<&str> = layout.regions().iter().map(|r| r.name.as_str()).collect();
        if let Ok(selected) = layout.select(&names) {
            assert!(
                selected
                    .windows(2)
                    .all(|pair| pair[0].range.end <= pair[1].range.start)
            );
        }
    }
});
