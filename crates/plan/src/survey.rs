//! Looking at what is on the target before a plan is made.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use crate::execute::{Cause, Event, Meter, Phase, RunError};
use crate::image::{Image, Segment};
use crate::{FlashDevice, ranges};

/// Something that must be known before a plan can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The addresses in question.
    pub range: Range<u64>,
    /// What to do with them.
    pub look: Look,
}

/// How to look at the present content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Read it: the bytes themselves are needed.
    Read,
    /// Compare it with the image, which covers all of it: only "the same or not" is needed.
    Compare,
}

/// What is known of the target's present content.
///
/// Cloning is cheap: the bytes are shared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Current {
    contents: Arc<Vec<Segment>>,
    same: Vec<Range<u64>>,
}

impl Current {
    /// Nothing is known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds content that was read. Where something is known already, that stays.
    pub fn add_content(&mut self, address: u64, data: Vec<u8>) {
        let range = address..address + data.len() as u64;
        let contents = Arc::make_mut(&mut self.contents);
        let known = ranges::normalise(contents.iter().map(Segment::range).collect());
        let missing = ranges::gaps(&known, &range);
        if missing == [range] {
            contents.push(Segment { address, data });
        } else {
            contents.extend(missing.iter().map(|gap| Segment {
                address: gap.start,
                data: data[(gap.start - address) as usize..(gap.end - address) as usize].to_vec(),
            }));
        }
        contents.sort_by_key(|segment| segment.address);
    }

    /// Adds that `range` holds what the image says.
    pub fn add_same(&mut self, range: Range<u64>) {
        self.same.push(range);
        self.same = ranges::normalise(std::mem::take(&mut self.same));
    }

    /// All content that was read, in order of address, not overlapping: what a backup can save.
    pub fn contents(&self) -> &[Segment] {
        &self.contents
    }
}

/// Does the looking that [`needs`](crate::needs) asked for.
///
/// Neighbouring [`Look::Compare`] needs are compared together and halved only where they differ.
///
/// # Errors
/// [`RunError`] with [`Phase::Reading`]; the target is untouched.
pub fn survey(
    device: &mut dyn FlashDevice,
    needs: &[Need],
    image: &Image,
    on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<Current, RunError> {
    let total = needs
        .iter()
        .map(|need| need.range.end - need.range.start)
        .sum();
    let mut meter = Meter::new(on_event);
    let mut current = Current::new();
    let fail = |cause| RunError::untouched(Phase::Reading, cause);
    meter.begin(Phase::Reading, total).map_err(fail)?;
    for need in needs {
        let bytes = need.range.end - need.range.start;
        let mut data = vec![0; bytes as usize];
        meter
            .measure(bytes, |tick| device.read(need.range.start, &mut data, tick))
            .map_err(fail)?;
        match need.look {
            Look::Read => current.add_content(need.range.start, data),
            Look::Compare => {
                let wanted = image.slice(&need.range).unwrap_or(&[]);
                if wanted == data {
                    current.add_same(need.range.clone());
                }
            }
        }
    }
    Ok(current)
}

/// Reads `range`.
///
/// # Errors
/// [`Cause::Refused`] if it is not all memory, else what the device did; the target is untouched.
pub fn read_range(
    device: &mut dyn FlashDevice,
    range: Range<u64>,
    on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
) -> Result<Vec<u8>, RunError> {
    let fail = |cause| RunError::untouched(Phase::Reading, cause);
    crate::plan::check_range(device.geometry(), std::slice::from_ref(&range))
        .map_err(|e| fail(Cause::Refused(e)))?;
    let bytes = range.end - range.start;
    let mut data = vec![0; bytes as usize];
    let mut meter = Meter::new(on_event);
    meter.begin(Phase::Reading, bytes).map_err(fail)?;
    meter
        .measure(bytes, |tick| device.read(range.start, &mut data, tick))
        .map_err(fail)?;
    Ok(data)
}
