//! EXTI, and the registers of AFIO: RM0008 rev 21, sections 10.3 and 9.4.

use super::Refusal;
use super::pins::Port;

/// Lines 0 to 15 are pins, 16 the voltage detector, 17 the RTC alarm, 18 the USB wake-up (section
/// 10.2.5).
const LINES: u32 = 0x0007_ffff;
/// The interrupt lines of the core that come from here: RM0008 table 63.
pub(super) const INTERRUPTS: u64 = 1 << 1 | 0x1f << 6 | 1 << 23 | 7 << 40;
/// The line of the RTC's alarm.
pub(super) const RTC_ALARM: u32 = 1 << 17;
/// The line of the USB wake-up.
pub(super) const USB_WAKE_UP: u32 = 1 << 18;

/// External interrupts and the remapping of pins.
#[derive(Debug, Default)]
pub(super) struct Exti {
    interrupt_mask: u32,
    event_mask: u32,
    rising: u32,
    falling: u32,
    software: u32,
    pending: u32,
    /// Events sent so far.
    events: u32,
    /// Levels of the lines when they were last looked at.
    levels: u32,
    /// AFIO_EVCR.
    event_output: u32,
    /// AFIO_MAPR.
    remap: u32,
    /// AFIO_EXTICR1 to 4: four bits a line.
    sources: u64,
    /// The same the other way round: the lines of each port.
    lines_of_ports: LinesOfPorts,
    /// AFIO_MAPR2.
    remap2: u32,
}

/// Which lines are wired to each port.
#[derive(Debug)]
struct LinesOfPorts([(Port, u32); 5]);

impl LinesOfPorts {
    /// As AFIO_EXTICR1 to 4 say it: section 9.4.3.
    fn of(sources: u64) -> Self {
        Self([Port::A, Port::B, Port::C, Port::D, Port::E].map(|port| {
            let is_wired = |line: &u32| sources >> (4 * line) & 15 == port as u64;
            let lines = (0..16).filter(is_wired);
            (port, lines.fold(0, |lines, line| lines | 1 << line))
        }))
    }
}

impl Default for LinesOfPorts {
    fn default() -> Self {
        Self::of(0)
    }
}

impl Exti {
    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.interrupt_mask,
            0x04 => self.event_mask,
            0x08 => self.rising,
            0x0c => self.falling,
            0x10 => self.software,
            0x14 => self.pending,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, value: u32) -> Result<(), Refusal> {
        let value = value & LINES;
        match offset {
            0x00 => self.interrupt_mask = value,
            0x04 => self.event_mask = value,
            0x08 => self.rising = value,
            0x0c => self.falling = value,
            0x10 => {
                // A bit that goes from 0 to 1 makes its line pending (section 10.3.5).
                self.trigger(value & !self.software);
                self.software |= value;
            }
            0x14 => {
                self.pending &= !value;
                self.software &= !value;
            }
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    pub(super) fn read_afio(&self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.event_output,
            // SWJ_CFG is write-only.
            0x04 => self.remap & !(7 << 24),
            0x08..=0x14 => (self.sources >> (4 * (offset - 8))) as u32 & 0xffff,
            0x1c => self.remap2,
            _ => return None,
        })
    }

    pub(super) fn write_afio(&mut self, offset: u32, value: u32) -> Result<(), Refusal> {
        match offset {
            0x00 => self.event_output = value & 0xff,
            0x04 => self.remap = value & 0x071f_ffff,
            0x08..=0x14 => {
                let shift = 4 * (offset - 8);
                let field = u64::from(value & 0xffff) << shift;
                self.sources = self.sources & !(0xffff << shift) | field;
                self.lines_of_ports = LinesOfPorts::of(self.sources);
            }
            0x1c => self.remap2 = value,
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    /// AFIO_MAPR: section 9.4.2.
    pub(super) fn remap(&self) -> u32 {
        self.remap
    }

    pub(super) fn reset_afio(&mut self) {
        self.event_output = 0;
        self.remap = 0;
        self.sources = 0;
        self.lines_of_ports = LinesOfPorts::of(self.sources);
        self.remap2 = 0;
    }

    /// Whether any line could do something at an edge.
    pub(super) fn watches_edges(&self) -> bool {
        (self.rising | self.falling) & (self.interrupt_mask | self.event_mask) != 0
    }

    /// Lines that have seen what they wait for.
    fn trigger(&mut self, lines: u32) {
        self.pending |= lines & self.interrupt_mask;
        if lines & self.event_mask != 0 {
            self.events = self.events.wrapping_add(1);
        }
    }

    /// How many events have been sent to the core.
    pub(super) fn events(&self) -> u32 {
        self.events
    }

    /// Looks at the pins (`inputs` of a port) and the other lines (`others`, bits 16 to 18).
    pub(super) fn look(&mut self, inputs: impl Fn(Port) -> u32, others: u32) {
        let mut levels = others & LINES & !0xffff;
        for (port, lines) in self.lines_of_ports.0 {
            if lines != 0 {
                levels |= inputs(port) & lines;
            }
        }
        let rose = levels & !self.levels & self.rising;
        let fell = !levels & self.levels & self.falling;
        self.trigger(rose | fell);
        self.levels = levels;
    }

    /// Takes the levels as they are: what a register changed about them is no edge.
    pub(super) fn note(&mut self, inputs: impl Fn(Port) -> u32, others: u32) {
        let (rising, falling) = (self.rising, self.falling);
        (self.rising, self.falling) = (0, 0);
        self.look(inputs, others);
        (self.rising, self.falling) = (rising, falling);
    }

    /// The interrupt lines of the core that are high: RM0008 table 63.
    pub(super) fn interrupts(&self) -> u64 {
        let pending = self.pending;
        let mut lines = u64::from(pending & 0x1f) << 6;
        let groups = [
            (0x03e0, 23),
            (0xfc00, 40),
            (1 << 16, 1),
            (1 << 17, 41),
            (USB_WAKE_UP, 42),
        ];
        for (mask, number) in groups {
            lines |= u64::from(pending & mask != 0) << number;
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IMR: u32 = 0x00;
    const RTSR: u32 = 0x08;
    const FTSR: u32 = 0x0c;
    const SWIER: u32 = 0x10;
    const PR: u32 = 0x14;

    #[test]
    fn an_edge_of_the_chosen_port_makes_its_line_pending() {
        let mut exti = Exti::default();
        // Line 13 is PC13.
        exti.write_afio(0x14, 2 << 4).unwrap();
        exti.write(IMR, 1 << 13).unwrap();
        exti.write(FTSR, 1 << 13).unwrap();
        let port_c = |level: u32| move |port| if port == Port::C { level << 13 } else { 0 };
        exti.look(port_c(1), 0);
        assert_eq!(exti.interrupts(), 0);
        exti.look(port_c(0), 0);
        assert_eq!(exti.read(PR), Some(1 << 13));
        assert_eq!(exti.interrupts(), 1 << 40);
        exti.write(PR, 1 << 13).unwrap();
        assert_eq!(exti.interrupts(), 0);
    }

    #[test]
    fn a_masked_line_stays_quiet() {
        let mut exti = Exti::default();
        exti.write(RTSR, USB_WAKE_UP).unwrap();
        exti.look(|_| 0, USB_WAKE_UP);
        assert_eq!(exti.read(PR), Some(0));
    }

    #[test]
    fn software_can_raise_a_line_once() {
        let mut exti = Exti::default();
        exti.write(IMR, 1).unwrap();
        exti.write(SWIER, 1).unwrap();
        assert_eq!(exti.interrupts(), 1 << 6);
        exti.write(PR, 1).unwrap();
        assert_eq!((exti.read(SWIER), exti.interrupts()), (Some(0), 0));
    }
}
