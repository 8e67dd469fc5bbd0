//! Pieces in any order become an image.

use super::{Format, Image, ImageError, Note, Place, Segment};

/// Collects what a file says, piece by piece.
///
/// Memory: the bytes once, and one small entry for each piece that does not follow the one before.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    bytes: Vec<u8>,
    pieces: Vec<Piece>,
    pub(super) entry: Option<u64>,
    pub(super) machine: Option<u16>,
    pub(super) families: Vec<u32>,
    pub(super) notes: Vec<Note>,
}

/// A stretch of [`Assembly::bytes`].
#[derive(Clone, Copy, Debug)]
struct Piece {
    address: u64,
    start: usize,
    len: usize,
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
        let bytes = data.len() as u64;
        if address.checked_add(bytes).is_none() {
            return Err(ImageError::AddressOverflow {
                place,
                address,
                bytes,
            });
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(data);
        match self.pieces.last_mut() {
            Some(last) if last.address + last.len as u64 == address => last.len += data.len(),
            _ => self.pieces.push(Piece {
                address,
                start,
                len: data.len(),
                place,
            }),
        }
        Ok(())
    }

    /// Sorts, checks, joins.
    pub(super) fn finish(mut self, format: Format) -> Result<Image, ImageError> {
        self.pieces.sort_by_key(|piece| piece.address);
        let mut segments: Vec<Segment> = Vec::new();
        let mut earlier = Place::Offset(0);
        let mut repeated = 0;
        for piece in &self.pieces {
            let data = &self.bytes[piece.start..piece.start + piece.len];
            match segments.last_mut() {
                Some(last) if last.range().end >= piece.address => {
                    let at = (piece.address - last.address) as usize;
                    let shared = data.len().min(last.data.len() - at);
                    let differs = (0..shared).find(|&n| last.data[at + n] != data[n]);
                    if let Some(n) = differs {
                        let address = piece.address + n as u64;
                        return Err(ImageError::Overlap {
                            place: piece.place,
                            earlier,
                            address,
                        });
                    }
                    repeated += shared as u64;
                    last.data.extend_from_slice(&data[shared..]);
                }
                _ => segments.push(Segment {
                    address: piece.address,
                    data: data.to_vec(),
                }),
            }
            earlier = piece.place;
        }
        if segments.is_empty() {
            return Err(ImageError::NoData { format });
        }
        if repeated > 0 {
            self.notes.push(Note::Repeated { bytes: repeated });
        }
        Ok(Image {
            format,
            segments: segments.into(),
            placed: true,
            entry: self.entry,
            machine: self.machine,
            families: self.families,
            notes: self.notes,
        })
    }
}
