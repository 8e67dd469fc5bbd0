//! How much may be on its way.

use std::time::Duration;

use flashwire_link::Settings;
use flashwire_protocol::serprog::Opcode;

/// Q_SERBUF of a programmer whose wire holds the host up by itself.
const FLOW_CONTROL: u16 = u16::MAX;

/// Most command bytes on their way to a programmer with flow control: more than latency and rate
/// of USB full speed ever need, less than any driver's buffer.
const MOST_COMMAND_BYTES: usize = 8 * 1024;

/// Most answer bytes on their way while more is sent: a serial driver keeps 4 KiB.
const MOST_ANSWER_BYTES: usize = 3 * 1024;

/// What a programmer spends on a command beside its answer, in byte times of a UART: generous for
/// an AVR at 2 Mbaud, which has 80 cycles in one.
const OVERHEAD_BYTES: usize = 16;

/// A wire with flow control moves about this much: USB full speed, bulk.
const USB_BYTE_TIME: Duration = Duration::from_nanos(1_000);

/// What is on its way, and what still may go.
///
/// A programmer with flow control takes what it can, so only latency has to be filled. One without
/// has a ring of Q_SERBUF bytes in front, which fills only while it does not read: while it sends
/// an answer. Bytes of an O_SPIOP go to the bus as they come. So what can wait in the ring is
/// bounded by the answers that are outstanding, and of course by the commands. Behind an X_PROGRAM
/// everything waits, for as long as the chip takes: with one outstanding the commands alone count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    serial_buffer_bytes: u16,
    command_bytes: usize,
    answer_bytes: usize,
    commands: usize,
    /// How many of them are an X_PROGRAM.
    programs: usize,
}

impl Window {
    pub(super) fn new(serial_buffer_bytes: u16) -> Self {
        Self {
            serial_buffer_bytes,
            command_bytes: 0,
            answer_bytes: 0,
            commands: 0,
            programs: 0,
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.serial_buffer_bytes);
    }

    pub(super) fn add(&mut self, opcode: Opcode, command_bytes: usize, answer_bytes: usize) {
        self.programs += usize::from(opcode == Opcode::XProgram);
        self.command_bytes += command_bytes;
        self.answer_bytes += answer_bytes;
        self.commands += 1;
    }

    pub(super) fn remove(&mut self, opcode: Opcode, command_bytes: usize, answer_bytes: usize) {
        let programs = usize::from(opcode == Opcode::XProgram);
        self.programs = self.programs.saturating_sub(programs);
        self.command_bytes = self.command_bytes.saturating_sub(command_bytes);
        self.answer_bytes = self.answer_bytes.saturating_sub(answer_bytes);
        self.commands = self.commands.saturating_sub(1);
    }

    /// Whether the wire holds the host up by itself.
    pub(super) fn has_flow_control(&self) -> bool {
        self.serial_buffer_bytes == FLOW_CONTROL
    }

    /// Command bytes on their way.
    pub(super) fn command_bytes(&self) -> usize {
        self.command_bytes
    }

    /// Whether another command may be sent beside the outstanding ones.
    pub(super) fn has_room_for(&self, command_bytes: usize, answer_bytes: usize) -> bool {
        let commands = self.command_bytes + command_bytes;
        if commands > MOST_COMMAND_BYTES {
            return false;
        }
        if self.has_flow_control() {
            // One long answer may always follow another, or a stream would pause between them.
            let long = answer_bytes.max(MOST_ANSWER_BYTES);
            return self.answer_bytes <= long && self.commands < MOST_ANSWER_BYTES;
        }
        if self.programs > 0 {
            return commands <= usize::from(self.serial_buffer_bytes);
        }
        let busy = self.answer_bytes + OVERHEAD_BYTES * self.commands;
        commands.min(busy + command_bytes.min(OVERHEAD_BYTES))
            <= usize::from(self.serial_buffer_bytes)
    }

    /// About how long one byte takes on the wire.
    pub(super) fn byte_time(&self, settings: Settings) -> Duration {
        if self.has_flow_control() {
            USB_BYTE_TIME
        } else {
            settings.wire_time(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_never_asked_to_hold_more_than_it_has() {
        let mut window = Window::new(252);
        // A page and its WREN stream through; they are more than the ring together.
        window.add(Opcode::OSpiOp, 8, 0);
        assert!(window.has_room_for(267, 0));
        window.add(Opcode::OSpiOp, 267, 0);
        let mut polls = 0;
        while window.has_room_for(8, 1) {
            window.add(Opcode::OSpiOp, 8, 1);
            polls += 1;
        }
        // Each poll keeps it from reading for two bytes and what it thinks.
        assert!((10..=20).contains(&polls), "{polls}");
        // Behind a long answer no more than the ring may wait.
        let mut window = Window::new(252);
        window.add(Opcode::OSpiOp, 11, 4096);
        let mut waiting = 0;
        while window.has_room_for(11, 0) {
            window.add(Opcode::OSpiOp, 11, 0);
            waiting += 11;
        }
        assert!(waiting <= 252 && waiting > 200, "{waiting}");
    }

    #[test]
    fn with_flow_control_only_latency_is_filled() {
        let mut window = Window::new(FLOW_CONTROL);
        window.add(Opcode::OSpiOp, 11, 65_536);
        assert!(window.has_room_for(11, 65_536), "the next read may follow");
        window.add(Opcode::OSpiOp, 11, 65_536);
        assert!(!window.has_room_for(11, 65_536));
        window.remove(Opcode::OSpiOp, 11, 65_536);
        window.remove(Opcode::OSpiOp, 11, 65_536);
        let mut commands = 0;
        while window.has_room_for(267, 0) {
            window.add(Opcode::OSpiOp, 267, 0);
            commands += 267;
        }
        assert!((8_000..=MOST_COMMAND_BYTES).contains(&commands));
    }

    #[test]
    fn a_tiny_buffer_still_lets_something_follow() {
        let mut window = Window::new(16);
        window.add(Opcode::OSpiOp, 8, 0);
        assert!(window.has_room_for(8, 1));
    }

    #[test]
    fn pages_that_wait_for_the_chip_fit_into_the_ring() {
        let mut window = Window::new(556);
        for _ in 0..2 {
            assert!(window.has_room_for(270, 0));
            window.add(Opcode::XProgram, 270, 0);
        }
        assert!(!window.has_room_for(270, 0));
        assert!(!window.has_room_for(8 + 9, 1), "nothing else goes ahead");
        window.remove(Opcode::XProgram, 270, 0);
        assert!(window.has_room_for(270, 0));
    }
}
