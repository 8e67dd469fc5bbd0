//! Golden bytes of the SPI NOR command set, from the instruction tables of the datasheets named.
//! Do not change the expected bytes to make a test pass: chips do not change either.

use flashwire_protocol::spinor::*;

#[test]
fn instructions_have_the_codes_of_the_datasheets() {
    use instruction::*;
    // W25Q64JV revision K, section 8.1.
    assert_eq!([WREN, WRDI, EWSR], [0x06, 0x04, 0x50]);
    assert_eq!([RDSR, RDSR2, RDSR3], [0x05, 0x35, 0x15]);
    assert_eq!([WRSR, WRSR2, WRSR3], [0x01, 0x31, 0x11]);
    assert_eq!(
        [RDID, REMS, RES, DP, RDSFDP, RDUID],
        [0x9F, 0x90, 0xAB, 0xB9, 0x5A, 0x4B]
    );
    assert_eq!([READ, FAST_READ, PP], [0x03, 0x0B, 0x02]);
    assert_eq!([SE, BE32, BE, CE, CE_60], [0x20, 0x52, 0xD8, 0xC7, 0x60]);
    assert_eq!([RSTEN, RST, ULBPR], [0x66, 0x99, 0x98]);
    // W25Q256FV revision I, section 8.1; the 4-byte erases also JESD216B, section 6.6.
    assert_eq!([READ_4B, FAST_READ_4B, PP_4B], [0x13, 0x0C, 0x12]);
    assert_eq!([SE_4B, BE32_4B, BE_4B], [0x21, 0x5C, 0xDC]);
    assert_eq!([EN4B, EX4B, WREAR, RDEAR], [0xB7, 0xE9, 0xC5, 0xC8]);
    // S25FL256S: bank address register. N25Q256A: flag status register. MX25L6436E: security
    // register. SST25VF016B table 5: AAI word program; SST25VF512: AAI byte program.
    assert_eq!([BRWR, BRRD], [0x17, 0x16]);
    assert_eq!([RDFSR, CLFSR, RDSCUR], [0x70, 0x50, 0x2B]);
    assert_eq!([AAI_WORD, AAI_BYTE], [0xAD, 0xAF]);
}

#[test]
fn status_bits_are_where_the_datasheets_have_them() {
    use status::*;
    assert_eq!(
        [WIP, WEL, BP0, BP1, BP2, BP3, SRWD],
        [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x80]
    );
    assert_eq!(
        [winbond::TB, winbond::SEC, winbond::TB_LARGE],
        [0x20, 0x40, 0x40]
    );
    assert_eq!(
        [winbond::SRP1, winbond::QE, winbond::CMP, winbond::SUS],
        [0x01, 0x02, 0x40, 0x80]
    );
    assert_eq!(
        [winbond::ADS, winbond::ADP, winbond::WPS],
        [0x01, 0x02, 0x04]
    );
    assert_eq!(
        [macronix::QE, macronix::TB, macronix::FOUR_BYTE],
        [0x40, 0x08, 0x20]
    );
    assert_eq!(
        [sst::AAI, micron::READY, BANK_FOUR_BYTE],
        [0x40, 0x80, 0x80]
    );
}

#[test]
fn addresses_go_out_most_significant_byte_first() {
    let read = Head::at(instruction::READ, 0x0001_0203, AddressWidth::Three);
    assert_eq!(read.as_bytes(), [0x03, 0x01, 0x02, 0x03]);
    let read = Head::at(instruction::READ_4B, 0x0102_0304, AddressWidth::Four);
    assert_eq!(read.as_bytes(), [0x13, 0x01, 0x02, 0x03, 0x04]);
    // Three bytes carry the low 24 bits: the rest is the bank's.
    let read = Head::at(instruction::READ, 0x0102_0304, AddressWidth::Three);
    assert_eq!(read.as_bytes(), [0x03, 0x02, 0x03, 0x04]);
}

#[test]
fn dummy_bytes_follow_the_address() {
    let sfdp = Head::at(instruction::RDSFDP, 0x80, AddressWidth::Three).with_dummy(1);
    assert_eq!(sfdp.as_bytes(), [0x5A, 0x00, 0x00, 0x80, 0x00]);
    assert_eq!(Head::of(instruction::RDID).as_bytes(), [0x9F]);
    assert_eq!(
        Head::of(instruction::RES).with_dummy(3).as_bytes(),
        [0xAB, 0, 0, 0]
    );
    assert_eq!(
        Head::of(instruction::RES).with_dummy(200).as_bytes().len(),
        Head::CAPACITY
    );
}

#[test]
fn an_id_of_one_bit_value_is_silence() {
    assert!(JedecId([0xFF; 3]).is_silence() && JedecId([0; 3]).is_silence());
    let winbond = JedecId([0xEF, 0x40, 0x17]);
    assert!(!winbond.is_silence());
    assert_eq!((winbond.manufacturer(), winbond.device()), (0xEF, 0x4017));
    assert_eq!(winbond.to_string(), "EF 40 17");
}
