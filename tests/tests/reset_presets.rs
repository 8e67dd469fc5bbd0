//! The table of reset wirings in the documentation is the one in the program.

use std::fs;

use flashwire_link::reset::PRESETS;

#[test]
fn the_documentation_lists_each_preset_with_its_wiring() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/stm32.md");
    let text = fs::read_to_string(path).unwrap();
    for preset in PRESETS {
        let start = format!("| `{}` |", preset.name);
        let row = text.lines().find(|line| line.starts_with(&start));
        let row = row.unwrap_or_else(|| panic!("no row begins with {start}"));
        assert!(row.contains(&format!("| `{}` |", preset.wiring)), "{row}");
        for alias in preset.aliases {
            assert!(row.contains(&format!("`{alias}`")), "{row}");
        }
    }
}
