//! usbredir on the wire: "USB Network Redirection protocol description" version 0.7, of the
//! usbredir project. All numbers are little-endian.

use crate::host::{InterfaceInfo, TransferKind};

/// Packet types: section "packet types".
pub(super) const HELLO: u32 = 0;
pub(super) const DEVICE_CONNECT: u32 = 1;
pub(super) const DEVICE_DISCONNECT: u32 = 2;
pub(super) const RESET: u32 = 3;
pub(super) const INTERFACE_INFO: u32 = 4;
pub(super) const EP_INFO: u32 = 5;
pub(super) const SET_CONFIGURATION: u32 = 6;
pub(super) const GET_CONFIGURATION: u32 = 7;
pub(super) const CONFIGURATION_STATUS: u32 = 8;
pub(super) const SET_ALT_SETTING: u32 = 9;
pub(super) const GET_ALT_SETTING: u32 = 10;
pub(super) const ALT_SETTING_STATUS: u32 = 11;
pub(super) const START_INTERRUPT_RECEIVING: u32 = 15;
pub(super) const STOP_INTERRUPT_RECEIVING: u32 = 16;
pub(super) const INTERRUPT_RECEIVING_STATUS: u32 = 17;
pub(super) const CANCEL_DATA_PACKET: u32 = 21;
pub(super) const FILTER_REJECT: u32 = 22;
pub(super) const FILTER_FILTER: u32 = 23;
pub(super) const DEVICE_DISCONNECT_ACK: u32 = 24;
pub(super) const CONTROL_PACKET: u32 = 100;
pub(super) const BULK_PACKET: u32 = 101;
pub(super) const INTERRUPT_PACKET: u32 = 103;

/// Capabilities: section "usb_redir_hello".
const CONNECT_DEVICE_VERSION: u32 = 1 << 1;
const EP_INFO_MAX_PACKET_SIZE: u32 = 1 << 4;
const WIDE_IDS: u32 = 1 << 5;
const LONG_BULKS: u32 = 1 << 6;
/// What this end can do.
pub(super) const CAPABILITIES: u32 =
    CONNECT_DEVICE_VERSION | EP_INFO_MAX_PACKET_SIZE | WIDE_IDS | LONG_BULKS;

/// Status codes: section "status codes".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Status {
    Success = 0,
    Cancelled = 1,
    Invalid = 2,
    IoError = 3,
    Stall = 4,
    Timeout = 5,
    Babble = 6,
}

/// The longest packet that is taken from the other end; Linux asks for 1 MiB at most.
const LONGEST: usize = 2 << 20;

/// How the two ends agreed to write packets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Dialect {
    /// Ids have 64 bits.
    pub(super) wide_ids: bool,
    /// Bulk packets tell 32 bits of length.
    pub(super) long_bulks: bool,
}

impl Dialect {
    /// What both ends can do, from the other's hello.
    pub(super) fn agreed(hello: &[u8]) -> Self {
        // A version text of 64 bytes comes first.
        let theirs = hello.get(64..).map_or(0, |rest| word(rest, 0));
        Self {
            wide_ids: theirs & WIDE_IDS != 0,
            long_bulks: theirs & LONG_BULKS != 0,
        }
    }

    /// Bytes in front of a bulk packet's data.
    pub(super) fn bulk_header(self) -> usize {
        if self.long_bulks { 10 } else { 8 }
    }
}

/// A packet from the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) kind: u32,
    pub(super) id: u64,
    pub(super) body: Vec<u8>,
}

/// Takes a packet off the front of what has arrived, if it is complete.
///
/// # Errors
/// If it is longer than any packet may be.
pub(super) fn take(
    arrived: &mut Vec<u8>,
    dialect: Dialect,
) -> Result<Option<Packet>, &'static str> {
    let header = if dialect.wide_ids { 16 } else { 12 };
    if arrived.len() < header {
        return Ok(None);
    }
    let length = word(arrived, 4) as usize;
    if length > LONGEST {
        return Err("a packet of more than 2 MiB");
    }
    if arrived.len() < header + length {
        return Ok(None);
    }
    let high = if dialect.wide_ids {
        word(arrived, 12)
    } else {
        0
    };
    let packet = Packet {
        kind: word(arrived, 0),
        id: u64::from(high) << 32 | u64::from(word(arrived, 8)),
        body: arrived[header..header + length].to_vec(),
    };
    arrived.drain(..header + length);
    Ok(Some(packet))
}

/// Writes a packet behind `out`.
pub(super) fn put(out: &mut Vec<u8>, dialect: Dialect, kind: u32, id: u64, body: &[u8]) {
    out.extend(kind.to_le_bytes());
    out.extend((body.len() as u32).to_le_bytes());
    if dialect.wide_ids {
        out.extend(id.to_le_bytes());
    } else {
        out.extend((id as u32).to_le_bytes());
    }
    out.extend(body);
}

/// This end's hello.
pub(super) fn hello() -> Vec<u8> {
    let mut body = vec![0; 64];
    let name = b"flashwire-emulator";
    body[..name.len()].copy_from_slice(name);
    body.extend(CAPABILITIES.to_le_bytes());
    body
}

/// usb_redir_interface_info.
pub(super) fn interface_info(interfaces: &[InterfaceInfo]) -> Vec<u8> {
    let mut body = vec![0; 4 + 4 * 32];
    let settings = interfaces
        .iter()
        .filter(|interface| interface.alternate == 0);
    let mut count = 0_u32;
    for (index, interface) in settings.take(32).enumerate() {
        body[4 + index] = interface.number;
        for (part, value) in interface.class.into_iter().enumerate() {
            body[4 + 32 * (part + 1) + index] = value;
        }
        count += 1;
    }
    body[..4].copy_from_slice(&count.to_le_bytes());
    body
}

/// usb_redir_ep_info: 32 endpoints, those of the device to host direction in the upper half.
pub(super) fn ep_info(interfaces: &[InterfaceInfo], max_packet_0: usize) -> Vec<u8> {
    const INVALID: u8 = 255;
    let mut body = vec![0; 3 * 32 + 2 * 32];
    body[..32].fill(INVALID);
    let size_at = |slot: usize| 96 + 2 * slot;
    for slot in [0, 16] {
        body[slot] = 0;
        body[size_at(slot)..][..2].copy_from_slice(&(max_packet_0 as u16).to_le_bytes());
    }
    for interface in interfaces {
        for endpoint in &interface.endpoints {
            let slot = usize::from(endpoint.address >> 7) * 16 + usize::from(endpoint.address & 15);
            body[slot] = match endpoint.kind {
                TransferKind::Control => 0,
                TransferKind::Isochronous => 1,
                TransferKind::Bulk => 2,
                TransferKind::Interrupt => 3,
            };
            body[32 + slot] = endpoint.interval;
            body[64 + slot] = interface.number;
            body[size_at(slot)..][..2].copy_from_slice(&endpoint.max_packet.to_le_bytes());
        }
    }
    body
}

/// usb_redir_device_connect_header, from a device descriptor.
pub(super) fn device_connect(device: &[u8]) -> Vec<u8> {
    const FULL_SPEED: u8 = 1;
    let mut body = vec![FULL_SPEED];
    // bDeviceClass to bDeviceProtocol, idVendor to bcdDevice.
    body.extend(&device[4..7]);
    body.extend(&device[8..14]);
    body
}

/// The 32-bit number at an offset; 0 beyond the end.
pub(super) fn word(bytes: &[u8], offset: usize) -> u32 {
    let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The 16-bit number at an offset; 0 beyond the end.
pub(super) fn half(bytes: &[u8], offset: usize) -> u16 {
    let bytes = bytes.get(offset..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::EndpointInfo;

    const WIDE: Dialect = Dialect {
        wide_ids: true,
        long_bulks: true,
    };

    #[test]
    fn packets_come_out_as_they_went_in() {
        for dialect in [WIDE, Dialect::default()] {
            let mut wire = Vec::new();
            put(&mut wire, dialect, BULK_PACKET, 0x89ab_cdef, b"body");
            let last = wire.pop().unwrap();
            assert_eq!(take(&mut wire, dialect), Ok(None));
            wire.push(last);
            let packet = take(&mut wire, dialect).unwrap().unwrap();
            assert_eq!((packet.kind, packet.id), (BULK_PACKET, 0x89ab_cdef));
            assert_eq!(packet.body, b"body");
            assert!(wire.is_empty());
        }
    }

    #[test]
    fn a_packet_of_absurd_length_is_refused() {
        let mut wire = [BULK_PACKET, u32::MAX, 0, 0].map(u32::to_le_bytes).concat();
        assert!(take(&mut wire, WIDE).is_err());
    }

    #[test]
    fn a_short_hello_agrees_on_nothing() {
        let dialect = Dialect::agreed(b"old");
        assert!(!dialect.wide_ids && !dialect.long_bulks);
        let dialect = Dialect::agreed(&hello());
        assert!(dialect.wide_ids && dialect.long_bulks);
    }

    #[test]
    fn endpoints_stand_in_the_slot_of_their_address() {
        let interface = InterfaceInfo {
            number: 1,
            alternate: 0,
            class: [10, 0, 0],
            endpoints: vec![EndpointInfo {
                address: 0x82,
                kind: TransferKind::Bulk,
                max_packet: 64,
                interval: 0,
            }],
        };
        let body = ep_info(&[interface], 64);
        assert_eq!(
            (body.len(), body[18], body[2], body[64 + 18]),
            (160, 2, 255, 1)
        );
        assert_eq!(half(&body, 96 + 2 * 18), 64);
    }
}
