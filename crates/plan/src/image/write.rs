//! An image becomes a file.

use super::{Format, Image, dfuse, intel_hex, srecord, uf2};

/// How to write a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// What goes into the gaps of a raw binary.
    pub fill: u8,
    /// Most bytes that gaps may add to a raw binary.
    pub most_gap_bytes: u64,
    /// The family that a UF2 file names. Without one, the image's own, if it has just one.
    pub family: Option<u32>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            fill: 0xFF,
            most_gap_bytes: MOST_GAP_BYTES,
            family: None,
        }
    }
}

/// Default of [`WriteOptions::most_gap_bytes`]: more than any gap inside a microcontroller's flash,
/// less than the distance from that to its option bytes (STM32: 384 MiB).
pub const MOST_GAP_BYTES: u64 = 16 << 20;

/// Why an image cannot be written in a format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Gaps would make the file absurdly large.
    #[error("a raw binary would have {gap_bytes} bytes of gaps for {data_bytes} bytes of data")]
    Gaps {
        /// Bytes of all gaps.
        gap_bytes: u64,
        /// Bytes of the image.
        data_bytes: u64,
    },
    /// The format has only 32-bit addresses.
    #[error("{format} cannot express the address {address:#x}")]
    Address {
        /// The format.
        format: Format,
        /// The last address of the image.
        address: u64,
    },
    /// An image cannot become such a file.
    #[error("{format} files are not written")]
    Format {
        /// The format.
        format: Format,
    },
}

impl Image {
    /// The content of a file of this format. A raw binary begins with the image's first byte.
    ///
    /// # Errors
    /// [`WriteError`]; a gap limit for raw binaries, 32-bit addresses for all others; ELF is not
    /// written.
    pub fn to_bytes(&self, format: Format, options: &WriteOptions) -> Result<Vec<u8>, WriteError> {
        let end = self.range().end;
        if format != Format::Binary && end > 1 << 32 {
            return Err(WriteError::Address {
                format,
                address: end - 1,
            });
        }
        match format {
            Format::Binary => self.to_binary(options),
            Format::IntelHex => Ok(intel_hex::write(self)),
            Format::SRecord => Ok(srecord::write(self)),
            Format::Uf2 => {
                let own = match self.families() {
                    [family] => Some(*family),
                    _ => None,
                };
                Ok(uf2::write(self, options.family.or(own)))
            }
            Format::DfuSe => Ok(dfuse::write(self)),
            Format::Elf => Err(WriteError::Format { format }),
        }
    }

    fn to_binary(&self, options: &WriteOptions) -> Result<Vec<u8>, WriteError> {
        let range = self.range();
        let data_bytes = self.total_bytes();
        let gap_bytes = range.end - range.start - data_bytes;
        if gap_bytes > options.most_gap_bytes {
            return Err(WriteError::Gaps {
                gap_bytes,
                data_bytes,
            });
        }
        let mut out = Vec::with_capacity((data_bytes + gap_bytes) as usize);
        for segment in self.segments() {
            out.resize((segment.address - range.start) as usize, options.fill);
            out.extend_from_slice(&segment.data);
        }
        Ok(out)
    }
}
