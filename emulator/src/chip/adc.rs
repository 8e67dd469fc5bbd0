//! ADC1 and ADC2: RM0008 rev 21, chapter 11.
//!
//! Regular and injected groups, single, continuous and scan mode, calibration, the watchdog, DMA,
//! software triggers. Not here: triggers by timers and pins, discontinuous mode, automatic
//! injection, and both converters working together.

use crate::time::Time;

use super::Refusal;

/// Inputs: 16 pins, temperature sensor, reference.
pub(super) const INPUTS: usize = 18;

/// ADC_SR: section 11.12.1.
const SR_AWD: u32 = 1 << 0;
const SR_EOC: u32 = 1 << 1;
const SR_JEOC: u32 = 1 << 2;
const SR_JSTRT: u32 = 1 << 3;
const SR_STRT: u32 = 1 << 4;

/// ADC_CR1: section 11.12.2.
const CR1_EOCIE: u32 = 1 << 5;
const CR1_AWDIE: u32 = 1 << 6;
const CR1_JEOCIE: u32 = 1 << 7;
const CR1_SCAN: u32 = 1 << 8;
const CR1_AWDSGL: u32 = 1 << 9;
const CR1_JAWDEN: u32 = 1 << 22;
const CR1_AWDEN: u32 = 1 << 23;
/// JAUTO, DISCEN, JDISCEN, DUALMOD.
const CR1_OTHERS: u32 = 1 << 10 | 1 << 11 | 1 << 12 | 0xf << 16;

/// ADC_CR2: section 11.12.3.
const CR2_ADON: u32 = 1 << 0;
const CR2_CONT: u32 = 1 << 1;
const CR2_CAL: u32 = 1 << 2;
const CR2_RSTCAL: u32 = 1 << 3;
const CR2_DMA: u32 = 1 << 8;
const CR2_ALIGN: u32 = 1 << 11;
const CR2_JEXTSEL: u32 = 7 << 12;
const CR2_JEXTTRIG: u32 = 1 << 15;
const CR2_EXTSEL: u32 = 7 << 17;
const CR2_EXTTRIG: u32 = 1 << 20;
const CR2_JSWSTART: u32 = 1 << 21;
const CR2_SWSTART: u32 = 1 << 22;
const CR2_BITS: u32 = 0x00fe_f90f;

/// Sampling and conversion in cycles of the ADC's clock: section 11.6 (12.5 and what SMPx says).
const CYCLES: [u64; 8] = [14, 20, 26, 41, 54, 68, 84, 252];
/// A calibration takes 83 cycles: DS5319 rev 18, table 48.
const CALIBRATION_CYCLES: u64 = 83;

/// A conversion under way.
#[derive(Clone, Copy, Debug)]
struct Conversion {
    injected: bool,
    /// Its place in its group.
    index: usize,
    done: Time,
}

/// One converter.
#[derive(Debug)]
pub(super) struct Adc {
    status: u32,
    cr1: u32,
    cr2: u32,
    sample_times: [u32; 2],
    offsets: [u32; 4],
    high: u32,
    low: u32,
    sequence: [u32; 3],
    injected_sequence: u32,
    injected_data: [u32; 4],
    data: u32,
    calibrating_until: Option<Time>,
    conversion: Option<Conversion>,
    /// A regular group that an injected one interrupted.
    interrupted: Option<usize>,
    dma: bool,
}

impl Default for Adc {
    fn default() -> Self {
        Self {
            status: 0,
            cr1: 0,
            cr2: 0,
            sample_times: [0; 2],
            offsets: [0; 4],
            high: 0xfff,
            low: 0,
            sequence: [0; 3],
            injected_sequence: 0,
            injected_data: [0; 4],
            data: 0,
            calibrating_until: None,
            conversion: None,
            interrupted: None,
            dma: false,
        }
    }
}

impl Adc {
    pub(super) fn read(&mut self, offset: u32) -> Option<u32> {
        Some(match offset {
            0x00 => self.status,
            0x04 => self.cr1,
            0x08 => self.cr2,
            0x0c | 0x10 => self.sample_times[(offset as usize - 0x0c) / 4],
            0x14..=0x20 => self.offsets[(offset as usize - 0x14) / 4],
            0x24 => self.high,
            0x28 => self.low,
            0x2c..=0x34 => self.sequence[(offset as usize - 0x2c) / 4],
            0x38 => self.injected_sequence,
            0x3c..=0x48 => self.injected_data[(offset as usize - 0x3c) / 4],
            0x4c => {
                self.status &= !SR_EOC;
                self.dma = false;
                self.data
            }
            _ => return None,
        })
    }

    /// Writes a register. `clock` is the period of ADCCLK.
    pub(super) fn write(
        &mut self,
        offset: u32,
        value: u32,
        now: Time,
        clock: Time,
    ) -> Result<(), Refusal> {
        match offset {
            0x00 => self.status &= value,
            0x04 if value & CR1_OTHERS != 0 => {
                return Err(Refusal::NotModelled(
                    "discontinuous, automatic or dual mode of an ADC",
                ));
            }
            0x04 => self.cr1 = value & 0x00cf_ffff,
            0x08 => self.write_cr2(value, now, clock)?,
            0x0c | 0x10 => self.sample_times[(offset as usize - 0x0c) / 4] = value,
            0x14..=0x20 => self.offsets[(offset as usize - 0x14) / 4] = value & 0xfff,
            0x24 => self.high = value & 0xfff,
            0x28 => self.low = value & 0xfff,
            0x2c..=0x34 => self.sequence[(offset as usize - 0x2c) / 4] = value,
            0x38 => self.injected_sequence = value,
            // JDRx and DR are read-only.
            0x3c..=0x4c => {}
            _ => return Err(Refusal::Unknown),
        }
        Ok(())
    }

    fn write_cr2(&mut self, value: u32, now: Time, clock: Time) -> Result<(), Refusal> {
        let by_software = |value: u32, trigger: u32, source: u32| {
            value & trigger == 0 || value & source == source
        };
        if !by_software(value, CR2_EXTTRIG, CR2_EXTSEL)
            || !by_software(value, CR2_JEXTTRIG, CR2_JEXTSEL)
        {
            return Err(Refusal::NotModelled("an ADC triggered by a timer or a pin"));
        }
        let before = self.cr2;
        self.cr2 = value & CR2_BITS & !(CR2_SWSTART | CR2_JSWSTART);
        if value & CR2_ADON == 0 {
            self.conversion = None;
            self.interrupted = None;
            return Ok(());
        }
        if value & (CR2_CAL | CR2_RSTCAL) & !before != 0 {
            self.calibrating_until = Some(now + clock * CALIBRATION_CYCLES);
        }
        let was_on = before & CR2_ADON != 0;
        // ADON written again, and nothing else with it, starts too (section 11.12.3).
        let again = was_on && self.cr2 == before && value & (CR2_SWSTART | CR2_JSWSTART) == 0;
        if value & CR2_JSWSTART != 0 && value & CR2_JEXTTRIG != 0 {
            self.interrupted = self
                .conversion
                .filter(|under_way| !under_way.injected)
                .map(|under_way| under_way.index);
            self.status |= SR_JSTRT;
            self.convert(true, self.injected_first(), now, clock);
        } else if again && self.conversion.is_none()
            || value & CR2_SWSTART != 0 && value & CR2_EXTTRIG != 0
        {
            self.status |= SR_STRT;
            self.convert(false, 0, now, clock);
        }
        Ok(())
    }

    fn convert(&mut self, injected: bool, index: usize, begin: Time, clock: Time) {
        let channel = self.channel(injected, index);
        let time = if channel < 10 {
            self.sample_times[1] >> (3 * channel)
        } else {
            self.sample_times[0] >> (3 * (channel - 10))
        };
        self.conversion = Some(Conversion {
            injected,
            index,
            done: begin + clock * CYCLES[(time & 7) as usize],
        });
    }

    /// Index of the first injected conversion: of fewer than four the last ones of JSQR are used
    /// (section 11.12.12).
    fn injected_first(&self) -> usize {
        3 - (self.injected_sequence >> 20 & 3) as usize
    }

    /// The input of a place in a group, 17 at most.
    fn channel(&self, injected: bool, index: usize) -> usize {
        let field = if injected {
            self.injected_sequence >> (5 * index)
        } else {
            // SQR3 has the first six, SQR2 the next, SQR1 the last four.
            self.sequence[2 - index / 6] >> (5 * (index % 6))
        };
        ((field & 31) as usize).min(INPUTS - 1)
    }

    pub(super) fn next_event(&self) -> Time {
        let converted = self
            .conversion
            .map_or(Time::NEVER, |under_way| under_way.done);
        converted.min(self.calibrating_until.unwrap_or(Time::NEVER))
    }

    /// Does what is due at `now`; `input` tells the level of an input, 0 to 4095.
    pub(super) fn service(&mut self, now: Time, clock: Time, input: impl Fn(usize) -> u32) {
        if self.calibrating_until.is_some_and(|end| end <= now) {
            self.calibrating_until = None;
            self.cr2 &= !(CR2_CAL | CR2_RSTCAL);
        }
        // A conversion that begins takes time, so this ends.
        while let Some(ended) = self.conversion.filter(|under_way| under_way.done <= now) {
            self.conversion = None;
            let channel = self.channel(ended.injected, ended.index);
            let level = input(channel).min(0xfff);
            self.watch(ended.injected, channel, level);
            if ended.injected {
                self.end_injected(ended, level, clock);
            } else {
                self.end_regular(ended, level, clock);
            }
        }
    }

    fn end_regular(&mut self, ended: Conversion, level: u32, clock: Time) {
        self.data = self.aligned(level as i32);
        self.dma = self.cr2 & CR2_DMA != 0;
        let last = if self.cr1 & CR1_SCAN != 0 {
            (self.sequence[0] >> 20 & 15) as usize
        } else {
            0
        };
        if ended.index < last {
            self.convert(false, ended.index + 1, ended.done, clock);
            return;
        }
        self.status |= SR_EOC;
        if self.cr2 & CR2_CONT != 0 {
            self.convert(false, 0, ended.done, clock);
        }
    }

    fn end_injected(&mut self, ended: Conversion, level: u32, clock: Time) {
        let slot = ended.index - self.injected_first().min(ended.index);
        let value = level as i32 - self.offsets[slot] as i32;
        self.injected_data[slot] = self.aligned(value);
        if self.cr1 & CR1_SCAN != 0 && ended.index < 3 {
            self.convert(true, ended.index + 1, ended.done, clock);
            return;
        }
        self.status |= SR_JEOC | SR_EOC;
        if let Some(index) = self.interrupted.take() {
            self.convert(false, index, ended.done, clock);
        }
    }

    /// Section 11.5: twelve bits, to the right or to the left; injected results have a sign.
    fn aligned(&self, value: i32) -> u32 {
        let shift = if self.cr2 & CR2_ALIGN == 0 { 0 } else { 4 };
        (value << shift) as u32 & 0xffff
    }

    /// The analog watchdog: section 11.3.7.
    fn watch(&mut self, injected: bool, channel: usize, level: u32) {
        let group = if injected { CR1_JAWDEN } else { CR1_AWDEN };
        let meant = self.cr1 & CR1_AWDSGL == 0 || (self.cr1 & 31) as usize == channel;
        if self.cr1 & group != 0 && meant && !(self.low..=self.high).contains(&level) {
            self.status |= SR_AWD;
        }
    }

    /// The line of the interrupt.
    pub(super) fn interrupts(&self) -> bool {
        let enabled = |enable: u32, flag: u32| self.cr1 & enable != 0 && self.status & flag != 0;
        enabled(CR1_EOCIE, SR_EOC) || enabled(CR1_JEOCIE, SR_JEOC) || enabled(CR1_AWDIE, SR_AWD)
    }

    pub(super) fn requests_dma(&self) -> bool {
        self.dma
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SR: u32 = 0x00;
    const CR1: u32 = 0x04;
    const CR2: u32 = 0x08;
    const SQR1: u32 = 0x2c;
    const SQR3: u32 = 0x34;
    const JSQR: u32 = 0x38;
    const DR: u32 = 0x4c;

    /// 12 MHz.
    const CLOCK: Time = Time::period_of(12_000_000);

    struct Rig {
        adc: Adc,
        now: Time,
    }

    impl Rig {
        /// On, to be started by software.
        fn new() -> Self {
            let mut rig = Self {
                adc: Adc::default(),
                now: Time::ZERO,
            };
            rig.write(
                CR2,
                CR2_ADON | CR2_EXTTRIG | CR2_EXTSEL | CR2_JEXTTRIG | CR2_JEXTSEL,
            );
            rig
        }

        fn write(&mut self, offset: u32, value: u32) {
            self.adc.write(offset, value, self.now, CLOCK).unwrap();
        }

        fn set(&mut self, bits: u32) {
            let cr2 = self.adc.cr2;
            self.write(CR2, cr2 | bits);
        }

        /// Every input has its number times a hundred.
        fn pass(&mut self, cycles: u64) {
            self.now += CLOCK * cycles;
            self.adc
                .service(self.now, CLOCK, |channel| 100 * channel as u32);
        }

        fn read(&mut self, offset: u32) -> u32 {
            self.adc.read(offset).unwrap()
        }
    }

    #[test]
    fn a_calibration_ends_by_itself() {
        for bit in [CR2_RSTCAL, CR2_CAL] {
            let mut rig = Rig::new();
            rig.set(bit);
            rig.pass(82);
            assert_ne!(rig.read(CR2) & bit, 0);
            rig.pass(1);
            assert_eq!(rig.read(CR2) & bit, 0);
        }
    }

    #[test]
    fn a_conversion_takes_fourteen_cycles_and_reading_it_clears_its_flag() {
        let mut rig = Rig::new();
        rig.write(SQR3, 3);
        rig.set(CR2_SWSTART);
        rig.pass(13);
        assert_eq!(rig.read(SR) & SR_EOC, 0);
        rig.pass(1);
        assert_eq!(rig.read(SR), SR_EOC | SR_STRT);
        assert_eq!(rig.read(DR), 300);
        assert_eq!(rig.read(SR), SR_STRT);
    }

    #[test]
    fn switching_it_on_a_second_time_starts_it() {
        let mut rig = Rig::new();
        rig.write(CR2, CR2_ADON);
        rig.write(SQR3, 9);
        rig.write(CR2, CR2_ADON);
        rig.pass(14);
        assert_eq!(rig.read(DR), 900);
    }

    #[test]
    fn a_scan_asks_for_a_transfer_for_each_of_its_inputs() {
        let mut rig = Rig::new();
        rig.write(CR1, CR1_SCAN);
        rig.write(SQR1, 2 << 20);
        rig.write(SQR3, 1 | 4 << 5 | 17 << 10);
        rig.set(CR2_DMA);
        rig.set(CR2_SWSTART);
        let mut results = Vec::new();
        for _ in 0..3 {
            assert_eq!(rig.read(SR) & SR_EOC, 0);
            rig.pass(14);
            assert!(rig.adc.requests_dma());
            let flagged = rig.adc.status & SR_EOC != 0;
            results.push((rig.read(DR), flagged));
        }
        assert_eq!(results, [(100, false), (400, false), (1700, true)]);
        rig.pass(100);
        assert!(!rig.adc.requests_dma(), "it goes on without being told");
    }

    #[test]
    fn an_injected_conversion_leaves_the_regular_data_alone() {
        let mut rig = Rig::new();
        rig.write(JSQR, 5 << 15);
        rig.write(0x14, 600);
        rig.set(CR2_JSWSTART);
        rig.pass(14);
        assert_eq!(rig.read(0x3c), (500_i32 - 600) as u32 & 0xffff);
        assert_eq!(rig.read(DR), 0);
    }

    #[test]
    fn the_watchdog_barks_outside_its_window() {
        let mut rig = Rig::new();
        rig.write(CR1, CR1_AWDEN | CR1_AWDIE);
        rig.write(0x24, 399);
        for (channel, barks) in [(3, false), (4, true)] {
            rig.write(SQR3, channel);
            rig.set(CR2_SWSTART);
            rig.pass(14);
            assert_eq!(rig.adc.interrupts(), barks, "input {channel}");
        }
    }

    #[test]
    fn a_trigger_by_a_timer_is_refused() {
        let mut adc = Adc::default();
        let result = adc.write(CR2, CR2_ADON | CR2_EXTTRIG, Time::ZERO, CLOCK);
        assert!(matches!(result, Err(Refusal::NotModelled(_))));
    }
}
