//! Pieces in any order become an image.

use std::sync::Arc;

use super::{Format, Image, ImageError, Note, Place, Segment};

/// Collects what a file says, piece by piece.
///
/// Memory: the bytes once, and one small entry for each piece.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    segments: Vec<Segment>,
    marks: Vec<Mark>,
    pub(super) entry: Option<u64>,
    pub(super) machine: Option<u16>,
    pub(super) families: Vec<u32>,
    pub(super) notes: Vec<Note>,
}

/// What the file gave at one place.
#[derive(Clone, Copy, Debug)]
struct Mark {
    address: u64,
    end: u64,
    place: Place,
}

impl Assembly {
    /// Takes `data` for `address`; `place` is where the file says so.
    pub(super) fn add(
        &mut self,
        address: u64,
        data: &[u8],
        place: Place,
    ) -> Result<(), ImageError> {
        if data.is_empty() {
            return Ok(());
        }
        self.mark(address, data.len(), place)?;
        match self.segments.last_mut() {
            Some(last) if last.range().end == address => last.data.extend_from_slice(data),
            _ => self.segments.push(Segment {
                address,
                data: data.to_vec(),
            }),
        }
        Ok(())
    }

    /// Like [`add`](Self::add), without copying.
    pub(super) fn add_segment(&mut self, segment: Segment, place: Place) -> Result<(), ImageError> {
        if !segment.data.is_empty() {
            self.mark(segment.address, segment.data.len(), place)?;
            self.segments.push(segment);
        }
        Ok(())
    }

    fn mark(&mut self, address: u64, len: usize, place: Place) -> Result<(), ImageError> {
        let bytes = len as u64;
        let end = address
            .checked_add(bytes)
            .ok_or(ImageError::AddressOverflow {
                place,
                address,
                bytes,
            })?;
        self.marks.push(Mark {
            address,
            end,
            place,
        });
        Ok(())
    }

    /// Sorts, checks, joins.
    pub(super) fn finish(mut self, format: Format) -> Result<Image, ImageError> {
        let mut pieces = std::mem::take(&mut self.segments);
        pieces.sort_by_key(|piece| piece.address);
        let mut segments: Vec<Segment> = Vec::new();
        let mut repeated = 0;
        for piece in pieces {
            match segments.last_mut() {
                Some(last) if last.range().end >= piece.address => {
                    let shared = join(last, &piece).map_err(|address| self.overlap(address))?;
                    repeated += shared;
                }
                _ => segments.push(piece),
            }
        }
        if segments.is_empty() {
            return Err(ImageError::NoData { format });
        }
        if repeated > 0 {
            self.notes.push(Note::Repeated { bytes: repeated });
        }
        self.families.sort_unstable();
        self.families.dedup();
        Ok(Image {
            format,
            segments: Arc::new(segments),
            placed: true,
            entry: self.entry,
            machine: self.machine,
            families: self.families,
            notes: self.notes,
        })
    }

    /// Names the first two places that both have `address`.
    fn overlap(&self, address: u64) -> ImageError {
        let mut both = self
            .marks
            .iter()
            .filter(|m| m.address <= address && address < m.end);
        let mut next = || both.next().map_or(Place::Offset(0), |mark| mark.place);
        let (earlier, place) = (next(), next());
        ImageError::Overlap {
            place,
            earlier,
            address,
        }
    }
}

/// Appends `piece` to `last`, whose end it touches or overlaps. Returns how many bytes both have,
/// or the first address at which they differ.
fn join(last: &mut Segment, piece: &Segment) -> Result<u64, u64> {
    let at = (piece.address - last.address) as usize;
    let shared = piece.data.len().min(last.data.len() - at);
    let differs = (0..shared).find(|&n| last.data[at + n] != piece.data[n]);
    match differs {
        Some(n) => Err(piece.address + n as u64),
        None => {
            last.data.extend_from_slice(&piece.data[shared..]);
            Ok(shared as u64)
        }
    }
}
