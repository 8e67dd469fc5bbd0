//! Looking at what is on the target before a plan is made.

use std::ops::Range;
use std::sync::Arc;

use crate::execute::CALL_BYTES;
use crate::image::{Image, Segment};
use crate::meter::{Meter, OnEvent, Phase};
use crate::plan::check_ranges;
use crate::{Cause, FlashDevice, Geometry, PlanError, RunError, content, ranges};

/// Something that must be known before a plan can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The addresses in question.
    pub range: Range<u64>,
    /// What to do with them.
    pub look: Look,
    /// Look only if something of the image in here turned out not to be there already; `None` means
    /// always.
    pub if_changed: Option<Range<u64>>,
}

impl Need {
    /// To read `range`.
    pub fn read(range: Range<u64>) -> Self {
        Self {
            range,
            look: Look::Read,
            if_changed: None,
        }
    }

    /// To compare `range`.
    pub fn compare(range: Range<u64>) -> Self {
        Self {
            range,
            look: Look::Compare,
            if_changed: None,
        }
    }

    /// The same, only if something of the image in `unit` turned out not to be there already.
    pub fn if_changed(self, unit: Range<u64>) -> Self {
        Self {
            if_changed: Some(unit),
            ..self
        }
    }
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
        let at = contents.partition_point(|segment| segment.range().end <= address);
        let known = contents[at..]
            .iter()
            .map(Segment::range)
            .take_while(|r| r.start < range.end);
        let missing = ranges::gaps(&known.collect::<Vec<_>>(), &range);
        if missing == [range] {
            contents.insert(at, Segment { address, data });
        } else {
            contents.extend(missing.iter().map(|gap| Segment {
                address: gap.start,
                data: data[(gap.start - address) as usize..(gap.end - address) as usize].to_vec(),
            }));
            contents.sort_by_key(|segment| segment.address);
        }
    }

    /// Adds that `range` holds what the image says.
    pub fn add_same(&mut self, range: Range<u64>) {
        self.same.push(range);
        self.same = ranges::normalise(std::mem::take(&mut self.same));
    }

    /// What holds what the image says, in order of address.
    pub(crate) fn same(&self) -> &[Range<u64>] {
        &self.same
    }

    /// All content that was read, in order of address, not overlapping: what a backup can save.
    pub fn contents(&self) -> &[Segment] {
        &self.contents
    }
}

/// Does the looking that [`needs`](crate::needs) asked for.
///
/// Neighbouring [`Look::Compare`] needs are compared together, and halved only where they differ:
/// one changed unit among many costs a few comparisons. Where reading costs little more than
/// comparing, what differs is read instead: that settles all of it at once, tells what is blank, and
/// leaves something for a backup.
///
/// # Errors
/// [`RunError`] with [`Phase::Reading`]; the target is untouched. [`Cause::Refused`] if a need is
/// not all memory.
pub fn survey(
    device: &mut dyn FlashDevice,
    needs: &[Need],
    image: &Image,
    on_event: &mut OnEvent<'_>,
) -> Result<Current, RunError> {
    let mut survey = Survey {
        device,
        image,
        meter: Meter::new(on_event),
        current: Current::new(),
        differing_in_a_row: 0,
    };
    match survey.look_at(needs) {
        Ok(()) => Ok(survey.current),
        Err(cause) => Err(RunError::untouched(Phase::Reading, cause)),
    }
}

/// Reads `range`.
///
/// # Errors
/// [`Cause::Refused`] if it is not all memory, else what the device did; the target is untouched.
pub fn read_range(
    device: &mut dyn FlashDevice,
    range: Range<u64>,
    on_event: &mut OnEvent<'_>,
) -> Result<Vec<u8>, RunError> {
    let mut meter = Meter::new(on_event);
    check(device.geometry(), &[&range])
        .map_err(Cause::from)
        .and_then(|()| meter.begin(Phase::Reading, range.end - range.start))
        .and_then(|()| read(device, &range, &mut meter))
        .map_err(|cause| RunError::untouched(Phase::Reading, cause))
}

/// Refuses a memory that makes no sense, and ranges that are not all memory.
pub(crate) fn check(geometry: &Geometry, ranges: &[&Range<u64>]) -> Result<(), PlanError> {
    geometry.check()?;
    ranges
        .iter()
        .try_for_each(|range| check_ranges(geometry, std::slice::from_ref(range)))
}

fn read(
    device: &mut dyn FlashDevice,
    range: &Range<u64>,
    meter: &mut Meter<'_, '_>,
) -> Result<Vec<u8>, Cause> {
    let mut data = vec![0; (range.end - range.start) as usize];
    let mut address = range.start;
    for piece in data.chunks_mut(CALL_BYTES as usize) {
        let bytes = piece.len() as u64;
        meter.measure(bytes, |tick| device.read(address, piece, tick))?;
        address += bytes;
    }
    Ok(data)
}

/// How often what does not agree with a second look is read again.
const LOOKS: u32 = 4;

/// What is looked at again at once, in bytes: as much as a checksum is worth asking for, and little
/// enough that blank pieces are found.
const PIECE_BYTES: usize = 2048;

/// A survey on its way.
struct Survey<'a, 'b, 'c> {
    device: &'a mut dyn FlashDevice,
    image: &'a Image,
    meter: Meter<'b, 'c>,
    current: Current,
    /// How many of the last groups differed, if they were read then.
    differing_in_a_row: u32,
}

/// How many times the cost of a comparison reading may cost to be the better answer to a
/// difference: halving down to one unit of 256 compares all of it up to eight times.
const READING_IS_CHEAP: u32 = 8;

/// What is compared together where a difference is answered by reading it, in bytes: the largest
/// erase unit of most SPI NOR chips.
const READ_GROUP_BYTES: u64 = 64 * 1024;

/// After so many groups that differed the next one is read without a comparison first.
const EXPECT_DIFFERENCES: u32 = 2;

impl Survey<'_, '_, '_> {
    fn look_at(&mut self, needs: &[Need]) -> Result<(), Cause> {
        let ranges: Vec<_> = needs.iter().map(|need| &need.range).collect();
        check(self.device.geometry(), &ranges)?;
        let total = needs
            .iter()
            .map(|need| need.range.end - need.range.start)
            .sum();
        self.meter.begin(Phase::Reading, total)?;
        let costs = self.device.geometry().costs;
        let reads_differences = costs.read_block < costs.compare_block * READING_IS_CHEAP;
        let group_bytes = if reads_differences {
            READ_GROUP_BYTES
        } else {
            CALL_BYTES
        };
        let mut rest = needs;
        while let Some(first) = rest.first() {
            let together = match first.look {
                Look::Read => 1,
                Look::Compare => neighbours(rest, group_bytes),
            };
            let (group, more) = rest.split_at(together);
            rest = more;
            let unchanged = first
                .if_changed
                .as_ref()
                .is_some_and(|unit| self.is_unchanged(unit));
            if unchanged {
                self.meter.advance(
                    group
                        .iter()
                        .map(|need| need.range.end - need.range.start)
                        .sum(),
                );
                continue;
            }
            match first.look {
                Look::Read => {
                    let data = self.read_surely(&first.range)?;
                    self.current.add_content(first.range.start, data);
                }
                Look::Compare if reads_differences => self.compare_or_read(&whole(group))?,
                Look::Compare => {
                    self.compare(group, false)?;
                }
            }
        }
        Ok(())
    }

    /// Whether everything of the image in `unit` is known to be there already.
    fn is_unchanged(&self, unit: &Range<u64>) -> bool {
        let contents = self.current.contents();
        let image = content::covered(self.image.segments(), unit);
        let doubtful = ranges::difference(&image, self.current.same());
        doubtful.iter().all(|part| {
            let read = content::slice(contents, part);
            read.is_some() && read == self.image.slice(part)
        })
    }

    /// Reads a range. What of it lies outside the image may have to be written back after an erase:
    /// many protocols read without a checksum, and nobody would find a byte that was garbled here,
    /// for it would be written, and verified, as it was read. So that part counts only when a
    /// second look agrees.
    fn read_surely(&mut self, range: &Range<u64>) -> Result<Vec<u8>, Cause> {
        let mut data = read(self.device, range, &mut self.meter)?;
        let image = content::covered(self.image.segments(), range);
        for outside in ranges::difference(std::slice::from_ref(range), &image) {
            let within = |at: u64| (at - range.start) as usize;
            let kept = &mut data[within(outside.start)..within(outside.end)];
            self.look_again(outside.start, kept)?;
        }
        Ok(data)
    }

    /// Compares what was read with the device until both agree. Blank pieces need no second look:
    /// no accident makes one.
    fn look_again(&mut self, address: u64, data: &mut [u8]) -> Result<(), Cause> {
        let erased = self.device.geometry().erased;
        let mut start = address;
        for piece in data.chunks_mut(PIECE_BYTES) {
            let mut looks = 0;
            while piece.iter().any(|&byte| byte != erased) {
                let looked = self
                    .meter
                    .watch(|tick| self.device.compare(start, piece, tick))?;
                match looked {
                    None => break,
                    Some(mismatch) if looks == LOOKS => return Err(Cause::Mismatch(mismatch)),
                    Some(_) => self
                        .meter
                        .watch(|tick| self.device.read(start, piece, tick))?,
                }
                looks += 1;
            }
            start += piece.len() as u64;
        }
        Ok(())
    }

    /// Whether neighbouring needs all hold what the image says; settles each of them. `differs`
    /// means that they are known not to, as a whole.
    fn compare(&mut self, group: &[Need], differs: bool) -> Result<bool, Cause> {
        let range = whole(group);
        let same = !differs && self.is_same(&range)?;
        if same || group.len() == 1 {
            if same {
                self.current.add_same(range.clone());
            }
            self.meter.advance(range.end - range.start);
            return Ok(same);
        }
        let (left, right) = group.split_at(group.len() / 2);
        let left_is_same = self.compare(left, false)?;
        self.compare(right, left_is_same)?;
        Ok(false)
    }

    /// Settles a range by one comparison, or by reading it.
    fn compare_or_read(&mut self, range: &Range<u64>) -> Result<(), Cause> {
        if self.differing_in_a_row < EXPECT_DIFFERENCES && self.is_same(range)? {
            self.current.add_same(range.clone());
            self.meter.advance(range.end - range.start);
            self.differing_in_a_row = 0;
            return Ok(());
        }
        let data = self.read_surely(range)?;
        let differs = self.image.slice(range) != Some(&data[..]);
        self.differing_in_a_row = if differs {
            self.differing_in_a_row + 1
        } else {
            0
        };
        self.current.add_content(range.start, data);
        Ok(())
    }

    fn is_same(&mut self, range: &Range<u64>) -> Result<bool, Cause> {
        // What the image does not cover is not the same, however the caller came to ask.
        let Some(expected) = self.image.slice(range) else {
            return Ok(false);
        };
        self.meter
            .watch(|tick| self.device.matches(range.start, expected, tick))
    }
}

/// How many needs from the first on are compared together: those that follow each other, as far as
/// `most_bytes` go.
fn neighbours(needs: &[Need], most_bytes: u64) -> usize {
    let follows = |pair: &&[Need]| {
        pair[1].look == Look::Compare
            && pair[1].if_changed == pair[0].if_changed
            && pair[1].range.start == pair[0].range.end
            && pair[1].range.end - needs[0].range.start <= most_bytes
    };
    1 + needs.windows(2).take_while(follows).count()
}

/// From the first to the last of neighbouring needs.
fn whole(group: &[Need]) -> Range<u64> {
    group[0].range.start..group[group.len() - 1].range.end
}
