//! Finding the blocks that are not what they should be.

use std::ops::ControlFlow;

use flashwire_plan::{Cause, Phase, differing_blocks};

use crate::geometries::nor;
use crate::memory::Memory;
use crate::{go_on, pattern};

#[test]
fn every_wrong_block_is_found_and_no_other() {
    let content = pattern(64 * 256);
    let mut memory = Memory::blank(nor());
    for address in [256, 257, 10 * 256 + 255, 63 * 256 + 255] {
        memory.put(0, &content);
        let mut wrong = memory.at(&(address..address + 1)).to_vec();
        wrong[0] ^= 0x80;
        memory.put(address, &wrong);
        let found = differing_blocks(&mut memory, 0, &content, 256, &mut go_on).unwrap();
        assert_eq!(found, [address / 256 * 256], "{address}");
    }
    let mut blank = Memory::blank(nor());
    let found = differing_blocks(&mut blank, 512, &content[..1000], 256, &mut go_on).unwrap();
    assert_eq!(
        found,
        [512, 768, 1024, 1280],
        "the last one is no whole one"
    );
}

#[test]
fn what_is_right_takes_one_comparison_and_one_wrong_block_few() {
    let content = pattern(64 * 256);
    let mut memory = Memory::blank(nor());
    memory.put(0, &content);
    differing_blocks(&mut memory, 0, &content, 256, &mut go_on).unwrap();
    assert_eq!(memory.matches, [0..64 * 256]);
    memory.put(5 * 256, &[!content[5 * 256]]);
    differing_blocks(&mut memory, 0, &content, 256, &mut go_on).unwrap();
    // One, and two for each halving.
    assert_eq!(memory.matches.len(), 1 + 2 * 6);
    assert!(memory.reads.is_empty());
}

#[test]
fn all_bytes_are_told_and_it_can_be_stopped() {
    let content = pattern(8 * 256);
    let mut memory = Memory::blank(nor());
    let mut last = (0, 0);
    let mut tell = |event: &flashwire_plan::Event| {
        assert_eq!(event.phase, Phase::Verifying);
        last = (event.done_bytes, event.total_bytes);
        ControlFlow::Continue(())
    };
    differing_blocks(&mut memory, 0, &content, 256, &mut tell).unwrap();
    assert_eq!(last, (2048, 2048));
    let mut stop = |_: &flashwire_plan::Event| ControlFlow::Break(());
    let stopped = differing_blocks(&mut memory, 0, &content, 256, &mut stop).unwrap_err();
    assert!(matches!(stopped.cause, Cause::Stopped), "{stopped}");
}

#[test]
fn what_is_no_memory_is_refused() {
    let mut memory = Memory::blank(nor());
    let end = memory.geometry.range.end;
    let refused = differing_blocks(&mut memory, end - 256, &[0; 512], 256, &mut go_on);
    assert!(matches!(refused.unwrap_err().cause, Cause::Refused(_)));
    let refused = differing_blocks(&mut memory, 0, &[], 256, &mut go_on);
    assert!(matches!(refused.unwrap_err().cause, Cause::Refused(_)));
}
