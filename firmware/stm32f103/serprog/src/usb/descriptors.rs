//! What the device says of itself: USB 2.0, section 9.6; "Communications Devices" 1.2 and "PSTN
//! Devices" 1.2 (USB-IF) for the serial port.

/// ST's vendor id and its id for virtual COM ports, as serprog-stm32vcp and most firmware for these
/// chips use them: drivers, udev rules and habits know them.
const VENDOR: [u8; 2] = 0x0483_u16.to_le_bytes();
const PRODUCT: [u8; 2] = 0x5740_u16.to_le_bytes();

/// Descriptor types: USB 2.0, table 9-5.
pub(super) const DEVICE: u8 = 1;
pub(super) const CONFIGURATION: u8 = 2;
pub(super) const STRING: u8 = 3;

/// Index of the string with the serial number.
pub(super) const SERIAL_NUMBER: u8 = 3;

/// The device: a communication device, one configuration.
pub(super) const DEVICE_DESCRIPTOR: [u8; 18] = [
    18,
    DEVICE,
    0x00,
    0x02, // USB 2.0
    0x02,
    0,
    0,  // communications
    64, // packets of endpoint 0
    VENDOR[0],
    VENDOR[1],
    PRODUCT[0],
    PRODUCT[1],
    0x00,
    0x01, // release 1.0
    1,
    2,
    SERIAL_NUMBER, // strings
    1,             // configurations
];

/// Two interfaces: one that is to be controlled, one with the bytes.
pub(super) const CONFIGURATION_DESCRIPTOR: [u8; 67] = [
    9,
    CONFIGURATION,
    67,
    0,
    2,
    1,
    0,
    0x80,
    50, // from the bus, 100 mA
    9,
    4,
    0,
    0,
    1,
    0x02,
    0x02,
    0,
    0, // control: abstract control model, no commands
    5,
    0x24,
    0x00,
    0x10,
    0x01, // header: CDC 1.10
    5,
    0x24,
    0x01,
    0x00,
    1, // no call management
    4,
    0x24,
    0x02,
    0x02, // line coding and line state
    5,
    0x24,
    0x06,
    0,
    1, // 0 controls 1
    7,
    5,
    0x83,
    0x03,
    8,
    0,
    255, // notifications
    9,
    4,
    1,
    0,
    2,
    0x0A,
    0,
    0,
    0, // data
    7,
    5,
    0x01,
    0x02,
    64,
    0,
    0, // OUT
    7,
    5,
    0x82,
    0x02,
    64,
    0,
    0, // IN
];

/// Languages: English (United States).
pub(super) const LANGUAGES: [u8; 4] = [4, STRING, 0x09, 0x04];

/// The strings but the serial number.
pub(super) const fn string(index: u8) -> Option<&'static str> {
    match index {
        1 => Some("flashwire"),
        2 => Some("serprog SPI programmer"),
        _ => None,
    }
}
