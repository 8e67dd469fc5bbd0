//! ELF files, rule by rule.

use flashwire_plan::image::{Format, ImageError, Note, Place};

use crate::{content, parse};

const ARM: u16 = 40;
const ET_EXEC: u16 = 2;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
const SHT_PROGBITS: u32 = 1;
const SHT_NOBITS: u32 = 8;
const SHF_ALLOC: u64 = 2;

/// Builds ELF files of either class and byte order: header, program headers, data, section headers.
struct Builder {
    wide: bool,
    big_endian: bool,
    kind: u16,
    machine: u16,
    entry: u64,
    segments: Vec<Load>,
    sections: Vec<Section>,
    data: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Load {
    kind: u32,
    offset: u64,
    virtual_address: u64,
    physical_address: u64,
    file_bytes: u64,
    memory_bytes: u64,
}

struct Section {
    kind: u32,
    flags: u64,
    offset: u64,
    bytes: u64,
}

impl Builder {
    fn new() -> Self {
        Self {
            wide: false,
            big_endian: false,
            kind: ET_EXEC,
            machine: ARM,
            entry: 0x0800_0101,
            segments: Vec::new(),
            sections: Vec::new(),
            data: Vec::new(),
        }
    }

    fn headers_bytes(&self) -> u64 {
        let (header, segment) = if self.wide { (64, 56) } else { (52, 32) };
        header + segment * self.segments.len() as u64
    }

    /// Adds segments at these physical addresses, with other virtual ones.
    fn loads(mut self, loads: &[(u64, &[u8])]) -> Self {
        for (address, data) in loads {
            self.segments.push(Load {
                kind: PT_LOAD,
                offset: self.data.len() as u64,
                virtual_address: 0x2000_0000,
                physical_address: *address,
                file_bytes: data.len() as u64,
                memory_bytes: data.len() as u64 + 16,
            });
            self.data.extend(*data);
        }
        let headers = self.headers_bytes();
        for segment in &mut self.segments {
            segment.offset += headers;
        }
        self
    }

    fn build(&self) -> Vec<u8> {
        let mut out = Bytes {
            bytes: Vec::new(),
            big_endian: self.big_endian,
            wide: self.wide,
        };
        let class = if self.wide { 2 } else { 1 };
        let order = if self.big_endian { 2 } else { 1 };
        out.bytes.extend([
            0x7F, b'E', b'L', b'F', class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ]);
        let sections_offset = self.headers_bytes() + self.data.len() as u64;
        let (header_bytes, segment_bytes, section_bytes) = if self.wide {
            (64, 56, 64)
        } else {
            (52, 32, 40)
        };
        out.half(self.kind);
        out.half(self.machine);
        out.word(1);
        out.address(self.entry);
        out.address(u64::from(header_bytes));
        out.address(if self.sections.is_empty() {
            0
        } else {
            sections_offset
        });
        out.word(0);
        out.half(header_bytes);
        out.half(segment_bytes);
        out.half(self.segments.len() as u16);
        out.half(section_bytes);
        out.half(self.sections.len() as u16);
        out.half(0);
        for load in &self.segments {
            out.word(load.kind);
            if self.wide {
                out.word(5);
            }
            out.address(load.offset);
            out.address(load.virtual_address);
            out.address(load.physical_address);
            out.address(load.file_bytes);
            out.address(load.memory_bytes);
            if !self.wide {
                out.word(5);
            }
            out.address(4);
        }
        out.bytes.extend(&self.data);
        for section in &self.sections {
            out.word(0);
            out.word(section.kind);
            out.address(section.flags);
            out.address(0);
            out.address(section.offset);
            out.address(section.bytes);
            out.word(0);
            out.word(0);
            out.address(4);
            out.address(0);
        }
        out.bytes
    }
}

struct Bytes {
    bytes: Vec<u8>,
    big_endian: bool,
    wide: bool,
}

impl Bytes {
    fn half(&mut self, value: u16) {
        self.bytes.extend(if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        });
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend(if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        });
    }

    fn address(&mut self, value: u64) {
        match (self.wide, self.big_endian) {
            (false, _) => self.word(value as u32),
            (true, true) => self.bytes.extend(value.to_be_bytes()),
            (true, false) => self.bytes.extend(value.to_le_bytes()),
        }
    }
}

#[test]
fn load_segments_go_to_their_physical_addresses_in_both_classes_and_byte_orders() {
    for (wide, big_endian) in [(false, false), (false, true), (true, false), (true, true)] {
        let loads: [(u64, &[u8]); 2] = [(0x0800_0000, &[1, 2, 3]), (0x0800_0010, &[4])];
        let builder = Builder {
            wide,
            big_endian,
            ..Builder::new()
        }
        .loads(&loads);
        let image = parse(builder.build()).unwrap();
        assert_eq!(image.format(), Format::Elf);
        assert_eq!(content(&image), loads);
        assert_eq!(image.machine(), Some(ARM));
        assert_eq!(image.entry(), Some(0x0800_0101));
    }
}

#[test]
fn the_file_may_be_anywhere_in_memory() {
    let file = Builder::new().loads(&[(0x0800_0000, &[1, 2, 3])]).build();
    for shift in 0..8 {
        let mut shifted = vec![0; shift];
        shifted.extend(&file);
        assert_eq!(parse(&shifted[shift..]).unwrap().total_bytes(), 3);
    }
}

#[test]
fn segments_that_touch_are_joined_and_order_does_not_matter() {
    let file = Builder::new()
        .loads(&[(0x0800_0002, &[3, 4]), (0x0800_0000, &[1, 2])])
        .build();
    assert_eq!(
        content(&parse(file).unwrap()),
        [(0x0800_0000, &[1, 2, 3, 4][..])]
    );
}

#[test]
fn segments_without_file_content_and_of_other_types_are_left_out() {
    let mut builder = Builder::new().loads(&[(0x0800_0000, &[1]), (0x2000_0000, &[]), (0, &[9])]);
    builder.segments[2].kind = PT_NOTE;
    assert_eq!(
        content(&parse(builder.build()).unwrap()),
        [(0x0800_0000, &[1][..])]
    );
}

#[test]
fn a_machine_other_than_arm_is_told_and_not_judged() {
    let file = Builder {
        machine: 62,
        ..Builder::new()
    }
    .loads(&[(0, &[1])])
    .build();
    assert_eq!(parse(file).unwrap().machine(), Some(62));
}

#[test]
fn object_files_and_core_dumps_are_not_executables() {
    for (kind, what) in [
        (1, "an object file"),
        (4, "a core dump"),
        (0, "of an unknown type"),
    ] {
        let file = Builder {
            kind,
            ..Builder::new()
        }
        .loads(&[(0, &[1])])
        .build();
        assert_eq!(parse(file), Err(ImageError::NotExecutable { what }));
    }
}

#[test]
fn position_independent_executables_are_accepted() {
    let file = Builder {
        kind: 3,
        ..Builder::new()
    }
    .loads(&[(0, &[1])])
    .build();
    assert_eq!(parse(file).unwrap().total_bytes(), 1);
}

#[test]
fn nothing_to_load_is_no_image() {
    let file = Builder::new().build();
    assert_eq!(
        parse(file),
        Err(ImageError::NoData {
            format: Format::Elf
        })
    );
}

#[test]
fn a_segment_beyond_the_end_of_the_file_is_an_error() {
    let file = Builder::new().loads(&[(0x0800_0000, &[1; 100])]).build();
    let expected = ImageError::Truncated {
        offset: 84,
        what: "an ELF segment",
        needed: 100,
        left: 60,
    };
    assert_eq!(parse(&file[..144]), Err(expected));

    let mut builder = Builder::new().loads(&[(0x0800_0000, &[1])]);
    builder.segments[0].offset = 0xFFFF_FFF0;
    let expected = ImageError::Truncated {
        offset: 0xFFFF_FFF0,
        what: "an ELF segment",
        needed: 1,
        left: 0,
    };
    assert_eq!(parse(builder.build()), Err(expected));
}

#[test]
fn headers_beyond_the_end_of_the_file_are_an_error() {
    let file = Builder::new().loads(&[(0x0800_0000, &[1])]).build();
    let expected = ImageError::Truncated {
        offset: 0,
        what: "the ELF header",
        needed: 52,
        left: 20,
    };
    assert_eq!(parse(&file[..20]), Err(expected));
    let what = "the ELF program header table";
    let expected = ImageError::Truncated {
        offset: 52,
        what,
        needed: 32,
        left: 8,
    };
    assert_eq!(parse(&file[..60]), Err(expected));
}

#[test]
fn a_class_or_byte_order_that_does_not_exist_is_an_error() {
    let good = Builder::new().loads(&[(0x0800_0000, &[1])]).build();
    for at in [4, 5] {
        let mut file = good.clone();
        file[at] = 3;
        let error = parse(file).unwrap_err();
        assert!(
            matches!(error, ImageError::BadField { offset, found: 3, .. } if offset == at as u64),
            "{error:?}"
        );
    }
}

#[test]
fn more_bytes_in_the_file_than_in_memory_is_an_error() {
    let mut builder = Builder::new().loads(&[(0x0800_0000, &[1, 2])]);
    builder.segments[0].memory_bytes = 1;
    let error = parse(builder.build()).unwrap_err();
    assert!(
        matches!(
            error,
            ImageError::BadField {
                offset: 52,
                found: 2,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn segments_that_overlap_and_differ_are_an_error() {
    let file = Builder::new()
        .loads(&[(0x0800_0000, &[1, 2]), (0x0800_0001, &[3])])
        .build();
    let expected = ImageError::Overlap {
        place: Place::Offset(84),
        earlier: Place::Offset(52),
        address: 0x0800_0001,
    };
    assert_eq!(parse(file), Err(expected));
}

#[test]
fn an_address_past_the_end_of_the_address_space_is_an_error() {
    let file = Builder {
        wide: true,
        ..Builder::new()
    }
    .loads(&[(u64::MAX, &[1, 2])])
    .build();
    let expected = ImageError::AddressOverflow {
        place: Place::Offset(64),
        address: u64::MAX,
        bytes: 2,
    };
    assert_eq!(parse(file), Err(expected));
}

/// What GNU ld makes of an application that is linked behind a boot loader: the first segment
/// begins with the file's own headers, one page lower.
fn with_headers_in_the_first_segment() -> Builder {
    let mut builder = Builder::new();
    builder.segments.push(Load {
        kind: PT_LOAD,
        offset: 0,
        virtual_address: 0x0800_0000,
        physical_address: 0x0800_0000,
        file_bytes: 0x4004,
        memory_bytes: 0x4004,
    });
    let padding = 0x4000 - builder.headers_bytes() as usize;
    builder.data = vec![0; padding];
    builder.data.extend([1, 2, 3, 4]);
    builder
}

#[test]
fn the_files_own_headers_do_not_overwrite_a_boot_loader() {
    let mut builder = with_headers_in_the_first_segment();
    builder.sections = vec![
        Section {
            kind: 0,
            flags: 0,
            offset: 0,
            bytes: 0,
        },
        Section {
            kind: SHT_NOBITS,
            flags: SHF_ALLOC,
            offset: 0x100,
            bytes: 8,
        },
        Section {
            kind: SHT_PROGBITS,
            flags: 0,
            offset: 0x200,
            bytes: 8,
        },
        Section {
            kind: SHT_PROGBITS,
            flags: SHF_ALLOC,
            offset: 0x4000,
            bytes: 4,
        },
    ];
    let image = parse(builder.build()).unwrap();
    assert_eq!(content(&image), [(0x0800_4000, &[1, 2, 3, 4][..])]);
    assert_eq!(
        image.notes(),
        [Note::ElfHeaders {
            address: 0x0800_0000,
            bytes: 0x4000
        }]
    );
}

#[test]
fn a_file_stripped_of_its_sections_is_taken_at_its_word() {
    let image = parse(with_headers_in_the_first_segment().build()).unwrap();
    assert_eq!(image.range(), 0x0800_0000..0x0800_4004);
    assert!(image.notes().is_empty());
}
