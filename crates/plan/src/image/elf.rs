//! ELF (Tool Interface Standard, "Executable and Linking Format" 1.2): what its PT_LOAD segments
//! put at physical addresses, which is where a start-up code finds its initial data.

use std::ops::Range;

use object::Endianness;
use object::elf::{self, FileClass, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

use super::assembly::Assembly;
use super::{Format, ImageError, Note, Place};

/// Reads a whole file.
pub(super) fn parse(bytes: &[u8]) -> Result<Assembly, ImageError> {
    let Some(&[0x7F, b'E', b'L', b'F', class]) = bytes.get(..=CLASS_OFFSET) else {
        let place = Place::Offset(0);
        return Err(ImageError::NotThisFormat {
            format: Format::Elf,
            place,
        });
    };
    match FileClass(class) {
        elf::ELFCLASS32 => read::<FileHeader32<Endianness>>(bytes),
        elf::ELFCLASS64 => read::<FileHeader64<Endianness>>(bytes),
        _ => Err(ImageError::bad_field(
            CLASS_OFFSET as u64,
            "the ELF class",
            class,
        )),
    }
}

/// Where `e_ident` says 32 or 64 bits (figure 1-4).
const CLASS_OFFSET: usize = 4;
/// Where it says the byte order.
const DATA_OFFSET: usize = 5;

fn read<Elf: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Result<Assembly, ImageError> {
    let left = bytes.len() as u64;
    let header_bytes = size_of::<Elf>() as u64;
    if left < header_bytes {
        return Err(ImageError::truncated(
            0,
            "the ELF header",
            header_bytes,
            left,
        ));
    }
    // With all of it there, only byte order and version can be wrong.
    let (header, endian) = Elf::parse(bytes)
        .and_then(|header| Ok((header, header.endian()?)))
        .map_err(|_| {
            let what = "the ELF byte order and version";
            ImageError::bad_field(DATA_OFFSET as u64, what, bytes[DATA_OFFSET])
        })?;
    let kind = match header.e_type(endian) {
        elf::ET_EXEC | elf::ET_DYN => None,
        elf::ET_REL => Some("an object file"),
        elf::ET_CORE => Some("a core dump"),
        _ => Some("of an unknown type"),
    };
    if let Some(what) = kind {
        return Err(ImageError::NotExecutable { what });
    }

    let table = Table::of(header, endian, bytes)?;
    let mut assembly = Assembly::default();
    assembly.machine = Some(header.e_machine(endian).0);
    assembly.entry = Some(header.e_entry(endian).into()).filter(|&entry| entry != 0);
    for (n, segment) in table.segments.iter().enumerate() {
        if segment.p_type(endian) != elf::PT_LOAD {
            continue;
        }
        let entry_offset = table.offset + (n * size_of::<Elf::ProgramHeader>()) as u64;
        let place = Place::Offset(entry_offset);
        let offset: u64 = segment.p_offset(endian).into();
        let file_bytes: u64 = segment.p_filesz(endian).into();
        let end = offset.saturating_add(file_bytes);
        if end > left {
            let left = left.saturating_sub(offset);
            return Err(ImageError::truncated(
                offset,
                "an ELF segment",
                file_bytes,
                left,
            ));
        }
        if file_bytes > segment.p_memsz(endian).into() {
            let what = "the size of an ELF segment in the file (more than in memory)";
            return Err(ImageError::bad_field(entry_offset, what, file_bytes));
        }
        let address: u64 = segment.p_paddr(endian).into();
        let own = table.own_headers(&(offset..end), header, endian, bytes);
        if own > 0 {
            assembly.notes.push(Note::ElfHeaders {
                address,
                bytes: own,
            });
        }
        let overflow = ImageError::AddressOverflow {
            place,
            address,
            bytes: file_bytes,
        };
        let data_address = address.checked_add(own).ok_or(overflow)?;
        assembly.add(
            data_address,
            &bytes[(offset + own) as usize..end as usize],
            place,
        )?;
    }
    Ok(assembly)
}

/// The program header table.
struct Table<'a, Elf: FileHeader> {
    offset: u64,
    segments: &'a [Elf::ProgramHeader],
}

impl<'a, Elf: FileHeader<Endian = Endianness>> Table<'a, Elf> {
    fn of(header: &Elf, endian: Endianness, bytes: &'a [u8]) -> Result<Self, ImageError> {
        let offset = header.e_phoff(endian).into();
        let segments = header.program_headers(endian, bytes).map_err(|_| {
            let each = u64::from(header.e_phentsize(endian));
            let needed = u64::from(header.e_phnum(endian)) * each;
            let left = (bytes.len() as u64).saturating_sub(offset);
            if needed > left {
                ImageError::truncated(offset, "the ELF program header table", needed, left)
            } else {
                ImageError::bad_field(offset, "the size of an ELF program header", each)
            }
        })?;
        Ok(Self { offset, segments })
    }

    /// How many bytes at the beginning of a segment (given by where it is in the file) are the ELF
    /// file's own headers, and the padding after them, rather than anything of the program.
    ///
    /// GNU ld puts them there when the page of the first section has room before it: an application
    /// linked for 0x0800_4000 then has a segment from 0x0800_0000 on, that would overwrite the boot
    /// loader in front of it. What belongs to the program begins with the first section that is
    /// loaded; a file that was stripped of its sections is taken at its word.
    fn own_headers(
        &self,
        segment: &Range<u64>,
        header: &Elf,
        endian: Endianness,
        bytes: &[u8],
    ) -> u64 {
        let headers_end = self.offset + size_of_val(self.segments) as u64;
        if segment.start != 0 || segment.end < headers_end {
            return 0;
        }
        let Ok(sections) = header.section_headers(endian, bytes) else {
            return 0;
        };
        let is_loaded = |section: &&Elf::SectionHeader| {
            let allocated = section.sh_flags(endian).0 & elf::SHF_ALLOC.0 != 0;
            let has_content = section.sh_type(endian) != elf::SHT_NOBITS;
            allocated && has_content && section.sh_size(endian).into() > 0
        };
        let starts = sections
            .iter()
            .filter(is_loaded)
            .map(|section| section.sh_offset(endian).into());
        starts
            .filter(|start| (headers_end..segment.end).contains(start))
            .min()
            .unwrap_or(0)
    }
}
