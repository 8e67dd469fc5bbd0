//! RCC: reset and clock control. RM0008 rev 21, section 7.3.
//!
//! Oscillators take their time to start, and a switch to one that is not ready happens when it is,
//! as on silicon. The clock security system has nothing to do: a crystal that runs does not fail here.
//! Not here: the clock output and ready interrupts.

use crate::time::Time;

use super::Refusal;

/// The internal oscillator: DS5319 rev 18, table 24.
const HSI_HZ: u64 = 8_000_000;

/// Start-up times: DS5319 rev 18, tables 22 (HSE, typical), 24 (HSI, maximum), 25 (LSI, maximum)
/// and 27 (PLL lock, maximum).
const HSE_START: Time = Time::from_micros(2000);
const HSI_START: Time = Time::from_micros(2);
const LSI_START: Time = Time::from_micros(85);
/// DS5319 rev 18, table 23: typical at 25 degrees Celsius.
const LSE_START: Time = Time::from_millis(2500);

/// The low-speed oscillators: the internal one's typical frequency (table 25), and the crystal of
/// clocks.
const LSI_HZ: u64 = 40_000;
const LSE_HZ: u64 = 32_768;
const PLL_START: Time = Time::from_micros(200);

/// RCC_CR: section 7.3.1.
const CR_HSION: u32 = 1 << 0;
const CR_HSEON: u32 = 1 << 16;
const CR_PLLON: u32 = 1 << 24;
/// HSION, HSITRIM, HSEON, HSEBYP, CSSON, PLLON.
const CR_BITS: u32 = 0x010d_00f9;
/// HSI on, trimmed to the middle.
const CR_RESET: u32 = 0x0000_0081;

/// RCC_CFGR without SWS: section 7.3.2.
const CFGR_BITS: u32 = 0x077f_fff3;
const CFGR_PLL_BITS: u32 = 0x003f_0000;

/// RCC_CSR: section 7.3.10.
const CSR_LSION: u32 = 1 << 0;
const CSR_RMVF: u32 = 1 << 24;
/// Reset flags: the pin and the power.
const CSR_POWER_ON: u32 = 1 << 27 | 1 << 26;

/// RCC_BDCR: section 7.3.9. LSEON, LSEBYP, RTCSEL, RTCEN, BDRST.
const BDCR_BITS: u32 = 0x0001_8305;
const BDCR_LSEON: u32 = 1 << 0;
const BDCR_RTCEN: u32 = 1 << 15;
pub(super) const BDCR_BDRST: u32 = 1 << 16;

/// Which reset happened: the flags of RCC_CSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetCause {
    /// The power came.
    PowerOn,
    /// The reset pin.
    Pin,
    /// AIRCR.SYSRESETREQ.
    Software,
    /// The independent watchdog.
    IndependentWatchdog,
    /// The window watchdog.
    WindowWatchdog,
}

impl ResetCause {
    /// Every reset pulls the pin too.
    const fn flags(self) -> u32 {
        match self {
            Self::PowerOn => CSR_POWER_ON,
            Self::Pin => 1 << 26,
            Self::Software => 1 << 28 | 1 << 26,
            Self::IndependentWatchdog => 1 << 29 | 1 << 26,
            Self::WindowWatchdog => 1 << 30 | 1 << 26,
        }
    }
}

/// Periods of the clocks that the peripherals run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// HCLK: core, AHB, DMA.
    pub core: Time,
    /// PCLK1: APB1.
    pub apb1: Time,
    /// PCLK2: APB2.
    pub apb2: Time,
    /// The timers of APB1: twice PCLK1 unless that is HCLK (section 7.2, figure 8).
    pub timers1: Time,
    /// The timer of APB2.
    pub timers2: Time,
    /// The USB clock in Hz; 0 if the PLL is off.
    pub usb_hz: u64,
    /// HCLK in Hz.
    pub core_hz: u64,
    /// PCLK1 in Hz.
    pub apb1_hz: u64,
    /// PCLK2 in Hz.
    pub apb2_hz: u64,
    /// The clock of the ADCs: PCLK2 divided by what RCC_CFGR.ADCPRE says.
    pub adc: Time,
}

/// An oscillator: off, or ready from a moment on.
#[derive(Clone, Copy, Debug, Default)]
struct Oscillator(Option<Time>);

impl Oscillator {
    /// Switches it; one that runs keeps running.
    fn switch(&mut self, on: bool, ready: Time) {
        self.0 = match self.0 {
            Some(since) if on => Some(since),
            _ => on.then_some(ready),
        };
    }

    fn is_ready(self, now: Time) -> bool {
        self.0.is_some_and(|ready| ready <= now)
    }

    /// When it becomes ready, if that is yet to come.
    fn awaited(self, now: Time) -> Option<Time> {
        self.0.filter(|&ready| ready > now)
    }
}

/// What the system clock comes from: RCC_CFGR.SW.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Hsi,
    Hse,
    Pll,
}

/// Reset and clock control.
#[derive(Debug)]
pub(super) struct Rcc {
    /// Frequency of the crystal, if there is one.
    crystal_hz: Option<u64>,
    /// Whether there is a crystal of clocks.
    low_speed_crystal: bool,
    cr: u32,
    cfgr: u32,
    cir: u32,
    ahb_enable: u32,
    apb1_enable: u32,
    apb2_enable: u32,
    apb1_reset: u32,
    apb2_reset: u32,
    bdcr: u32,
    reset_flags: u32,
    hsi: Oscillator,
    hse: Oscillator,
    pll: Oscillator,
    lsi: Oscillator,
    lse: Oscillator,
    source: Source,
}

impl Rcc {
    pub(super) fn new(crystal_hz: Option<u64>, low_speed_crystal: bool) -> Self {
        Self {
            crystal_hz,
            low_speed_crystal,
            cr: CR_RESET,
            cfgr: 0,
            cir: 0,
            ahb_enable: 0x14,
            apb1_enable: 0,
            apb2_enable: 0,
            apb1_reset: 0,
            apb2_reset: 0,
            bdcr: 0,
            reset_flags: CSR_POWER_ON,
            hsi: Oscillator(Some(Time::ZERO)),
            hse: Oscillator::default(),
            pll: Oscillator::default(),
            lsi: Oscillator::default(),
            lse: Oscillator::default(),
            source: Source::Hsi,
        }
    }

    /// Back to the internal oscillator. The flags of earlier resets and the backup domain stay.
    pub(super) fn reset(&mut self, cause: ResetCause) {
        *self = Self {
            reset_flags: self.reset_flags | cause.flags(),
            bdcr: self.bdcr,
            lse: self.lse,
            ..Self::new(self.crystal_hz, self.low_speed_crystal)
        };
    }

    pub(super) fn read(&mut self, offset: u32, now: Time) -> Option<u32> {
        self.follow(now);
        Some(match offset {
            0x00 => {
                self.cr
                    | u32::from(self.hsi.is_ready(now)) << 1
                    | u32::from(self.hse.is_ready(now)) << 17
                    | u32::from(self.pll.is_ready(now)) << 25
            }
            0x04 => self.cfgr | (self.source as u32) << 2,
            0x08 => self.cir,
            0x0c => self.apb2_reset,
            0x10 => self.apb1_reset,
            0x14 => self.ahb_enable,
            0x18 => self.apb2_enable,
            0x1c => self.apb1_enable,
            0x20 => self.bdcr | u32::from(self.lse.is_ready(now)) << 1,
            0x24 => {
                let ready = self.lsi.is_ready(now);
                let on = self.lsi.0.is_some();
                self.reset_flags | u32::from(ready) << 1 | u32::from(on)
            }
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, value: u32, now: Time) -> Result<(), Refusal> {
        match offset {
            0x00 => self.write_cr(value, now),
            0x04 => self.write_cfgr(value)?,
            // Enabled ready interrupts; the clear bits have nothing to clear.
            0x08 if value & 0x1f00 != 0 => {
                return Err(Refusal::NotModelled("an oscillator's ready interrupt"));
            }
            0x08 => self.cir = 0,
            0x0c => self.apb2_reset = value,
            0x10 => self.apb1_reset = value,
            0x14 => self.ahb_enable = value & 0x55,
            0x18 => self.apb2_enable = value & 0x7e7d,
            0x1c => self.apb1_enable = value & 0x1ae6_4807,
            0x20 if value & BDCR_BDRST != 0 => {
                self.bdcr = BDCR_BDRST;
                self.lse = Oscillator::default();
            }
            0x20 => {
                // Once chosen, the RTC's clock stays until the domain is reset.
                let chosen = self.bdcr & 0x300;
                let choice = if chosen == 0 { value & 0x300 } else { chosen };
                self.bdcr = value & BDCR_BITS & !0x300 | choice;
                let crystal = value & BDCR_LSEON != 0 && self.low_speed_crystal;
                self.lse.switch(crystal, now + LSE_START);
            }
            0x24 => {
                if value & CSR_RMVF != 0 {
                    self.reset_flags = 0;
                }
                self.lsi.switch(value & CSR_LSION != 0, now + LSI_START);
            }
            _ => return Err(Refusal::Unknown),
        }
        self.follow(now);
        Ok(())
    }

    fn write_cr(&mut self, value: u32, now: Time) {
        let mut value = value & CR_BITS;
        // What drives the system clock cannot be switched off (section 7.3.1).
        match self.source {
            Source::Hsi => value |= CR_HSION,
            Source::Hse => value |= CR_HSEON,
            Source::Pll => {
                value |= CR_PLLON;
                if self.pll_from_crystal() {
                    value |= CR_HSEON;
                }
            }
        }
        self.cr = value;
        self.hsi.switch(value & CR_HSION != 0, now + HSI_START);
        let crystal = value & CR_HSEON != 0 && self.crystal_hz.is_some();
        self.hse.switch(crystal, now + HSE_START);
        let input = if self.pll_from_crystal() {
            self.hse
        } else {
            self.hsi
        };
        let begin = input.0.unwrap_or(Time::NEVER).max(now);
        self.pll.switch(value & CR_PLLON != 0, begin + PLL_START);
    }

    fn write_cfgr(&mut self, value: u32) -> Result<(), Refusal> {
        let mut value = value & CFGR_BITS;
        if value & 3 == 3 {
            return Err(Refusal::NotModelled("system clock source 3"));
        }
        // Source, factor and divider of the PLL can be changed only while it is off.
        if self.pll.0.is_some() {
            value = value & !CFGR_PLL_BITS | self.cfgr & CFGR_PLL_BITS;
        }
        self.cfgr = value;
        Ok(())
    }

    /// Completes a switch of the system clock as soon as the wanted source is ready.
    pub(super) fn follow(&mut self, now: Time) {
        let (wanted, oscillator) = match self.cfgr & 3 {
            0 => (Source::Hsi, self.hsi),
            1 => (Source::Hse, self.hse),
            _ => (Source::Pll, self.pll),
        };
        if oscillator.is_ready(now) {
            self.source = wanted;
        }
    }

    /// When a switch of the system clock will complete.
    pub(super) fn next_event(&self, now: Time) -> Time {
        let awaited = match (self.cfgr & 3, self.source) {
            (0, Source::Hse | Source::Pll) => self.hsi.awaited(now),
            (1, Source::Hsi | Source::Pll) => self.hse.awaited(now),
            (2, Source::Hsi | Source::Hse) => self.pll.awaited(now),
            _ => None,
        };
        awaited.unwrap_or(Time::NEVER)
    }

    /// Period of the RTC's clock, if it has one that runs: RCC_BDCR.RTCSEL.
    pub(super) fn rtc_clock(&self, now: Time) -> Option<Time> {
        let (oscillator, hz) = match self.bdcr >> 8 & 3 {
            1 => (self.lse, LSE_HZ),
            2 => (self.lsi, LSI_HZ),
            3 => (self.hse, self.crystal_hz.unwrap_or(0) / 128),
            _ => return None,
        };
        let runs = self.bdcr & BDCR_RTCEN != 0 && oscillator.is_ready(now);
        runs.then(|| Time::period_of(hz))
    }

    /// When the RTC's clock begins to run.
    pub(super) fn rtc_clock_begins(&self, now: Time) -> Time {
        let oscillator = match self.bdcr >> 8 & 3 {
            1 => self.lse,
            2 => self.lsi,
            _ => self.hse,
        };
        oscillator.awaited(now).unwrap_or(Time::NEVER)
    }

    /// The core woke from stop mode: the internal oscillator drives it, the crystal and the PLL are
    /// off (section 5.3.5).
    pub(super) fn wake_from_stop(&mut self) {
        self.cr = self.cr & !(CR_HSEON | CR_PLLON) | CR_HSION;
        self.cfgr &= !3;
        self.hsi = Oscillator(Some(Time::ZERO));
        self.hse = Oscillator::default();
        self.pll = Oscillator::default();
        self.source = Source::Hsi;
    }

    fn pll_from_crystal(&self) -> bool {
        self.cfgr & 1 << 16 != 0
    }

    /// Frequency of the PLL's output: section 7.3.2, PLLMUL, PLLXTPRE, PLLSRC.
    fn pll_hz(&self) -> u64 {
        let input_hz = if self.pll_from_crystal() {
            let halved = self.cfgr >> 17 & 1;
            self.crystal_hz.unwrap_or(0) >> halved
        } else {
            HSI_HZ / 2
        };
        let factor = u64::from((self.cfgr >> 18 & 15) + 2).min(16);
        input_hz * factor
    }

    /// The clocks as they are now.
    pub(super) fn clocks(&self) -> Clocks {
        let system_hz = match self.source {
            Source::Hsi => HSI_HZ,
            Source::Hse => self.crystal_hz.unwrap_or(0),
            Source::Pll => self.pll_hz(),
        };
        // HPRE: 1, then 2 to 512 without 32.
        let core_shift = match self.cfgr >> 4 & 15 {
            field @ 8..=11 => field - 7,
            field @ 12.. => field - 6,
            _ => 0,
        };
        // PPRE1, PPRE2: 1, then 2 to 16.
        let apb_shift = |field: u32| (field & 7).saturating_sub(3);
        let apb1_shift = apb_shift(self.cfgr >> 8);
        let apb2_shift = apb_shift(self.cfgr >> 11);
        let core = Time::period_of(system_hz) * (1 << core_shift);
        let timers = |shift: u32| core * (1 << shift.saturating_sub(1));
        let usb_hz = match (self.pll.0.is_some(), self.cfgr >> 22 & 1) {
            (false, _) => 0,
            (true, 0) => self.pll_hz() * 2 / 3,
            (true, _) => self.pll_hz(),
        };
        let core_hz = system_hz >> core_shift;
        let apb2 = core * (1 << apb2_shift);
        // ADCPRE: 2, 4, 6, 8.
        let adc = apb2 * u64::from(2 * (self.cfgr >> 14 & 3) + 2);
        Clocks {
            adc,
            core,
            apb1: core * (1 << apb1_shift),
            apb2,
            timers1: timers(apb1_shift),
            timers2: timers(apb2_shift),
            usb_hz,
            core_hz,
            apb1_hz: core_hz >> apb1_shift,
            apb2_hz: core_hz >> apb2_shift,
        }
    }

    /// Whether bit `bit` of an enable register is set.
    pub(super) fn is_enabled(&self, gate: Gate) -> bool {
        match gate {
            Gate::Always => true,
            Gate::Ahb(bit) => self.ahb_enable >> bit & 1 != 0,
            Gate::Apb1(bit) => self.apb1_enable >> bit & 1 != 0,
            Gate::Apb2(bit) => self.apb2_enable >> bit & 1 != 0,
        }
    }

    /// Whether the peripheral behind `gate` is held in reset.
    pub(super) fn is_reset(&self, gate: Gate) -> bool {
        match gate {
            Gate::Always | Gate::Ahb(_) => false,
            Gate::Apb1(bit) => self.apb1_reset >> bit & 1 != 0,
            Gate::Apb2(bit) => self.apb2_reset >> bit & 1 != 0,
        }
    }
}

/// The bit that switches a peripheral's clock: sections 7.3.6 to 7.3.8. The reset registers have
/// the same layout (sections 7.3.4 and 7.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// It has none.
    Always,
    /// RCC_AHBENR.
    Ahb(u32),
    /// RCC_APB1ENR.
    Apb1(u32),
    /// RCC_APB2ENR.
    Apb2(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    const CR: u32 = 0x00;
    const CFGR: u32 = 0x04;

    /// HSE, PLL times 9, APB1 halved: what every 72 MHz program does.
    fn at_72_mhz() -> (Rcc, Time) {
        let mut rcc = Rcc::new(Some(8_000_000), true);
        rcc.write(CR, 0x1_0081, Time::ZERO).unwrap();
        let mut now = HSE_START;
        rcc.write(CFGR, 7 << 18 | 1 << 16 | 4 << 8, now).unwrap();
        rcc.write(CR, 0x101_0081, now).unwrap();
        now += PLL_START;
        rcc.write(CFGR, 7 << 18 | 1 << 16 | 4 << 8 | 2, now)
            .unwrap();
        (rcc, now)
    }

    #[test]
    fn out_of_reset_the_core_runs_at_8_mhz() {
        let rcc = Rcc::new(None, true);
        assert_eq!(rcc.clocks().core, Time::period_of(8_000_000));
        assert_eq!(rcc.clocks().usb_hz, 0);
    }

    #[test]
    fn the_usual_set_up_yields_72_mhz_36_mhz_and_48_mhz() {
        let (mut rcc, now) = at_72_mhz();
        let clocks = rcc.clocks();
        assert_eq!(clocks.core_hz, 72_000_000);
        assert_eq!(clocks.apb1_hz, 36_000_000);
        assert_eq!(clocks.apb2_hz, 72_000_000);
        assert_eq!(clocks.timers1, clocks.core);
        assert_eq!(clocks.usb_hz, 48_000_000);
        assert_eq!(rcc.read(CFGR, now).unwrap() & 0xf, 0b1010, "SWS says PLL");
    }

    #[test]
    fn the_crystal_takes_two_milliseconds_and_one_that_is_missing_forever() {
        let mut rcc = Rcc::new(Some(8_000_000), true);
        rcc.write(CR, 0x1_0081, Time::ZERO).unwrap();
        let ready = |rcc: &mut Rcc, now| rcc.read(CR, now).unwrap() >> 17 & 1;
        assert_eq!(ready(&mut rcc, Time::from_micros(1999)), 0);
        assert_eq!(ready(&mut rcc, Time::from_micros(2000)), 1);
        let mut bare = Rcc::new(None, true);
        bare.write(CR, 0x1_0081, Time::ZERO).unwrap();
        assert_eq!(ready(&mut bare, Time::SECOND), 0);
    }

    #[test]
    fn a_switch_to_a_source_that_is_not_ready_waits_for_it() {
        let mut rcc = Rcc::new(Some(8_000_000), true);
        rcc.write(CR, 0x1_0081, Time::ZERO).unwrap();
        rcc.write(CFGR, 1, Time::ZERO).unwrap();
        assert_eq!(rcc.next_event(Time::ZERO), HSE_START);
        assert_eq!(rcc.read(CFGR, Time::ZERO).unwrap() >> 2 & 3, 0);
        assert_eq!(rcc.read(CFGR, HSE_START).unwrap() >> 2 & 3, 1);
    }

    #[test]
    fn the_crystal_of_clocks_takes_its_time_and_drives_the_rtc() {
        let mut rcc = Rcc::new(None, true);
        rcc.write(0x20, BDCR_LSEON | 1 << 8 | BDCR_RTCEN, Time::ZERO)
            .unwrap();
        assert_eq!(rcc.rtc_clock(Time::from_millis(2499)), None);
        assert_eq!(rcc.rtc_clock_begins(Time::ZERO), LSE_START);
        assert_eq!(rcc.read(0x20, LSE_START).unwrap() & 2, 2);
        assert_eq!(rcc.rtc_clock(LSE_START), Some(Time::period_of(32_768)));
        rcc.reset(ResetCause::Software);
        assert!(rcc.rtc_clock(LSE_START).is_some(), "it outlives a reset");
        rcc.write(0x20, BDCR_BDRST, LSE_START).unwrap();
        assert_eq!(rcc.rtc_clock(LSE_START), None);
        let mut bare = Rcc::new(None, false);
        bare.write(0x20, BDCR_LSEON, Time::ZERO).unwrap();
        assert_eq!(bare.read(0x20, Time::SECOND * 10).unwrap() & 2, 0);
    }

    #[test]
    fn after_stop_mode_the_internal_oscillator_drives_the_core() {
        let (mut rcc, now) = at_72_mhz();
        rcc.wake_from_stop();
        assert_eq!(rcc.clocks().core_hz, 8_000_000);
        assert_eq!(rcc.read(CR, now).unwrap() & (CR_HSEON | CR_PLLON), 0);
    }

    #[test]
    fn the_factor_of_a_running_pll_cannot_be_changed() {
        let (mut rcc, now) = at_72_mhz();
        rcc.write(CFGR, 1 << 18 | 1 << 16 | 4 << 8 | 2, now)
            .unwrap();
        assert_eq!(rcc.clocks().core_hz, 72_000_000);
    }

    #[test]
    fn what_drives_the_system_clock_cannot_be_switched_off() {
        let (mut rcc, now) = at_72_mhz();
        rcc.write(CR, 0, now).unwrap();
        assert_eq!(rcc.clocks().core_hz, 72_000_000);
    }

    #[test]
    fn reset_flags_add_up_until_they_are_removed() {
        let mut rcc = Rcc::new(None, true);
        rcc.reset(ResetCause::IndependentWatchdog);
        assert_eq!(rcc.read(0x24, Time::ZERO), Some(1 << 29 | 3 << 26));
        rcc.write(0x24, CSR_RMVF, Time::ZERO).unwrap();
        rcc.reset(ResetCause::Software);
        assert_eq!(rcc.read(0x24, Time::ZERO), Some(1 << 28 | 1 << 26));
    }
}
