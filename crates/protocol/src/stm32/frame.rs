//! Building and reading what follows an opcode.

use super::{BLOCK_BYTES, CommandSet, complement, xor};

/// Why bytes from the host are no valid frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Bytes are missing or left over.
    Length,
    /// Checksum or complement is wrong.
    Checksum,
    /// A code that the document reserves.
    Reserved(u16),
}

/// A group of fields with its checksum, ready to send.
///
/// Only valid frames can be built: the constructors refuse counts that the document does not allow
/// by returning `None`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    bytes: [u8; Self::CAPACITY],
    len: usize,
}

impl Frame {
    /// Room for the longest frame built here, in bytes: an Extended Erase list of
    /// [`MAX_ERASE_LIST`](Self::MAX_ERASE_LIST) pages.
    const CAPACITY: usize = 2 + 2 * Self::MAX_ERASE_LIST + 1;

    /// Most pages of an Extended Erase list built here. The document would allow 65,520; loaders
    /// buffer far fewer (ST's Open Bootloader about 580), and stm32flash never sends more than 512.
    pub const MAX_ERASE_LIST: usize = 512;

    fn empty() -> Self {
        Self {
            bytes: [0; Self::CAPACITY],
            len: 0,
        }
    }

    fn push(mut self, bytes: &[u8]) -> Self {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
        self
    }

    fn closed_by_xor(self) -> Self {
        let sum = xor(self.as_bytes());
        self.push(&[sum])
    }

    /// The bytes to send.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// An address, or a size, polynomial or initial value of Get Checksum. AN3155, sections 3.4
    /// and 3.13.
    pub fn word(word: u32) -> Self {
        Self::empty().push(&word.to_be_bytes()).closed_by_xor()
    }

    /// How many bytes Read Memory is to send, 1 to 256. AN3155, section 3.4.
    pub fn byte_count(count: usize) -> Option<Self> {
        let field = count_field(count, BLOCK_BYTES)?;
        Some(Self::empty().push(&[field, complement(field)]))
    }

    /// The data of Write Memory, 1 to 256 bytes. AN3155, section 3.6: the caller pads it to a
    /// multiple of four.
    pub fn data(data: &[u8]) -> Option<Self> {
        let field = count_field(data.len(), BLOCK_BYTES)?;
        Some(Self::empty().push(&[field]).push(data).closed_by_xor())
    }

    /// The page list of Erase, 1 to 255 pages. AN3155, section 3.7.
    pub fn erase(pages: &[u8]) -> Option<Self> {
        let field = count_field(pages.len(), super::ERASE_PAGES)?;
        Some(Self::empty().push(&[field]).push(pages).closed_by_xor())
    }

    /// Erase of the whole flash by Erase. AN3155, section 3.7.
    pub fn global_erase() -> Self {
        Self::empty().push(&[0xFF, 0x00])
    }

    /// The page list of Extended Erase, 1 to [`MAX_ERASE_LIST`](Self::MAX_ERASE_LIST) pages.
    /// AN3155, section 3.8.
    pub fn extended_erase(pages: &[u16]) -> Option<Self> {
        if pages.is_empty() || pages.len() > Self::MAX_ERASE_LIST {
            return None;
        }
        let count = pages.len() as u16 - 1;
        let list = pages
            .iter()
            .fold(Self::empty().push(&count.to_be_bytes()), |frame, page| {
                frame.push(&page.to_be_bytes())
            });
        Some(list.closed_by_xor())
    }

    /// Erase of a bank or the whole flash by Extended Erase. AN3155, section 3.8.
    pub fn special_erase(erase: SpecialErase) -> Self {
        Self::empty()
            .push(&(erase as u16).to_be_bytes())
            .closed_by_xor()
    }

    /// The sector list of Write Protect, 1 to 256 codes. AN3155, section 3.9.
    pub fn sectors(sectors: &[u8]) -> Option<Self> {
        Self::data(sectors)
    }

    /// Which of the special commands, for Special and Extended Special. AN3155, sections 3.14 and
    /// 3.15.
    pub fn special_code(code: u16) -> Self {
        Self::empty().push(&code.to_be_bytes()).closed_by_xor()
    }

    /// The data of Special and the parameters of Extended Special, 0 to 128 bytes: their number in
    /// two bytes, and they. AN3155, sections 3.14 and 3.15.
    pub fn special_data(data: &[u8]) -> Option<Self> {
        Self::counted(data, 128)
    }

    /// The data of Extended Special, 0 to 1024 bytes. AN3155, section 3.15.
    pub fn extended_special_data(data: &[u8]) -> Option<Self> {
        Self::counted(data, 1024)
    }

    fn counted(data: &[u8], most: usize) -> Option<Self> {
        if data.len() > most {
            return None;
        }
        let count = data.len() as u16;
        let frame = Self::empty().push(&count.to_be_bytes()).push(data);
        Some(frame.closed_by_xor())
    }

    /// How many pages are to be erased, 1 to [`MAX_ERASE_LIST`](Self::MAX_ERASE_LIST): on I2C a
    /// message of its own, acknowledged before the [`page_list`](Self::page_list). AN4221, sections
    /// 2.7 and 2.13. A [`special_erase`](Self::special_erase) is the only message.
    pub fn page_count(pages: usize) -> Option<Self> {
        if pages == 0 || pages > Self::MAX_ERASE_LIST {
            return None;
        }
        let count = pages as u16 - 1;
        Some(Self::empty().push(&count.to_be_bytes()).closed_by_xor())
    }

    /// The pages to be erased, on I2C; as many as the [`page_count`](Self::page_count) said. AN4221,
    /// sections 2.7 and 2.13.
    pub fn page_list(pages: &[u16]) -> Option<Self> {
        if pages.is_empty() || pages.len() > Self::MAX_ERASE_LIST {
            return None;
        }
        let list = pages
            .iter()
            .fold(Self::empty(), |frame, page| frame.push(&page.to_be_bytes()));
        Some(list.closed_by_xor())
    }

    /// How many sectors are to be protected, 1 to 256: on I2C a message of its own, acknowledged
    /// before the [`sector_list`](Self::sector_list). AN4221, sections 2.8 and 2.16.
    pub fn sector_count(sectors: usize) -> Option<Self> {
        Self::byte_count(sectors)
    }

    /// The sectors to be protected, on I2C; as many as the [`sector_count`](Self::sector_count)
    /// said. AN4221, sections 2.8 and 2.16.
    pub fn sector_list(sectors: &[u8]) -> Option<Self> {
        count_field(sectors.len(), BLOCK_BYTES)?;
        Some(Self::empty().push(sectors).closed_by_xor())
    }
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Frame({:02X?})", self.as_bytes())
    }
}

/// The document's count fields hold one less than they count.
fn count_field(count: usize, most: usize) -> Option<u8> {
    if count == 0 || count > most {
        None
    } else {
        u8::try_from(count - 1).ok()
    }
}

/// Banks that Extended Erase erases as a whole. AN3155, section 3.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum SpecialErase {
    /// The whole flash.
    Mass = 0xFFFF,
    /// Bank 1 of a part with two banks.
    Bank1 = 0xFFFE,
    /// Bank 2 of a part with two banks.
    Bank2 = 0xFFFD,
}

/// Checks a group of fields that is closed by its XOR; returns the fields without it.
///
/// # Errors
/// [`DecodeError::Length`] if it is empty, [`DecodeError::Checksum`].
pub fn check(frame: &[u8]) -> Result<&[u8], DecodeError> {
    let (sum, fields) = frame.split_last().ok_or(DecodeError::Length)?;
    if xor(fields) == *sum {
        Ok(fields)
    } else {
        Err(DecodeError::Checksum)
    }
}

/// Reads a four-byte field: an address, or a size, polynomial or initial value of Get Checksum.
///
/// # Errors
/// [`DecodeError::Length`] if it is not five bytes long, [`DecodeError::Checksum`].
pub fn decode_word(frame: &[u8]) -> Result<u32, DecodeError> {
    let fields = check(frame)?;
    Ok(u32::from_be_bytes(
        fields.try_into().map_err(|_| DecodeError::Length)?,
    ))
}

/// Reads how many bytes Read Memory is to send.
///
/// # Errors
/// [`DecodeError::Checksum`] if the second byte is not the complement of the first.
pub fn decode_byte_count(frame: [u8; 2]) -> Result<usize, DecodeError> {
    let [field, check] = frame;
    if complement(field) == check {
        Ok(usize::from(field) + 1)
    } else {
        Err(DecodeError::Checksum)
    }
}

/// Reads the data of Write Memory, or the sector codes of Write Protect: the frames are alike.
///
/// # Errors
/// [`DecodeError::Length`] if the count does not fit the frame, [`DecodeError::Checksum`].
pub fn decode_write(frame: &[u8]) -> Result<&[u8], DecodeError> {
    let (count, data) = check(frame)?.split_first().ok_or(DecodeError::Length)?;
    if data.len() == usize::from(*count) + 1 {
        Ok(data)
    } else {
        Err(DecodeError::Length)
    }
}

/// What Erase or Extended Erase is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EraseRequest<'a> {
    /// A bank or the whole flash.
    Special(SpecialErase),
    /// Pages, in the width of the command: one byte each (Erase) or two, big endian.
    Pages(&'a [u8]),
}

/// Reads the frame of Erase.
///
/// # Errors
/// [`DecodeError::Length`] if the count does not fit the frame, [`DecodeError::Checksum`].
pub fn decode_erase(frame: &[u8]) -> Result<EraseRequest<'_>, DecodeError> {
    match frame {
        [0xFF, 0x00] => Ok(EraseRequest::Special(SpecialErase::Mass)),
        [0xFF, ..] => Err(DecodeError::Checksum),
        _ => decode_write(frame).map(EraseRequest::Pages),
    }
}

/// Reads the frame of Extended Erase.
///
/// # Errors
/// [`DecodeError::Reserved`] for the special codes without a meaning, [`DecodeError::Length`] if
/// the count does not fit the frame, [`DecodeError::Checksum`].
pub fn decode_extended_erase(frame: &[u8]) -> Result<EraseRequest<'_>, DecodeError> {
    let (count, pages) = check(frame)?
        .split_first_chunk()
        .ok_or(DecodeError::Length)?;
    match (u16::from_be_bytes(*count), pages) {
        (0xFFFF, []) => Ok(EraseRequest::Special(SpecialErase::Mass)),
        (0xFFFE, []) => Ok(EraseRequest::Special(SpecialErase::Bank1)),
        (0xFFFD, []) => Ok(EraseRequest::Special(SpecialErase::Bank2)),
        (code @ 0xFFF0.., _) => Err(DecodeError::Reserved(code)),
        (count, pages) if pages.len() == 2 * (usize::from(count) + 1) => {
            Ok(EraseRequest::Pages(pages))
        }
        _ => Err(DecodeError::Length),
    }
}

/// What the first message of an erase on I2C announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageCount {
    /// A bank or the whole flash; nothing follows.
    Special(SpecialErase),
    /// A list of so many pages.
    Pages(usize),
}

/// Reads the first message of an erase on I2C. AN4221, sections 2.7 and 2.13.
///
/// # Errors
/// [`DecodeError::Reserved`] for the special codes without a meaning, [`DecodeError::Length`] if it
/// is not three bytes long, [`DecodeError::Checksum`].
pub fn decode_page_count(frame: &[u8]) -> Result<PageCount, DecodeError> {
    let count = check(frame)?.try_into().map_err(|_| DecodeError::Length)?;
    match u16::from_be_bytes(count) {
        0xFFFF => Ok(PageCount::Special(SpecialErase::Mass)),
        0xFFFE => Ok(PageCount::Special(SpecialErase::Bank1)),
        0xFFFD => Ok(PageCount::Special(SpecialErase::Bank2)),
        code @ 0xFFF0.. => Err(DecodeError::Reserved(code)),
        count => Ok(PageCount::Pages(usize::from(count) + 1)),
    }
}

/// What a loader says of itself in answer to Get. AN3155, section 3.1; AN4221, section 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetAnswer {
    /// Protocol version, one decimal digit in each half: 0x22 is 2.2.
    pub version: u8,
    /// The commands that it lists.
    pub commands: CommandSet,
}

impl GetAnswer {
    /// Bytes that follow the count byte: version and codes. The final ACK is not counted.
    pub const fn body_bytes(count: u8) -> usize {
        count as usize + 1
    }

    /// How many commands a loader lists on I2C, if the protocol's version tells: the answer has to
    /// be read in one piece, so that its length has to be known before. AN4221, section 2.1; from
    /// version 2.0 on it differs from part to part.
    pub const fn i2c_count(version: u8) -> Option<u8> {
        match version {
            0x10 => Some(11),
            0x11 => Some(17),
            0x12 => Some(18),
            _ => None,
        }
    }

    /// Reads version and codes: what follows the count byte, without the final ACK.
    ///
    /// # Errors
    /// [`DecodeError::Length`] if there is not even a version.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let (&version, codes) = body.split_first().ok_or(DecodeError::Length)?;
        Ok(Self {
            version,
            commands: codes.iter().copied().collect(),
        })
    }
}

/// Version and option bytes in answer to Get Version. AN3155, section 3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetVersionAnswer {
    /// Protocol version, one decimal digit in each half: 0x31 is 3.1.
    pub version: u8,
    /// Option bytes 1 and 2: zero on all but the oldest loaders.
    pub options: [u8; 2],
}

impl GetVersionAnswer {
    /// Length of the answer between its two ACKs, in bytes.
    pub const BYTES: usize = 3;

    /// Length of the answer between its two ACKs on I2C, in bytes: the version only. AN4221, section
    /// 2.2.
    pub const I2C_BYTES: usize = 1;

    /// Reads what stands between the two ACKs.
    pub const fn decode(body: [u8; Self::BYTES]) -> Self {
        Self {
            version: body[0],
            options: [body[1], body[2]],
        }
    }

    /// What the device sends between the two ACKs.
    pub const fn encode(self) -> [u8; Self::BYTES] {
        [self.version, self.options[0], self.options[1]]
    }
}

/// The product id in answer to Get ID. AN3155, section 3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetIdAnswer {
    bytes: [u8; Self::MAX_BYTES],
    len: usize,
}

impl GetIdAnswer {
    /// Longest id known, in bytes: four on the BlueNRG lineage. Two on every STM32.
    pub const MAX_BYTES: usize = 8;

    /// Reads the id bytes between the count byte and the final ACK.
    ///
    /// # Errors
    /// [`DecodeError::Length`] if there are none or more than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut bytes = [0; Self::MAX_BYTES];
        match bytes.get_mut(..body.len()) {
            Some(room) if !body.is_empty() => room.copy_from_slice(body),
            _ => return Err(DecodeError::Length),
        }
        Ok(Self {
            bytes,
            len: body.len(),
        })
    }

    /// The id bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// The product id: two bytes, most significant first, on an STM32; the third byte where there
    /// are three or four (metal fix, mask set, product: the BlueNRG lineage).
    pub fn product_id(&self) -> u16 {
        match *self.as_bytes() {
            [id] => u16::from(id),
            [high, low] => u16::from_be_bytes([high, low]),
            [_, _, product, ..] => u16::from(product),
            [] => 0,
        }
    }
}
