//! Descriptors: USB 2.0, section 9.6.

/// How an endpoint transfers: bmAttributes of table 9-13.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// Control.
    Control,
    /// Isochronous.
    Isochronous,
    /// Bulk.
    Bulk,
    /// Interrupt.
    Interrupt,
}

/// An endpoint of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointInfo {
    /// Its number, and 0x80 if data comes from the device.
    pub address: u8,
    /// How it transfers.
    pub kind: TransferKind,
    /// Largest packet, in bytes.
    pub max_packet: u16,
    /// bInterval.
    pub interval: u8,
}

/// An interface of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceInfo {
    /// bInterfaceNumber.
    pub number: u8,
    /// bAlternateSetting.
    pub alternate: u8,
    /// bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol.
    pub class: [u8; 3],
    /// Its endpoints.
    pub endpoints: Vec<EndpointInfo>,
}

/// What a device says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// The device descriptor: 18 bytes.
    pub device: Vec<u8>,
    /// The configuration descriptor with all that belongs to it.
    pub configuration: Vec<u8>,
    /// Manufacturer, product, serial number, where there are any.
    pub strings: [Option<String>; 3],
}

impl Descriptors {
    /// idVendor.
    pub fn vendor(&self) -> u16 {
        self.device_word(8)
    }

    /// idProduct.
    pub fn product(&self) -> u16 {
        self.device_word(10)
    }

    fn device_word(&self, offset: usize) -> u16 {
        let byte = |offset: usize| self.device.get(offset).copied().unwrap_or(0);
        u16::from_le_bytes([byte(offset), byte(offset + 1)])
    }

    /// bMaxPacketSize0: the largest packet of endpoint 0.
    pub fn max_packet(&self) -> usize {
        usize::from(self.device.get(7).copied().unwrap_or(8))
    }

    /// bConfigurationValue.
    pub fn configuration_value(&self) -> u8 {
        self.configuration.get(5).copied().unwrap_or(1)
    }

    /// The interfaces in their order.
    pub fn interfaces(&self) -> Vec<InterfaceInfo> {
        let mut interfaces: Vec<InterfaceInfo> = Vec::new();
        for descriptor in Parts(&self.configuration) {
            match *descriptor {
                [_, 4, number, alternate, _, class, subclass, protocol, ..] => {
                    interfaces.push(InterfaceInfo {
                        number,
                        alternate,
                        class: [class, subclass, protocol],
                        endpoints: Vec::new(),
                    });
                }
                [_, 5, address, attributes, low, high, interval, ..] => {
                    let kind = match attributes & 3 {
                        0 => TransferKind::Control,
                        1 => TransferKind::Isochronous,
                        2 => TransferKind::Bulk,
                        _ => TransferKind::Interrupt,
                    };
                    if let Some(interface) = interfaces.last_mut() {
                        interface.endpoints.push(EndpointInfo {
                            address,
                            kind,
                            max_packet: u16::from_le_bytes([low, high]) & 0x7ff,
                            interval,
                        });
                    }
                }
                _ => {}
            }
        }
        interfaces
    }
}

/// Descriptors in a row, each with its length in front.
struct Parts<'a>(&'a [u8]);

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(*self.0.first()?);
        if length < 2 || length > self.0.len() {
            return None;
        }
        let (part, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(part)
    }
}

/// The text of a string descriptor: UTF-16.
pub(super) fn text(descriptor: &[u8]) -> Option<String> {
    let units = descriptor.get(2..)?.chunks_exact(2);
    let units: Vec<u16> = units
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    String::from_utf16(&units).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_have_the_endpoints_behind_them() {
        let configuration = [
            &[9, 2, 39, 0, 2, 1, 0, 0x80, 50][..],
            &[9, 4, 0, 0, 1, 2, 2, 1, 0],
            &[7, 5, 0x83, 3, 8, 0, 255],
            &[9, 4, 1, 0, 2, 10, 0, 0, 0],
            &[7, 5, 0x01, 2, 64, 0, 0],
        ]
        .concat();
        let descriptors = Descriptors {
            device: vec![18, 1, 0, 2, 2, 0, 0, 64, 0x09, 0x12, 0x01, 0x00],
            configuration,
            strings: [None, None, None],
        };
        let interfaces = descriptors.interfaces();
        assert_eq!(interfaces.len(), 2);
        assert_eq!(interfaces[0].endpoints[0].kind, TransferKind::Interrupt);
        assert_eq!(interfaces[1].class, [10, 0, 0]);
        assert_eq!(interfaces[1].endpoints[0].max_packet, 64);
        assert_eq!(
            (descriptors.vendor(), descriptors.max_packet()),
            (0x1209, 64)
        );
    }

    #[test]
    fn a_broken_chain_of_descriptors_ends_where_it_breaks() {
        for tail in [&[0, 0][..], &[1], &[9, 4, 0]] {
            let chain = [&[7, 5, 0x81, 2, 64, 0, 0][..], tail].concat();
            assert_eq!(Parts(&chain).count(), 1);
        }
    }

    #[test]
    fn strings_are_utf_16() {
        assert_eq!(text(&[6, 3, 0x41, 0, 0xb5, 0]).as_deref(), Some("Aµ"));
        assert_eq!(text(&[4, 3, 0x00, 0xd8]), None);
    }
}
