//! The cycle counter and the registers that switch it on; the rest of debug and trace is not there.
//!
//! DDI 0403E, chapter C1: DWT (section C1.8), ITM (section C1.7), TPIU (section C1.10), DEMCR
//! (section C1.6.5). What a program says through ITM goes nowhere.

/// DEMCR.TRCENA: DWT and ITM work.
const TRACE_ENABLED: u32 = 1 << 24;

/// Bits of DEMCR that can be written: TRCENA and the monitor and vector-catch bits.
const DEMCR_BITS: u32 = 0x010f_07f1;

#[derive(Debug, Default)]
pub(super) struct Trace {
    demcr: u32,
    /// DWT_CTRL.CYCCNTENA.
    counts: bool,
    /// The counter's value at cycle `since`.
    start: u32,
    since: u64,
    itm_enable: u32,
    itm_control: u32,
    port_size: u32,
    port_prescaler: u32,
    port_protocol: u32,
    formatter: u32,
}

impl Trace {
    /// A register by address; None if there is no such register.
    pub(super) fn read(&self, address: u32, cycle: u64) -> Option<u32> {
        Some(match address {
            // ITM stimulus ports: always ready, nobody listens.
            0xe000_0000..=0xe000_007f => 1,
            0xe000_0e00 => self.itm_enable,
            0xe000_0e80 => self.itm_control,
            // Four comparators, as in every Cortex-M3 (DDI 0337E, section 11.5).
            0xe000_1000 => 4 << 28 | u32::from(self.counts),
            0xe000_1004 => self.cycle_count(cycle),
            // The other counters of the DWT, which stand still, and its program counter sampler.
            0xe000_1008..=0xe000_101c => 0,
            // TPIU: port sizes 1, 2 and 4 (DDI 0337E, section 17.3); the formatter is stopped.
            0xe004_0000 => 0xb,
            0xe004_0004 => self.port_size,
            0xe004_0010 => self.port_prescaler,
            0xe004_00f0 => self.port_protocol,
            0xe004_0300 => 0b1010,
            0xe004_0304 => self.formatter,
            // DHCSR: no debugger is attached.
            0xe000_edf0 => 0,
            0xe000_edfc => self.demcr,
            _ => return None,
        })
    }

    /// Writes a register; false if there is no such register.
    pub(super) fn write(&mut self, address: u32, value: u32, cycle: u64) -> bool {
        match address {
            0xe000_0000..=0xe000_007f => {}
            0xe000_0e00 => self.itm_enable = value,
            0xe000_0e80 => self.itm_control = value & 0x007f_000f,
            // Lock access registers of ITM, DWT and TPIU.
            0xe000_0fb0 | 0xe000_1fb0 | 0xe004_0fb0 => {}
            // ITM_TPR: who may write.
            0xe000_0e40 => {}
            0xe000_1008..=0xe000_101c => {}
            0xe004_0004 => self.port_size = value,
            0xe004_0010 => self.port_prescaler = value & 0x1fff,
            0xe004_00f0 => self.port_protocol = value & 3,
            0xe004_0304 => self.formatter = value & 0x102,
            0xe000_1000 => {
                self.rebase(cycle);
                self.counts = value & 1 != 0;
            }
            0xe000_1004 => {
                self.start = value;
                self.since = cycle;
            }
            0xe000_edf0 => {}
            0xe000_edfc => {
                self.rebase(cycle);
                self.demcr = value & DEMCR_BITS;
            }
            _ => return false,
        }
        true
    }

    fn cycle_count(&self, cycle: u64) -> u32 {
        if self.counts && self.demcr & TRACE_ENABLED != 0 {
            self.start.wrapping_add((cycle - self.since) as u32)
        } else {
            self.start
        }
    }

    fn rebase(&mut self, cycle: u64) {
        self.start = self.cycle_count(cycle);
        self.since = cycle;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cycle_counter_counts_only_while_both_switches_are_on() {
        let mut trace = Trace::default();
        trace.write(0xe000_1000, 1, 10);
        assert_eq!(trace.read(0xe000_1004, 20), Some(0));
        trace.write(0xe000_edfc, TRACE_ENABLED, 30);
        assert_eq!(trace.read(0xe000_1004, 42), Some(12));
        trace.write(0xe000_1000, 0, 50);
        assert_eq!(trace.read(0xe000_1004, 99), Some(20));
    }
}
