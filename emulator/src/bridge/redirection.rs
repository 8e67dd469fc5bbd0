//! The chip's whole USB, for a virtual machine: the side of usbredir that has the device.
//!
//! QEMU's `usb-redir` connects, and the guest's own USB stack finds the device, loads its driver and
//! does with it what it does with real ones. Control, bulk and interrupt transfers; no isochronous
//! ones and no bulk streams, which full speed does not have.

mod packets;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use flashwire_sim::serve::{self, Listen, Taken};

use crate::board::Board;
use crate::host::{Device, EndpointInfo, Fault, HostError, InterfaceInfo, Setup, TransferKind};
use crate::time::Time;

use super::pacer::{Pace, Pacer};
use super::{BridgeError, Limits};
use packets::{Dialect, Packet, Status, half};

/// How long the program may take to become a USB device.
const PATIENCE: Time = Time::from_millis(5_000);

/// Emulated time between two looks at the virtual machine: a frame.
const SLICE: Time = Time::MILLISECOND;

/// How often the stop flag is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A bulk transfer that the guest waits for.
#[derive(Debug)]
struct Transfer {
    id: u64,
    /// Bytes that the guest asked for, or gave.
    length: usize,
    /// The largest packet of the endpoint.
    max_packet: usize,
    /// What has come in so far, or all that is to go out.
    data: Vec<u8>,
    /// How much of it has gone out.
    taken: usize,
    strikes: u32,
}

/// An interrupt endpoint that the guest listens to.
#[derive(Debug)]
struct Listening {
    next: Time,
    interval: Time,
    strikes: u32,
}

/// A board whose USB device a virtual machine can have.
#[derive(Debug)]
pub struct Redirection {
    board: Board,
    port: serve::Port,
    pacer: Pacer,
    device: Option<Device>,
    open: bool,
    gone: u32,
    losses: u32,
    /// Whether the other end has said hello.
    greeted: bool,
    /// Whether the guest has been told of the device.
    connected: bool,
    dialect: Dialect,
    configuration: u8,
    transfers: BTreeMap<u8, VecDeque<Transfer>>,
    interrupts: BTreeMap<u8, Listening>,
    arrived: Vec<u8>,
    out: Vec<u8>,
}

impl Redirection {
    /// Listens. The chip does not run before [`run`](Self::run).
    ///
    /// # Errors
    /// [`BridgeError::Place`].
    pub fn listen(board: Board, address: &str, pace: Pace) -> Result<Self, BridgeError> {
        let now = board.machine.now();
        Ok(Self {
            port: serve::Port::open(&Listen::Tcp(address.to_owned()), 0)?,
            board,
            pacer: Pacer::new(pace, now),
            device: None,
            open: false,
            gone: 0,
            losses: 0,
            greeted: false,
            connected: false,
            dialect: Dialect::default(),
            configuration: 0,
            transfers: BTreeMap::new(),
            interrupts: BTreeMap::new(),
            arrived: Vec::new(),
            out: Vec::new(),
        })
    }

    /// Where QEMU is to connect to.
    pub fn place(&self) -> String {
        self.port.place()
    }

    /// The board.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// The board, to look and reach into.
    pub fn board_mut(&mut self) -> &mut Board {
        &mut self.board
    }

    /// How often the device went away by itself and was enumerated again.
    pub fn losses(&self) -> u32 {
        self.losses
    }

    /// Makes `fault` happen to the data transaction that comes after `skip` others.
    pub fn inject(&mut self, skip: u64, fault: Fault) {
        self.board.host.inject(skip, fault);
    }

    /// Runs the chip and serves virtual machines until a limit is reached.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub fn run(&mut self, limits: &Limits) -> Result<(), BridgeError> {
        let begun = Instant::now();
        while !limits.are_reached(begun, self.gone) {
            let Some(device) = self.device.take() else {
                self.enumerate()?;
                continue;
            };
            match self.turn(&device) {
                Ok(()) => self.device = Some(device),
                Err(BridgeError::Device(_)) => self.lose_device(),
                Err(error) => return Err(error),
            }
            self.flush()?;
        }
        Ok(())
    }

    fn enumerate(&mut self) -> Result<(), BridgeError> {
        let Board { machine, host } = &mut self.board;
        let device = host.enumerate(machine, PATIENCE)?;
        self.configuration = device.descriptors.configuration_value();
        self.device = Some(device);
        self.pacer.stand_still(self.board.machine.now());
        Ok(())
    }

    /// The device does not answer any more: the guest sees it unplugged.
    fn lose_device(&mut self) {
        self.losses += 1;
        self.transfers.clear();
        self.interrupts.clear();
        if std::mem::take(&mut self.connected) {
            self.send(packets::DEVICE_DISCONNECT, 0, &[]);
        }
    }

    fn turn(&mut self, device: &Device) -> Result<(), BridgeError> {
        if self.port.has_tool()? != self.open {
            self.set_open(!self.open);
        }
        self.take(device)?;
        if self.greeted && !self.connected {
            self.tell_of(device);
        }
        if self.open || !self.pacer.stops_without_tool() {
            self.advance()?;
        }
        self.flush()?;
        self.wait()
    }

    fn set_open(&mut self, open: bool) {
        self.open = open;
        self.greeted = false;
        self.connected = false;
        self.dialect = Dialect::default();
        self.transfers.clear();
        self.interrupts.clear();
        self.arrived.clear();
        self.out.clear();
        if open {
            self.send(packets::HELLO, 0, &packets::hello());
        } else {
            self.gone += 1;
        }
    }

    fn take(&mut self, device: &Device) -> Result<(), BridgeError> {
        let mut buffer = [0; 16 * 1024];
        while self.open {
            match self.port.read(&mut buffer)? {
                Taken::Bytes(count) => self.arrived.extend(&buffer[..count]),
                Taken::Nothing => break,
                Taken::End => self.set_open(false),
            }
        }
        while let Some(packet) =
            packets::take(&mut self.arrived, self.dialect).map_err(BridgeError::Protocol)?
        {
            self.handle(device, packet)?;
        }
        Ok(())
    }

    fn send(&mut self, kind: u32, id: u64, body: &[u8]) {
        packets::put(&mut self.out, self.dialect, kind, id, body);
    }

    fn flush(&mut self) -> Result<(), BridgeError> {
        if !self.out.is_empty() {
            let count = self.port.write(&self.out)?;
            self.out.drain(..count);
        }
        Ok(())
    }

    fn wait(&mut self) -> Result<(), BridgeError> {
        let now = self.board.machine.now();
        if !self.open && self.pacer.stops_without_tool() {
            self.port.wait(LOOK, false, false)?;
            self.pacer.stand_still(now);
            return Ok(());
        }
        let wait = self.pacer.wait(now);
        if !wait.is_zero() {
            self.port
                .wait(wait.min(LOOK), self.open, !self.out.is_empty())?;
        }
        Ok(())
    }

    /// Tells the guest that a device was plugged in.
    fn tell_of(&mut self, device: &Device) {
        self.send_layout(&device.descriptors.interfaces(), device);
        let connect = packets::device_connect(&device.descriptors.device);
        self.send(packets::DEVICE_CONNECT, 0, &connect);
        self.connected = true;
    }

    fn send_layout(&mut self, interfaces: &[InterfaceInfo], device: &Device) {
        let endpoints = packets::ep_info(interfaces, device.descriptors.max_packet());
        self.send(packets::EP_INFO, 0, &endpoints);
        let info = packets::interface_info(interfaces);
        self.send(packets::INTERFACE_INFO, 0, &info);
    }

    fn handle(&mut self, device: &Device, packet: Packet) -> Result<(), BridgeError> {
        let Packet { kind, id, body } = packet;
        let byte = |index: usize| body.get(index).copied().unwrap_or(0);
        match kind {
            packets::HELLO => {
                self.dialect = Dialect::agreed(&body);
                self.greeted = true;
            }
            packets::RESET => {
                self.transfers.clear();
                self.interrupts.clear();
                let Board { machine, host } = &mut self.board;
                host.reset_device(machine, &device.descriptors)?;
                self.pacer.asked(self.board.machine.now());
            }
            packets::SET_CONFIGURATION => {
                let status = self.set_configuration(device, byte(0))?;
                self.send_layout(&device.descriptors.interfaces(), device);
                let configuration = self.configuration;
                self.send(
                    packets::CONFIGURATION_STATUS,
                    id,
                    &[status as u8, configuration],
                );
            }
            packets::GET_CONFIGURATION => {
                let configuration = self.configuration;
                self.send(
                    packets::CONFIGURATION_STATUS,
                    id,
                    &[Status::Success as u8, configuration],
                );
            }
            packets::SET_ALT_SETTING => {
                let status = self.set_interface(device, byte(0), byte(1))?;
                let alternate = if status == Status::Success {
                    byte(1)
                } else {
                    0
                };
                self.send(
                    packets::ALT_SETTING_STATUS,
                    id,
                    &[status as u8, byte(0), alternate],
                );
            }
            packets::GET_ALT_SETTING => {
                self.send(
                    packets::ALT_SETTING_STATUS,
                    id,
                    &[Status::Success as u8, byte(0), 0],
                );
            }
            packets::START_INTERRUPT_RECEIVING => {
                let status = self.start_listening(device, byte(0));
                self.send(
                    packets::INTERRUPT_RECEIVING_STATUS,
                    id,
                    &[status as u8, byte(0)],
                );
            }
            packets::STOP_INTERRUPT_RECEIVING => {
                self.interrupts.remove(&byte(0));
                self.send(
                    packets::INTERRUPT_RECEIVING_STATUS,
                    id,
                    &[Status::Success as u8, byte(0)],
                );
            }
            packets::CANCEL_DATA_PACKET => self.cancel(id),
            packets::CONTROL_PACKET => self.control(device, id, &body)?,
            packets::BULK_PACKET => self.queue(device, id, &body)?,
            packets::FILTER_REJECT | packets::FILTER_FILTER | packets::DEVICE_DISCONNECT_ACK => {}
            _ => return Err(BridgeError::Protocol("a packet that was not agreed on")),
        }
        Ok(())
    }

    /// Carries out a request and says how it went.
    fn request(&mut self, device: &Device, setup: Setup) -> Result<Status, BridgeError> {
        let Board { machine, host } = &mut self.board;
        let max_packet = device.descriptors.max_packet();
        status_of(host.control(machine, setup, &[], max_packet).map(drop))
    }

    fn set_configuration(&mut self, device: &Device, value: u8) -> Result<Status, BridgeError> {
        const SET_CONFIGURATION: u8 = 9;
        self.transfers.clear();
        self.interrupts.clear();
        let setup = Setup {
            request_type: 0,
            request: SET_CONFIGURATION,
            value: u16::from(value),
            index: 0,
            length: 0,
        };
        let status = self.request(device, setup)?;
        if status == Status::Success {
            self.configuration = value;
            let interfaces = device.descriptors.interfaces();
            let endpoints = interfaces.iter().flat_map(|one| &one.endpoints);
            self.board
                .host
                .reset_toggles(endpoints.map(|endpoint| endpoint.address));
        }
        Ok(status)
    }

    fn set_interface(
        &mut self,
        device: &Device,
        interface: u8,
        alternate: u8,
    ) -> Result<Status, BridgeError> {
        const SET_INTERFACE: u8 = 11;
        let setup = Setup {
            request_type: 1,
            request: SET_INTERFACE,
            value: u16::from(alternate),
            index: u16::from(interface),
            length: 0,
        };
        let status = self.request(device, setup)?;
        if status == Status::Success {
            let interfaces = device.descriptors.interfaces();
            let chosen = interfaces
                .iter()
                .filter(|one| one.number == interface)
                .flat_map(|one| &one.endpoints);
            self.board
                .host
                .reset_toggles(chosen.map(|endpoint| endpoint.address));
        }
        Ok(status)
    }

    fn start_listening(&mut self, device: &Device, endpoint: u8) -> Status {
        let Some(info) = endpoint_of(device, endpoint, TransferKind::Interrupt) else {
            return Status::Invalid;
        };
        // In frames at full speed: USB 2.0, table 9-13.
        let interval = Time::MILLISECOND * u64::from(info.interval.max(1));
        self.interrupts.insert(
            endpoint,
            Listening {
                next: self.board.machine.now(),
                interval,
                strikes: 0,
            },
        );
        Status::Success
    }

    fn cancel(&mut self, id: u64) {
        let found = self.transfers.iter_mut().find_map(|(&endpoint, queue)| {
            let index = queue.iter().position(|transfer| transfer.id == id)?;
            Some((endpoint, queue.remove(index)?))
        });
        // Otherwise it is done already, and its answer is under way.
        if let Some((endpoint, transfer)) = found {
            self.answer_bulk(endpoint, &transfer, Status::Cancelled);
        }
    }

    /// usb_redir_control_packet: endpoint, request, request type, status, value, index, length.
    fn control(&mut self, device: &Device, id: u64, body: &[u8]) -> Result<(), BridgeError> {
        let [_, request, request_type, ..] = *body else {
            return Err(BridgeError::Protocol("a control packet that is too short"));
        };
        let setup = Setup {
            request_type,
            request,
            value: half(body, 4),
            index: half(body, 6),
            length: half(body, 8),
        };
        let data = body.get(10..).unwrap_or_default();
        let max_packet = device.descriptors.max_packet();
        let Board { machine, host } = &mut self.board;
        let result = host.control(machine, setup, data, max_packet);
        self.pacer.asked(self.board.machine.now());
        let mut received = Vec::new();
        let status = status_of(result.map(|bytes| received = bytes))?;
        let mut answer = body[..10.min(body.len())].to_vec();
        answer.resize(10, 0);
        answer[3] = status as u8;
        if setup.is_in() {
            answer[8..10].copy_from_slice(&(received.len() as u16).to_le_bytes());
            answer.extend(received);
        }
        self.send(packets::CONTROL_PACKET, id, &answer);
        Ok(())
    }

    /// usb_redir_bulk_packet: endpoint, status, length, stream, upper half of the length.
    fn queue(&mut self, device: &Device, id: u64, body: &[u8]) -> Result<(), BridgeError> {
        let header = self.dialect.bulk_header();
        let (Some(&endpoint), Some(data)) = (body.first(), body.get(header..)) else {
            return Err(BridgeError::Protocol("a bulk packet that is too short"));
        };
        let high = if self.dialect.long_bulks {
            half(body, 8)
        } else {
            0
        };
        let length = usize::from(high) << 16 | usize::from(half(body, 2));
        let outgoing = endpoint & 0x80 == 0;
        let max_packet = endpoint_of(device, endpoint, TransferKind::Bulk)
            .map_or(0, |info| usize::from(info.max_packet));
        if outgoing && data.len() != length {
            return Err(BridgeError::Protocol("a bulk packet of the wrong length"));
        }
        let transfer = Transfer {
            id,
            length,
            max_packet,
            data: if outgoing { data.to_vec() } else { Vec::new() },
            taken: 0,
            strikes: 0,
        };
        if max_packet == 0 {
            self.answer_bulk(endpoint, &transfer, Status::Invalid);
            return Ok(());
        }
        self.transfers
            .entry(endpoint)
            .or_default()
            .push_back(transfer);
        if outgoing {
            self.pacer.asked(self.board.machine.now());
        }
        Ok(())
    }

    fn answer_bulk(&mut self, endpoint: u8, transfer: &Transfer, status: Status) {
        let incoming = endpoint & 0x80 != 0;
        let length = if incoming {
            transfer.data.len()
        } else {
            transfer.taken
        };
        let [low, next, high, top] = (length as u32).to_le_bytes();
        let mut body = vec![endpoint, status as u8, low, next, 0, 0, 0, 0];
        if self.dialect.long_bulks {
            body.extend([high, top]);
        }
        if incoming {
            body.extend(&transfer.data);
        }
        self.send(packets::BULK_PACKET, transfer.id, &body);
    }

    /// Lets a slice of time pass, and does what the guest waits for.
    fn advance(&mut self) -> Result<(), BridgeError> {
        let end = self.board.machine.now() + SLICE;
        while self.board.machine.now() < end {
            let now = self.board.machine.now();
            let endpoints: Vec<u8> = self.transfers.keys().copied().collect();
            let mut next = end;
            let mut answered = false;
            for endpoint in endpoints {
                let retry = self.board.host.retry_at(endpoint);
                if retry <= now {
                    answered |= self.try_transfer(endpoint)?;
                } else {
                    next = next.min(retry);
                }
            }
            self.poll_interrupts()?;
            if answered {
                // The guest may have more to say at once.
                return Ok(());
            }
            let Board { machine, host } = &mut self.board;
            if machine.now() == now {
                host.idle(machine, next - now)?;
            }
        }
        Ok(())
    }

    /// Moves one packet of the first transfer of an endpoint; whether the transfer is done.
    fn try_transfer(&mut self, endpoint: u8) -> Result<bool, BridgeError> {
        let Some(queue) = self.transfers.get_mut(&endpoint) else {
            return Ok(false);
        };
        let Some(mut transfer) = queue.pop_front() else {
            self.transfers.remove(&endpoint);
            return Ok(false);
        };
        let outcome = self.move_packet(endpoint, &mut transfer);
        let status = match outcome {
            Ok(false) => {
                if let Some(queue) = self.transfers.get_mut(&endpoint) {
                    queue.push_front(transfer);
                }
                return Ok(false);
            }
            Ok(true) => Status::Success,
            Err(error) => status_of(Err(error))?,
        };
        self.answer_bulk(endpoint, &transfer, status);
        Ok(true)
    }

    /// Whether the transfer is done.
    fn move_packet(&mut self, endpoint: u8, transfer: &mut Transfer) -> Result<bool, HostError> {
        let Board { machine, host } = &mut self.board;
        if endpoint & 0x80 != 0 {
            let Some(packet) = host.try_in(machine, endpoint, &mut transfer.strikes)? else {
                return Ok(false);
            };
            let short = packet.len() < transfer.max_packet;
            transfer.data.extend(packet);
            self.pacer.answered(self.board.machine.now());
            if transfer.data.len() > transfer.length {
                return Err(HostError::Babble(endpoint));
            }
            return Ok(short || transfer.data.len() == transfer.length);
        }
        let rest = &transfer.data[transfer.taken..];
        let packet = &rest[..rest.len().min(transfer.max_packet)];
        if !host.try_out(machine, endpoint, packet, &mut transfer.strikes)? {
            return Ok(false);
        }
        transfer.taken += packet.len();
        self.pacer.asked(self.board.machine.now());
        Ok(transfer.taken == transfer.data.len())
    }

    /// Asks the interrupt endpoints whose time has come.
    fn poll_interrupts(&mut self) -> Result<(), BridgeError> {
        let Board { machine, host } = &mut self.board;
        let mut reports = Vec::new();
        for (&endpoint, listening) in &mut self.interrupts {
            if machine.now() < listening.next {
                continue;
            }
            listening.next = machine.now() + listening.interval;
            if let Some(packet) = host.try_in(machine, endpoint, &mut listening.strikes)? {
                reports.push((endpoint, packet));
            }
        }
        for (endpoint, packet) in reports {
            let [low, high] = (packet.len() as u16).to_le_bytes();
            let mut body = vec![endpoint, Status::Success as u8, low, high];
            body.extend(packet);
            self.send(packets::INTERRUPT_PACKET, 0, &body);
        }
        Ok(())
    }
}

/// An endpoint of the device, if it has it.
fn endpoint_of(device: &Device, address: u8, kind: TransferKind) -> Option<EndpointInfo> {
    let interfaces = device.descriptors.interfaces();
    let mut endpoints = interfaces.iter().flat_map(|interface| &interface.endpoints);
    endpoints
        .find(|endpoint| endpoint.address == address && endpoint.kind == kind)
        .copied()
}

/// What the guest is told; a device that does not answer any more is no answer but an unplugged
/// device.
fn status_of(result: Result<(), HostError>) -> Result<Status, BridgeError> {
    match result {
        Ok(()) => Ok(Status::Success),
        Err(HostError::Stalled(_)) => Ok(Status::Stall),
        Err(HostError::TimedOut { .. }) => Ok(Status::Timeout),
        Err(HostError::Babble(_)) => Ok(Status::Babble),
        Err(HostError::BadDescriptors(_)) => Ok(Status::IoError),
        Err(error) => Err(error.into()),
    }
}
